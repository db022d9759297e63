"""Public bounds on what floating point does, and the weights that make up for it."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from accountant import derive_training, enclose, executed_training, norm_margin  # noqa: E402
from accountant.core.scaling import AutoS, Clip, Psac, Psasc  # noqa: E402
from learners import LearnerRefused, RunCheckFailed  # noqa: E402
from learners.engines.layers.rule import BLOCK, sum_of_squares  # noqa: E402
from learners.training.aggregate import Layout, Sum, release, weights  # noqa: E402
from learners.training.precision import bound_precision  # noqa: E402
from tests.learners.training.oracle import MAPS, mechanism_of  # noqa: E402

pytestmark = pytest.mark.learn


DELTA = F(1, 10**5)


def precision_of(mechanism=None, dtype="float32", dimension=100, part=None):
    return bound_precision(mechanism or mechanism_of(), dtype, dimension=dimension, layers=4, delta=DELTA, part=part)


def exact_weight(scaling, x):
    """w(x) in fractions, from the formula of T14."""
    C, r, s = (F(getattr(scaling, name, 1)) for name in ("max_grad_norm", "r", "s"))
    match scaling.kind:
        case "clip":
            return min(F(1), C / x) if x else F(1)
        case "auto-s":
            return C / (x + r)
        case "psac":
            return C / (x + r / (x + r))
    return C / (s * x + r / (x + r))


positive = st.fractions(F(1, 1000), 1000, max_denominator=1000)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["clip", "auto-s", "psac", "psasc"]), positive, positive, positive,
    st.floats(0, 2.0**50, width=32), st.floats(-1, 1), st.sampled_from(["float32", "float64"]), st.booleans(),
)  # fmt: skip
def test_no_rounding_makes_a_term_too_long(kind, C, r, s, norm, error, dtype, bounded):
    """In fractions: the norm as computed is off by the allowed error, either way; the weight as executed times the
    exact norm stays at most Δ, and is hardly shorter than it was."""
    C, r, s = (F(repr(float(number))) for number in (C, r, s))
    scaling = {"clip": Clip, "auto-s": AutoS, "psac": Psac, "psasc": Psasc}[kind](
        *{"clip": (C,), "auto-s": (C, r), "psac": (C, r), "psasc": (C, r, s)}[kind]
    )
    bound = F(repr(float(max(F(norm), F(1, 1000))))) if bounded else None
    mechanism = mechanism_of(scaling, gradient_norm_bound=bound)
    precision = precision_of(mechanism, dtype)
    margin = norm_margin(precision.aggregation.norm_length, dtype)
    computed = float(F(norm) * (1 + F(error) * margin * F(99, 100)))
    tensor = torch.tensor([computed], dtype=getattr(torch, dtype))
    executed = weights(scaling, tensor, precision, bound)
    assert executed.dtype == tensor.dtype
    term = F(executed.item()) * F(norm)
    assert term <= precision.sensitivity
    assert term >= exact_weight(scaling, F(norm)) * F(norm) * (1 - 4 * margin) - F(1, 10**9)


def test_weights_of_nothing_and_of_narrow_norms():
    precision = precision_of()
    assert weights(MAPS["auto-s"], torch.zeros(2), precision).tolist() == pytest.approx(
        [100 * (1 - float(precision.shrink))] * 2
    )
    with pytest.raises(RunCheckFailed, match="norms"):
        weights(MAPS["clip"], torch.ones(2, dtype=torch.bfloat16), precision)


def test_the_grid_is_a_power_of_two_and_fine():
    for z in ("1e-6", "0.7", "1", "37"):
        precision = precision_of(mechanism_of(MAPS["psasc"], z=z))
        (grid,), (std,) = precision.grid, precision.noise_std
        assert math.log2(grid) == round(math.log2(grid)) and std / 32 < grid <= std / 16
        assert F(std) >= F(z) / 2 and F(std) <= F(z) / 2 * (1 + F(1, 2**52))
        assert precision.execution.error < F(1, 16)


def test_what_is_released_lies_on_the_grid_and_noise_is_wide():
    total = torch.linspace(-3, 3, 50, dtype=torch.float64)
    out = release(total, lambda shape: torch.full(shape, 0.3, dtype=torch.float64), 2.0, F(1, 8), F(5))
    assert torch.equal(out * 5, torch.round((total + 0.6) * 8) / 8)
    with pytest.raises(RunCheckFailed, match="noise"):
        release(total, lambda shape: torch.zeros(shape), 2.0, F(1, 8), F(5))


def test_norms_of_long_gradients_are_added_in_blocks():
    """What `NORM_LENGTH` promises, on rows of equal numbers, where a plain sum in float32 is worst."""
    rows = torch.full((2, 3 * BLOCK + 5), 0.1) * torch.tensor([[1.0], [1e-3]])
    exact = rows.double().square().sum(1)
    assert ((sum_of_squares(rows) - exact) / exact).abs().max() <= float(norm_margin(BLOCK, "float32"))
    assert sum_of_squares(rows.double()).dtype == torch.float64


def test_the_sums_error_is_bounded_by_what_is_stated():
    """The worst that an order of summation does: float32 terms of size Δ, one after the other."""
    large = mechanism_of(samples=4000, q="1/4")
    precision = precision_of(large, part=300)
    rng = np.random.default_rng(0)
    terms = rng.uniform(0.9, 1, 300).astype(np.float32)
    total = np.float32(0)
    for term in terms:
        total = np.float32(total + term)
    assert abs(float(total) - float(terms.astype(np.float64).sum())) <= float(precision.execution.enlargement) / 2
    assert precision.execution.enlargement < precision_of(large).execution.enlargement


def test_what_is_executed_has_an_epsilon():
    """The front door's question: a training as it is executed, a little above that with exact numbers."""
    mechanism = mechanism_of(samples=4000, q="1/40", steps=100)
    precision = precision_of(mechanism, dimension=5000)
    executed = executed_training(mechanism, precision.execution, DELTA)
    ideal = enclose(derive_training(mechanism, DELTA).upper).upper
    assert ideal < F(executed.epsilon) < ideal * F(105, 100)


def test_noise_below_the_floor_and_sums_that_are_too_rough_are_refused():
    with pytest.raises(LearnerRefused, match=r"execution.error: .* the noise is below the rounding of the sums"):
        precision_of(mechanism_of(z="1e-13"))
    large = mechanism_of(samples=10**6, q="1/100")
    with pytest.raises(LearnerRefused, match="take smaller micro-batches, or sums in float64"):
        precision_of(large)
    assert precision_of(large, part=64).execution.enlargement < F(1, 4)
    assert precision_of(large, "float64").execution.enlargement < F(1, 10**6)
    assert precision_of(large, part=64).as_json()["aggregation"]["sum_length"] == 64
    with pytest.raises(LearnerRefused, match="samples: is missing"):
        precision_of(mechanism_of(samples=None))


def test_sums_refuse_what_is_not_the_models():
    total = Sum(Layout(("a", "b"), (torch.Size([2]), torch.Size([1]))), torch.device("cpu"))
    total.add({"a": torch.ones(2), "b": torch.ones(1)})
    assert total.total.tolist() == [1, 1, 1] and total.finite and total.records == 0
    with pytest.raises(RunCheckFailed, match="but for b"):
        total.add({"a": torch.ones(2)})
    with pytest.raises(RunCheckFailed, match=r"gradient of b: shape \(2,\), not \(1,\)"):
        total.add({"a": torch.ones(2), "b": torch.ones(2)})
    total.mark()
    assert not total.finite
