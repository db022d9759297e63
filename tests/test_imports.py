"""Who may import whom (design.md), read off the sources; and what loads when, seen from outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("accountant", "certify", "learners")

# Third-party imports inside accountant, file by file: the trusted kernel and the theorems see none of them.
ACCOUNTANT_MAY_USE = {
    "accountant/core/arithmetic/balls.py": {"flint", "numpy"},  # a first guess of ε in doubles
    "accountant/core/arithmetic/floats.py": {"numpy", "scipy"},
    "accountant/core/arithmetic/symbols.py": {"sympy"},
    "accountant/pnsgd/published.py": {"numpy"},  # searches in doubles for the order that P2 then takes
    "accountant/pnsgd/estimates/doubles.py": {"numpy"},  # searches in doubles; nothing certified
    "accountant/pnsgd/estimates/estimate.py": {"numpy"},  # sweeps in doubles; nothing certified
    "accountant/dpsgd/estimate.py": {"numpy", "scipy"},  # searches in doubles; nothing certified
    "accountant/pnsgd/search/excursions.py": {"numpy"},  # searches in doubles; T26 checks what it finds
    "accountant/pnsgd/search/restart.py": {"numpy"},  # searches in doubles; T5 checks what it finds
    "accountant/explain/scaling_facts.py": {"sympy"},  # prints
    "accountant/explain/derivatives.py": {"flint"},  # derivatives in balls, to be shown
    "accountant/pnsgd/estimates/sweep.py": {"numpy", "scipy"},  # sweeps in doubles; nothing certified
    "accountant/dpsgd/truncation.py": {"numpy", "scipy"},  # searches in doubles; T20 checks what it finds
    "accountant/pnsgd/search/witness.py": {
        "numpy",
        "scipy",
    },  # searches in doubles; T6c, T6m and T9 check what it finds
}
# Printed in symbols; and the integers and balls that T18 to T20 are computed by.
_PRINTS = ("evaluate", "formula", "formulas", "limits", "names", "sampled", "steps", "strings", "witnesses")
_DISTRIBUTIONS = ("ends", "masses", "merge", "mixture", "normal", "pair", "profile", "renyi", "split", "spread", "tilt")
ACCOUNTANT_MAY_USE |= {f"accountant/explain/{name}.py": {"sympy"} for name in _PRINTS}
ACCOUNTANT_MAY_USE |= {f"accountant/pld/{name}.py": {"flint"} for name in _DISTRIBUTIONS}

# What a learner may know of the accountant: what is described, not what is true of it.
LEARNERS_MAY_USE = {
    "accountant",
    "accountant.core.exact",
    "accountant.core.scaling",
    "accountant.losses",
    "accountant.mechanisms.pnsgd",
}

DRIVES_LEARNERS = ("service", "experiments")  # of certify's folders, and there lazily


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for package in PACKAGES for path in files(package)}


def imports(path: Path, *, lazy: bool = True) -> set[str]:
    """Absolute names of the modules that a file imports; without `lazy`, only those that load with it.

    `from package import name` counts as package.name where that is a module. Imports for type checking alone never
    happen.
    """
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not lazy:
            return
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else node.module)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            assert isinstance(node.args[0], ast.Constant), f"{path}: a computed import cannot be checked"
            found.add(node.args[0].value)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def top(name: str) -> str:
    return name.partition(".")[0]


def foreign(path: Path, *, lazy: bool = True) -> set[str]:
    """Top-level names that are neither the standard library's nor the file's own package."""
    own = path.relative_to(ROOT).parts[0]
    return (
        {top(name) for name in imports(path, lazy=lazy)} - sys.stdlib_module_names - {own, "__future__", "lazy_names"}
    )


@pytest.mark.parametrize("path", files("accountant"), ids=lambda p: str(p.relative_to(ROOT)))
def test_accountant_knows_nobody(path: Path) -> None:
    assert foreign(path) <= ACCOUNTANT_MAY_USE.get(str(path.relative_to(ROOT)), set())


def test_the_list_of_exceptions_is_not_longer_than_needed() -> None:
    for name, used in ACCOUNTANT_MAY_USE.items():
        assert foreign(ROOT / name) == used, name


@pytest.mark.parametrize("path", files("certify"), ids=lambda p: str(p.relative_to(ROOT)))
def test_certify_drives_no_learner_but_in_two_folders(path: Path) -> None:
    if path.parent.name in DRIVES_LEARNERS:
        assert not foreign(path, lazy=False) & {"learners", "torch"}
        return
    assert not foreign(path) & {"learners", "torch"}
    driving = tuple(f"certify.{name}" for name in DRIVES_LEARNERS)
    assert not {name for name in imports(path, lazy=False) if name.startswith(driving)}, "only when asked for"


def test_the_checker_stands_alone() -> None:
    path = ROOT / "certify" / "checker.py"
    assert not foreign(path, lazy=False)
    assert foreign(path) <= {"cryptography"}  # signatures, when it is importable
    assert not {name for name in imports(path) if top(name) == "certify"}


@pytest.mark.parametrize("path", files("learners"), ids=lambda p: str(p.relative_to(ROOT)))
def test_learners_run_what_is_described_and_certify_nothing(path: Path) -> None:
    known = {name for name in imports(path) if top(name) in PACKAGES and top(name) != "learners"}
    assert known <= LEARNERS_MAY_USE


def test_the_producer_of_vectors_is_independent() -> None:
    """It shares no code with what it is to try: numbers by mpmath, signatures by cryptography, and nothing of ours."""
    vectors = ROOT / "tests/vectors"
    for path in [vectors / "make_certificates.py", *(vectors / "producer").rglob("*.py")]:
        own = {name for name in imports(path) if top(name) == "tests"}
        assert all(name.startswith("tests.vectors.producer") for name in own), path
        assert foreign(path) <= {"mpmath", "cryptography"}, path


def test_theorems_do_not_search_and_the_kernel_knows_no_theorem() -> None:
    untrusted = {
        "accountant.pnsgd.derive",
        "accountant.pnsgd.search.string",
        "accountant.core.enclose",
        "accountant.explain",
    }
    for name, path in MODULES.items():
        if name.startswith("accountant.theorems") or name in ("accountant.core.kernel", "accountant.theorems.flow"):
            assert not imports(path) & untrusted, name
    trusted = {f"accountant.core.{name}" for name in ("arithmetic", "arithmetic.balls", "exact", "facts", "kinds")}
    assert {n for n in imports(MODULES["accountant.core.kernel"]) if top(n) == "accountant"} == trusted
    assert not {n for n in imports(MODULES["accountant.core.facts"]) if top(n) == "accountant"}
    kinds = {n for n in imports(MODULES["accountant.core.kinds"]) if top(n) == "accountant"}
    assert {n.rpartition(".")[0] for n in kinds} == {"accountant.core.arithmetic"}


# Each layer imports from itself and from those before it (design.md, "Folders").
LAYERS = {
    "accountant": ("core", "losses", "mechanisms", "pld", "theorems", "dpsgd", "pnsgd", "explain"),
    "certify": (
        "errors",
        "files",
        "engine",
        "checking",
        "checker",
        "runfile",
        "results",
        "pictures",
        "trust",
        "ledger",
        "report",
        "gating",
        "service",
        "experiments",
        "cli",
    ),
}


def layer(name: str) -> str:
    return name.split(".")[1]


@pytest.mark.parametrize("package", LAYERS)
def test_each_layer_imports_only_those_before_it(package: str) -> None:
    order = LAYERS[package]
    inner = {name for name in MODULES if name.startswith(f"{package}.")}
    assert {layer(name) for name in inner} == set(order), "a new folder has its place among the layers"
    for name in inner:
        for used in imports(MODULES[name]) & inner:
            assert order.index(layer(used)) <= order.index(layer(name)), f"{name} imports {used}"


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """One cycle for each back edge of a depth-first search."""
    found, done, trail = [], set(), []

    def visit(name: str) -> None:
        if name in trail:
            found.append([*trail[trail.index(name) :], name])
        elif name not in done:
            trail.append(name)
            for following in sorted(graph.get(name, ())):
                visit(following)
            trail.pop()
            done.add(name)

    for name in sorted(graph):
        visit(name)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_round_a_corner(package: str) -> None:
    graph = {
        name: {n for n in imports(path, lazy=False) if n in MODULES and top(n) == package} - {package}
        for name, path in MODULES.items()
        if top(name) == package
    }
    assert cycles(graph) == []


def test_cycles_are_found_where_there_are_some() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == [["a", "b", "c", "a"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def loaded(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after a statement."""
    code = f"import sys; {statement}; print(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    ["import accountant", "import certify, certify.runfile.read, certify.results.certify, certify.trust.certificate"],
)
def test_torch_never_loads_when_certifying(statement: str) -> None:
    modules = loaded(statement)
    assert "accountant" in modules and not modules & {"torch", "learners"}


def test_certifying_a_run_loads_no_torch() -> None:
    """Not even lazily: the whole way from a run to a verdict."""
    modules = loaded(
        "from certify.results.certify import certify; "
        "certify({'mechanism': {'kind': 'pnsgd', 'samples': '4', 'batch_size': '2', 'epochs': '2', 'noise_std': '1'}, "
        "'loss': {'kind': 'logistic', 'regularization': '0.1'}, 'target': {'epsilon': '1', 'delta': '0.1'}})"
    )
    assert "flint" in modules and not modules & {"torch", "learners", "sklearn", "matplotlib"}


def test_the_checker_loads_nothing_but_the_standard_library() -> None:
    modules = loaded("import certify.checker")
    assert not modules & {"accountant", "numpy", "scipy", "sympy", "flint", "pydantic", "torch", "learners"}


HEAVY = {
    "sympy",
    "scipy.special",
    "scipy.optimize",
    "matplotlib",
    "sklearn",
    "torch",
    "learners",
    "sqlalchemy",
    "psycopg",
}


@pytest.mark.parametrize(
    "statement",
    [
        "import accountant, certify, plumbline",
        "import accountant.pnsgd.derive, accountant.dpsgd.derive, certify.results.certify, certify.trust.certificate",
        "import sys; from certify.cli import main; sys.argv = ['plumbline']; main(['--version'])",
        "import plumbline; plumbline.certify('examples/mnist.toml')",
        "import certify.ledger, certify.ledger.summary, certify.ledger.backup, certify.ledger.revocation",
    ],
)
def test_what_needs_no_formula_and_no_special_function_loads_none(statement: str) -> None:
    code = f"{statement}; import sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not set(done.stdout.split()) & HEAVY


@pytest.mark.parametrize("package", ["accountant", "accountant.core.arithmetic", "certify", "plumbline"])
def test_lazy_packages_offer_what_they_name(package: str) -> None:
    """`dir()` has the names of `__all__` and of what is offered whole; what a type checker sees is what is loaded."""
    module = import_module(package)
    whole = {"accountant": "accountant.losses", "plumbline": "certify"}.get(package)
    names = set(module.__all__) | set(import_module(whole).__all__ if whole else ())
    assert dir(module) == sorted(names)
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    homes = {alias.name: node.module for node in block.body for alias in node.names}
    for name in names:
        assert getattr(module, name) is getattr(import_module(homes.get(name, whole or package)), name)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nonesuch'"):
        module.nonesuch  # noqa: B018


def test_lazy_names_needs_the_standard_library_alone() -> None:
    assert not imports(ROOT / "lazy_names.py") - sys.stdlib_module_names - {"__future__", "collections.abc"}


def test_the_front_door_leads_to_what_it_names() -> None:
    import certify
    import plumbline

    elsewhere = {name for names in plumbline._ELSEWHERE.values() for name in names}
    assert set(plumbline.__all__) == set(certify.__all__) | elsewhere
    for name in plumbline.__all__:
        assert getattr(plumbline, name) is not None
        if name not in elsewhere:
            assert getattr(plumbline, name) is getattr(certify, name)
    with pytest.raises(AttributeError, match="no attribute 'certifiy'"):
        plumbline.certifiy  # noqa: B018
