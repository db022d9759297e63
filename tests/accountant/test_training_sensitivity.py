"""Δ of a training, as the learners scale their noise by."""

from fractions import Fraction as F

import pytest

from accountant import Momentum, ScaledSGD, Stage, training_sensitivity
from accountant.core.scaling import AutoS, Clip, Psac, Psasc


@pytest.mark.parametrize(
    ("scaling", "limit", "bounded"),
    [
        (Clip("0.3"), F(3, 10), F(1, 4)),
        (AutoS(1, "0.01"), F(1), F(25, 26)),
        (Psac(2, "0.1"), F(2), F(14, 15)),
        (Psasc(1, "0.01", 3), F(1, 3), F(13, 41)),
    ],
)
def test_sensitivity_is_exact_and_momentum_leaves_it(scaling, limit, bounded):
    stages = (Stage("1", "0.01", 5),)
    assert training_sensitivity(ScaledSGD(scaling, stages)) == limit
    momentum = Momentum(outer="0.9", inner_beta="0.5", inner_window=3)
    mechanism = ScaledSGD(scaling, stages, gradient_norm_bound="1/4", momentum=momentum)
    assert training_sensitivity(mechanism) == bounded
