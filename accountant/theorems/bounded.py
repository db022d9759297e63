"""Bounded domains: where a projection keeps the two runs within 2R, the string may begin late."""

from __future__ import annotations

from accountant.core.arithmetic import Arithmetic
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import theorem
from accountant.core.quantities import GaussianDP
from accountant.theorems.flow import Flows, Mark
from accountant.theorems.shifts import Corner, energy, no_drift
from accountant.theorems.timelines import Timeline
from accountant.theorems.transport import distance_at


@theorem(
    "T5",
    concludes=GaussianDP,
    premises=(Timeline,),
    facts=Facts(
        Direction.ABOVE,
        Family.STRING,
        States.MU,
        formula="mu_square",
        profile=None,
        label="Plumbline (taut string in the ball, T5)",
    ),
    source="docs/theory.md T5",
    assumes=("projection",),
    oracle="tests/accountant/theorems/test_bounded.py::test_restart_equals_the_brute_force_minimum",
)
def bounded_domain(A: Arithmetic, timeline: Timeline, *, restart: Mark, corners: tuple[Corner, ...]) -> GaussianDP:
    """The taut string from the moment `restart` on, where the runs are at most w = T1's distance (capped at 2R) apart.

    What happened before is forgotten, its noise too. Every moment is allowed; those at which w = 2R are the ones that
    help. This keeps convex learning (c = 1) bounded for every T, and gives a bound for c > 1.
    """
    A.require(timeline.diameter is not None, "a radius", timeline.diameter)
    no_drift(A, timeline)
    A.require(
        0 <= restart.block < len(timeline.blocks)
        and 0 <= restart.position < timeline.blocks[restart.block].batches
        and 0 <= restart.epoch < timeline.blocks[restart.block].epochs,
        "the restart lies on the timeline",
        restart,
    )
    flows = Flows(A, timeline)
    distance = distance_at(A, flows, restart)
    return GaussianDP(A.sqrt(energy(A, flows, corners, restart, distance)))
