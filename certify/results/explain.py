"""What `explain` says beyond the derivation: limits, sensitivities, and what dominates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from accountant import Derivation, Enclosure, NoisySGD
from accountant.core.exact import Rounding, canonical, decimal, outward, round_decimal
from accountant.core.facts import Family, Profile
from accountant.core.kernel import Theorem
from accountant.core.quantities import ApproximateDP
from accountant.explain.derivatives import Derivatives, Elasticity, Variant, derivatives, elasticities, variants
from accountant.explain.dominance import Dominance, describe, dominance
from accountant.explain.limits import Limit, limits
from accountant.explain.steps import formula_json
from accountant.mechanisms.timeline import history

MAX_SEGMENTS = 6
INFINITE = "oo"


@dataclass(frozen=True)
class Analysis:
    """Of the bound on one request. phases: names of the timeline's phases, as `shares` numbers them."""

    limits: tuple[Limit, ...]
    derivatives: Derivatives | None
    variants: tuple[Variant, ...]
    shares: tuple[Dominance, ...]
    phases: tuple[tuple[str, ...], ...]
    moments: tuple[tuple[tuple[str, str], ...], ...]
    elasticities: tuple[Elasticity, ...]
    upper: Theorem[ApproximateDP]  # of the bound on ε

    def text(self) -> str:
        """The sections, for people."""
        return "\n\n".join("\n".join(part) for part in (self._limits(), self._sensitivity(), self._dominance()) if part)

    def _limits(self) -> list[str]:
        if not self.limits:
            return ["Limits", "  none is worked out where steps may expand distances"]
        lines = ["Limits"]
        for limit in self.limits:
            lines.append(f"  {limit.towards}: {_shown(limit)}")
            formula = limit.leading or limit.formula
            if formula is not None:
                lines += ["", *(f"        {line}" for line in _arrow(formula, limit).splitlines()), ""]
        return lines[:-1] if not lines[-1] else lines

    def _sensitivity(self) -> list[str]:
        lines = ["Sensitivity"]
        if self.derivatives is None:
            lines.append(f"  no derivative of ε: {self.upper.id} is not a Gaussian bound, or ε = 0")
        else:
            names = (("∂ε/∂σ", "by_noise_std"), ("∂ε/∂μ", "by_mu"), ("∂ε/∂δ", "by_delta"))
            known = [(name, getattr(self.derivatives, key)) for name, key in names]
            lines += columns([(name, "=", _nearest(value)) for name, value in known if value is not None])
        rows = [
            (v.change, "ε ≤ " + v.epsilon.upper_decimal() if v.epsilon else f"refused: {v.refused}")
            for v in self.variants
        ]
        return lines + columns(rows)

    def _dominance(self) -> list[str]:
        lines = ["What dominates"]
        if self.shares and self.upper.facts.profile is not Profile.GAUSSIAN:
            mixed = self.upper.facts.profile is Profile.MIXTURE
            which = "of the batch that is worst" if mixed else "that does without it"
            lines.append(f"  ε is {self.upper.id}'s; the shares are those of the bound on μ {which}")
        rows = [("phase", "steps", "noise: of μ²", "shifts: of the distance")]
        for shares, names in zip(self.shares, self.phases, strict=True):
            if shares.start:
                kept = "the ball's diameter, at the restart" if shares.restart else "the start"
                rows.append((kept, "", "", _percent(shares.start)))
            for name, phase in zip(names, shares.phases, strict=True):
                rows.append((name, str(phase.steps), _percent(phase.energy * shares.weight), _percent(phase.distance)))
        if self.shares:
            lines += [*columns(rows), "", "  the string's straight pieces, by their share of μ²"]
            for shares, moments in zip(self.shares, self.moments, strict=True):
                for segment, (start, end) in list(zip(shares.segments, moments, strict=True))[:MAX_SEGMENTS]:
                    more = f", and {segment.times - 1} more alike" if segment.times > 1 else ""
                    more += ", every shift paid at once" if segment.composed else ""
                    lines.append(f"    {_percent(segment.share * shares.weight)}  from {start} to {end}{more}")
                if len(shares.segments) > MAX_SEGMENTS:
                    lines.append(f"    … {len(shares.segments) - MAX_SEGMENTS} more")
            lines.append("")
        lines.append("  what ε depends on most: per cent of ε for one per cent more, all else held (the step size too)")
        rows = [("parameter", "value", "elasticity", "ε if halved", "ε if doubled")]
        for e in self.elasticities:
            slope = "–" if e.elasticity is None else f"{e.elasticity:+.4f}"
            rows.append((e.parameter, _nearest_fraction(e.value), slope, _upper(e.halved), _upper(e.doubled)))
        return lines + columns(rows)

    def latex(self) -> str:
        """The limits as a LaTeX align environment; empty without any."""
        rows = [row for limit in self.limits for row in _latex_rows(limit)]
        return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}" if rows else ""

    def as_json(self) -> dict[str, Any]:
        """Keys `limits`, `sensitivities`, `phases`, `segments`, `elasticities`; numbers are strings rounded outward,
        shares and elasticities doubles."""
        d = self.derivatives
        return {
            "limits": [_limit_json(limit) for limit in self.limits],
            "sensitivities": {
                "derivatives": None
                if d is None
                else {"noise_std": _both(d.by_noise_std), "mu": _both(d.by_mu), "delta": _both(d.by_delta)},
                "changes": [
                    {
                        "change": v.change,
                        "epsilon": v.epsilon and v.epsilon.upper_decimal(),
                        "refused": v.refused or None,
                    }
                    for v in self.variants
                ],
            },
            "phases": [
                {
                    "phase": name,
                    "epochs": phase.epochs,
                    "steps": phase.steps,
                    "share_of_mu_squared": phase.energy * shares.weight,
                    "share_of_distance": phase.distance,
                }
                for shares, names in zip(self.shares, self.phases, strict=True)
                for name, phase in zip(names, shares.phases, strict=True)
            ],
            "segments": [
                {"from": start, "to": end, "times": segment.times, "share_of_mu_squared": segment.share * shares.weight}
                for shares, moments in zip(self.shares, self.moments, strict=True)
                for segment, (start, end) in zip(shares.segments, moments, strict=True)
            ],
            "elasticities": [
                {
                    "parameter": e.parameter,
                    "value": canonical(e.value),
                    "elasticity": e.elasticity,
                    "halved": e.halved and e.halved.upper_decimal(),
                    "doubled": e.doubled and e.doubled.upper_decimal(),
                }
                for e in self.elasticities
            ],
        }


def analyse(mechanism: NoisySGD, delta: Fraction, request: int, upper: Derivation, bound: Derivation) -> Analysis:
    """Limits, sensitivities and shares of the bound `upper` on ε of one request (0-based); `bound` is that on μ in the
    worst batch."""
    shares = dominance(bound)
    several = bound.theorem.facts.family is Family.COMPOSITION
    strings = bound.premises if several else (bound,) * len(shares)
    named = _phase_names(mechanism, request)
    return Analysis(
        limits=limits(mechanism, delta, request),
        derivatives=derivatives(upper, mechanism.noise_std),
        variants=variants(mechanism, delta, request),
        shares=shares,
        phases=tuple((named[i],) for i in range(len(shares))) if several else (named,) * len(shares),
        moments=tuple(_moments(share, string) for share, string in zip(shares, strings, strict=False)),
        elasticities=elasticities(mechanism, delta, request),
        upper=upper.theorem,
    )


def _phase_names(mechanism: NoisySGD, request: int) -> tuple[str, ...]:
    runs = history(mechanism, request)
    later = len(runs.phases) - runs.learning_phases
    unlearning = ["unlearning"] if later == 1 else [f"unlearning {i + 1}" for i in range(later)]
    return ("learning",) * runs.learning_phases + tuple(unlearning)


def _moments(shares: Dominance, string: Derivation) -> tuple[tuple[str, str], ...]:
    timeline = string.premises[0].preview
    return tuple((describe(s.start, timeline), describe(s.end, timeline)) for s in shares.segments)


# --- how it is written ------------------------------------------------------------------------------------------------


def _shown(limit: Limit) -> str:
    """The limits of μ and ε, in a line."""
    if limit.infinite:
        return "μ → ∞, ε → ∞: there is no bound in the limit"
    if limit.zero:
        return "μ → 0, ε → 0"
    if limit.far:
        return f"ε ≤ {limit.epsilon.upper_decimal()} at {limit.far} epochs"
    known = [(name, value) for name, value in (("μ", limit.mu), ("ε", limit.epsilon)) if value is not None]
    values = ", ".join(f"{name} → {value.upper_decimal()}" for name, value in known) or "no bound"
    return f"{values} ({limit.note})" if limit.note else values


def _arrow(formula: Any, limit: Limit) -> str:
    """μ² = … in two dimensions, with the sign that a limit has."""
    sign = "~" if limit.leading else "→"
    text = sympy.pretty(sympy.Eq(formula.left, formula.right, evaluate=False), use_unicode=True, wrap_line=False)
    return text.replace(" = ", f" {sign} ", 1)


def _latex_rows(limit: Limit) -> Iterable[str]:
    if limit.formula is None:
        return
    name, to = limit.towards.split(" → ")
    arrow = f"{name} \\to {to.replace('∞', chr(92) + 'infty')}"
    left, right = sympy.latex(limit.formula.left), sympy.latex(limit.formula.right)
    yield f"  \\lim_{{{arrow}}} {left} &= {right} && \\text{{{limit.formula.theorem}}}"
    if limit.leading is not None:
        yield f"  {left} &= {sympy.latex(limit.leading.right)} \\cdot (1 + o(1)) && {arrow}"


def _limit_json(limit: Limit) -> dict[str, Any]:
    return {
        "limit": limit.towards,
        "mu": INFINITE if limit.infinite else limit.mu and limit.mu.upper_decimal(),
        "epsilon": INFINITE if limit.infinite else limit.epsilon and limit.epsilon.upper_decimal(),
        "formula": limit.formula and formula_json(limit.formula),
        "leading": limit.leading and formula_json(limit.leading),
        "at_epochs": limit.far,
        "note": limit.note or None,
    }


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as aligned, indented lines."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  " + "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _percent(share: float) -> str:
    return f"{100 * share:9.5g} %"


def _upper(epsilon: Enclosure | None) -> str:
    return "–" if epsilon is None else epsilon.upper_decimal()


def _both(value: Enclosure | None) -> dict[str, str] | None:
    return value and {"lower": outward(value.lower, Rounding.DOWN), "upper": outward(value.upper, Rounding.UP)}


def _nearest(value: Enclosure) -> str:
    return _nearest_fraction((value.lower + value.upper) / 2)


def _nearest_fraction(value: Fraction) -> str:
    """Ten digits."""
    text = canonical(value)
    return text if len(text) <= 14 else decimal(round_decimal(value, 10, Rounding.DOWN), 10)
