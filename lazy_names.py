"""Names of a package that are loaded when first asked for (PEP 562); of the packages here and of `plumbline`.

It stands outside of them all and needs the standard library alone: `python -m certify.checker` loads no accountant.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, Sequence[str]], whole: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package.

    Args:
        package: its `__name__`.
        homes: the names that it offers, by the module that has them.
        whole: modules of which it offers everything in `__all__`.
    """
    home_of = {name: module for module, names in homes.items() for name in names}

    def __getattr__(name: str) -> Any:
        home = home_of.get(name) or _exporting(name, whole)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home), name)
        setattr(sys.modules[package], name, value)  # the next time it is found without a question
        return value

    def __dir__() -> list[str]:
        offered = [*getattr(sys.modules[package], "__all__", ()), *home_of]
        return sorted({*offered, *(name for module in whole for name in import_module(module).__all__)})

    return __getattr__, __dir__


def _exporting(name: str, modules: Sequence[str]) -> str | None:
    if name.startswith("__"):  # what Python itself asks every module for
        return None
    return next((module for module in modules if name in import_module(module).__all__), None)
