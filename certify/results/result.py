"""What `certify` found, as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accountant import Derivation
from accountant.core.display import facts, page, table
from accountant.core.exact import Rounding, outward_double
from certify.errors import Exit
from certify.results.claims import Claim, Verdict
from certify.results.natives import Natives
from certify.runfile.read import Run

Progress = Callable[[str, int, int], None]  # what is being done, how much of it is done, of how much (0: unknown)

EXIT_OF = {
    Verdict.CERTIFIED: Exit.OK,
    Verdict.NOT_CERTIFIED: Exit.NOT_CERTIFIED,
    Verdict.INDETERMINATE: Exit.INDETERMINATE,
}


@dataclass(frozen=True)
class Result:
    """What `certify` found. Numbers are decimal strings rounded outward; None where there is none.

    The fields are those of `--format json`; `run`, `claims` and the derivations behind them are for `explain` and the
    certificate. natives: those of each request. guarantees: of training runs, both kinds; promised: the derivations of
    their upper bounds. rounding: what the rounding of the numbers that the run is executed in may add to μ, on top of
    what is printed; None where that is not known. fractional: Rényi orders of a training run that need a theorem of
    their own; certificates leave them out. bracket: of training runs, `width` is how far apart the upper ε and what no
    finer grid could go below are, relative to the larger of the upper ε and 0.001; `asked` is how wide it may be, and
    `sharp` whether it is no wider; None where ε is exact. No part of a certificate either. other_release: of runs that
    unlearn, {"release", "epsilon"}: what the same run would cost if the observer saw the other models; no part of a
    certificate.
    """

    verdict: Verdict
    out_of_reach: bool
    epsilon: Mapping[str, str | None]
    delta: str
    mu: Mapping[str, str | None]
    wasserstein: Mapping[str, str | None]
    renyi: tuple[Mapping[str, str], ...]
    requests: tuple[Mapping[str, Any], ...]
    theorems: tuple[str, ...]
    assumptions: tuple[Mapping[str, str], ...]
    published: Mapping[str, Mapping[str, str | None]]
    fallback: Mapping[str, Any] | None
    digest: str
    run: Run = field(repr=False)
    claims: tuple[Claim, ...] = field(repr=False)
    worst: Claim = field(repr=False)
    natives: tuple[Natives, ...] = field(repr=False, default=())
    curve: Derivation | None = field(repr=False, default=None)
    fractional: Derivation | None = field(repr=False, default=None)
    sensitivity: Derivation | None = field(repr=False, default=None)
    guarantees: tuple[Mapping[str, Any], ...] = ()
    promised: tuple[Derivation | None, ...] = field(repr=False, default=())
    rounding: Mapping[str, str] | None = None
    bracket: Mapping[str, Any] | None = None
    other_release: Mapping[str, str | None] | None = None

    @property
    def exit_code(self) -> Exit:
        return EXIT_OF[self.verdict]

    @property
    def epsilon_upper(self) -> float | None:
        """The proven upper end of ε as a double, not below the printed one."""
        return outward_double(self.epsilon["upper"], Rounding.UP)

    @property
    def epsilon_lower(self) -> float | None:
        """What no bound from these constants can be below, as a double that is not above the printed one."""
        return outward_double(self.epsilon["lower"], Rounding.DOWN)

    @property
    def mu_upper(self) -> float | None:
        """The upper end of the Gaussian parameter μ; None if the guarantee is not Gaussian."""
        return outward_double(self.mu["upper"], Rounding.UP)

    @property
    def mu_lower(self) -> float | None:
        """The lower end of μ; None where there is none."""
        return outward_double(self.mu["lower"], Rounding.DOWN)

    @property
    def roots(self) -> tuple[Derivation, ...]:
        """Every derivation that the result rests on."""
        ends = [d for claim in self.claims for d in (claim.upper, claim.lower)]
        ends += [d for native in self.natives for d in (native.curve, native.learned, native.released)]
        roots = (*ends, self.curve, self.fractional, self.sensitivity, *self.promised)
        return tuple(derivation for derivation in roots if derivation is not None)

    def as_json(self) -> dict[str, Any]:
        """The one JSON object of `certify --format json`."""
        return {
            "verdict": str(self.verdict),
            "out_of_reach": self.out_of_reach,
            "epsilon": dict(self.epsilon),
            "delta": self.delta,
            "mu": dict(self.mu),
            "wasserstein": dict(self.wasserstein),
            "renyi": [dict(point) for point in self.renyi],
            "requests": [dict(request) for request in self.requests],
            **({"guarantees": [dict(kind) for kind in self.guarantees]} if self.guarantees else {}),
            "theorems": list(self.theorems),
            "assumptions": [dict(assumption) for assumption in self.assumptions],
            "published": {name: dict(value) for name, value in self.published.items()},
            "fallback": None if self.fallback is None else dict(self.fallback),
            "digest": self.digest,
            **({"meta": dict(self.run.meta)} if self.run.meta else {}),
            **({} if self.rounding is None else {"rounding": dict(self.rounding)}),
            **({} if self.other_release is None else {"other_release": dict(self.other_release)}),
            **({} if self.bracket is None else {"bracket": dict(self.bracket)}),
        }

    def _repr_html_(self) -> str:
        """Verdict and bracket, the requests and the assumptions, for a notebook."""
        lower, upper, target = (self.epsilon[name] for name in ("lower", "upper", "target"))
        about = {"ε ≤": upper, "ε ≥": lower, "target ε": target, "δ": self.delta, "μ ≤": self.mu["upper"]}
        return page(
            str(self.verdict),
            facts(about | {"theorems": ", ".join(self.theorems), "digest": self.digest}),
            table("Erasure requests", self.requests),
            table("Guarantees", self.guarantees),
            table("Assumptions", self.assumptions),
        )

    def _repr_latex_(self) -> str:
        """The bracket of ε as a formula."""
        lower, upper = self.epsilon["lower"], self.epsilon["upper"]
        below = "" if lower is None else f"{lower} \\le "
        above = "\\infty" if upper is None else upper
        return f"${below}\\varepsilon \\le {above}, \\quad \\delta = {self.delta}$"
