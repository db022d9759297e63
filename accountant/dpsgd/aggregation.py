"""How far the executed sum of a batch may be from a sum of terms of norm Δ: what finite precision adds to Δ.

The executed sum is a function of the batch; only its sensitivity counts. If every batch's executed sum is within σΔ of
a sum with one term for each record, a function of that record and of what was released before, of norm at most
(1 + κ)Δ, then one record moves the executed sum by at most Δ(1 + ρ), ρ = κ + 2σ (docs/theory.md T28s). κ: a norm that
was computed too small, a weight rounded up. σ: products and sums that are rounded, in any order.

Sums of k numbers in any order have an error of at most γ_k = ku/(1 − ku) times the sum of their sizes (Higham 2002,
Sections 3.1 and 4.2). Nothing is measured, and nothing is assumed of torch but correctly rounded products and sums in
the stated type (no TF32, no bfloat16): types without such a bound are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction

from accountant.core.exact import Rounding, canonical, exact, round_decimal, settle
from accountant.core.scaling import Scaling
from accountant.mechanisms.invalid import InvalidMechanism

UNITS = {"float64": Fraction(1, 2**53), "float32": Fraction(1, 2**24)}  # of rounding, u
FLUSHED = {"float64": Fraction(1, 2**1022), "float32": Fraction(1, 2**126)}  # smaller results may become 0
WEIGHT_UNITS = 16  # of rounding in a weight w(x) that is computed from x
MOST_UNITS = Fraction(1, 4)  # ku beyond that bounds nothing worth having
_DIGITS = 4  # of ρ


@dataclass(frozen=True)
class Aggregation:
    """How norms and sums are computed. Every field is public, and the same whatever the data are.

    dimension: d, learned parameters. norm_dtype: in which the squares of a record's gradient are added (and weights are
    computed); float64 serves whatever the gradient's own type. norm_length: how many squares one norm adds at most; d
    where every coordinate is squared. sum_dtype: the narrowest type in which weighted gradients are multiplied and
    added; sum_length: how many products one sum in that type adds at most, before float64 takes over: records for
    gradients that are kept one by one, records times positions where one product gives the sum of a layer. spread: the
    sizes of all that one record adds to the sum are together at most spread·Δ: 1 where a record's gradient is one
    vector, or one outer product, that is scaled; more where it is itself summed from terms that cancel, and the
    weights are made small enough for that. shrink: weights are multiplied by 1 − shrink. record_error: by how much, in
    units of Δ, a record's term may differ from a function of that record and of the parameters, because a kernel
    rounds it otherwise beside other records. No code proves it: it is attested.

    Raises:
        InvalidMechanism: a type without a rounding bound, a value out of its range.
    """

    dimension: int
    norm_length: int
    sum_length: int
    norm_dtype: str = "float64"
    sum_dtype: str = "float64"
    spread: Fraction = Fraction(1)
    shrink: Fraction = Fraction(0)
    record_error: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        for key in (field.name for field in fields(self)):
            value = getattr(self, key)
            if key.endswith("dtype"):
                if value not in UNITS:
                    raise InvalidMechanism(
                        f"aggregation.{key}",
                        f"{value!r} has no rounding bound that is worth having; take {' or '.join(UNITS)}",
                    )
            elif key in ("dimension", "norm_length", "sum_length"):
                if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                    raise InvalidMechanism(f"aggregation.{key}", f"{value!r} must be a whole number from 1 up")
            else:
                settle(self, **{key: exact(value, f"aggregation.{key}")})
        if self.spread < 1:
            raise InvalidMechanism("aggregation.spread", f"{canonical(self.spread)} must be at least 1")
        for key in ("shrink", "record_error"):
            if not 0 <= getattr(self, key) < 1:
                raise InvalidMechanism(f"aggregation.{key}", f"{canonical(getattr(self, key))} must lie in [0, 1)")

    def excess(self, scaling: Scaling, sensitivity: Fraction) -> Fraction:
        """κ: a scaled gradient's norm is at most Δ(1 + κ)."""
        unit, tiny = UNITS[self.norm_dtype], self.norm_length * norm_floor(self.norm_dtype)
        grown = (1 + norm_margin(self.norm_length, self.norm_dtype)) * (1 + WEIGHT_UNITS * unit)
        lost = tiny * _greatest_weight(scaling) / sensitivity  # of squares that became 0
        return max((grown + 2 * lost) * (1 - self.shrink) - 1, Fraction(0))

    def sum_error(self, scaling: Scaling, sensitivity: Fraction, batch: int) -> Fraction:
        """σ: a sum over `batch` records is within σΔ of the exact sum of their terms."""
        narrow = relative_error(self.sum_length + 2, self.sum_dtype, "aggregation.sum_length")
        wide = relative_error(batch + 1, "float64", "aggregation")
        rounded = (1 + narrow) * (1 + wide) - 1
        lost = 2 * (self.sum_length + 2) * self.dimension * FLUSHED[self.sum_dtype] / sensitivity
        each = self.record_error + self.spread * (1 + self.excess(scaling, sensitivity)) * rounded + lost
        return batch * each

    def enlargement(self, scaling: Scaling, sensitivity: Fraction, batch: int) -> Fraction:
        """ρ = κ + 2σ, rounded up: one record moves the executed sum by at most Δ(1 + ρ).

        Raises:
            InvalidMechanism: it is 1 or more, or sums are so long that rounding has no bound.
        """
        rho = self.excess(scaling, sensitivity) + 2 * self.sum_error(scaling, sensitivity, batch)
        if rho >= 1:
            raise InvalidMechanism(
                "aggregation",
                f"rounding may move the sum of {batch} records by {float(rho):.3g} times the sensitivity; take smaller "
                "micro-batches, or sums in float64",
            )
        return round_decimal(rho, _DIGITS, Rounding.UP) if rho else rho


def relative_error(count: int, dtype: str, key: str) -> Fraction:
    """γ_k = ku/(1 − ku), k = `count`.

    Raises:
        InvalidMechanism: ku is more than 1/4.
    """
    units = count * UNITS[dtype]
    if units > MOST_UNITS:
        raise InvalidMechanism(key, f"{count} numbers in one {dtype} sum: no useful bound; take fewer, or float64")
    return units / (1 - units)


def norm_margin(length: int, dtype: str = "float64") -> Fraction:
    """By how much, relatively, a norm may be larger than the root of `length` squares that were added in `dtype`.

    The computed sum is at least (1 − γ_k) times the exact one, k = length + 4 with the products, the conversion and the
    root; 1/√(1 − γ) ≤ 1 + γ/(2(1 − γ)). In float64, p = 10⁸: 5.6e-9; in float32, p = 10⁵: 3e-3. Weights that are
    multiplied by 1 − `shrink_for(…)` so have no excess left. Squares that underflow are counted apart, `norm_floor`.

    Raises:
        InvalidMechanism: more squares than that type can add with a bound.
    """
    gamma = relative_error(length + 4, dtype, "aggregation.norm_length")
    return gamma / (2 * (1 - gamma))


def norm_floor(dtype: str) -> Fraction:
    """√m of the least normal number m of `dtype`: no coordinate whose square vanishes is larger."""
    return Fraction(1, 2 ** ((FLUSHED[dtype].denominator.bit_length() - 1) // 2))


def shrink_for(scaling: Scaling, sensitivity: Fraction, norm_length: int, norm_dtype: str = "float64") -> Fraction:
    """What weights have to be multiplied by 1 minus, so that no scaled gradient is longer than Δ; 6 digits, upwards.

    Where a bound G on gradients is known, computed norms are to be cut to G first.
    """
    kappa = Aggregation(1, norm_length, 1, norm_dtype).excess(scaling, sensitivity)
    return round_decimal(kappa / (1 + kappa), 6, Rounding.UP)


def _greatest_weight(scaling: Scaling) -> Fraction:
    """An upper bound of w(x), x ≥ 0. With v = rs ≤ 1, w ≤ C/(2√v − v) ≤ C/v (psac: s = 1)."""
    if scaling.kind == "clip":
        return Fraction(1)
    r, s = getattr(scaling, "r", Fraction(1)), getattr(scaling, "s", Fraction(1))
    return scaling.max_grad_norm / (r if scaling.kind == "auto-s" else min(r * s, Fraction(1)))
