"""One phase of a run, executed: prepared, run, checked and written down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import torch

from accountant import FloatingPoint, SoftmaxLoss
from accountant.mechanisms.pnsgd import NoisySGD
from learners.batches import Batches
from learners.checks import check_device
from learners.data import Dataset
from learners.models import Numbers, model_of
from learners.noise import source
from learners.record import PER_RECORD, SECRET, SEEDED, Phase, now, parameters_hash, versions
from learners.rounding import Floor, dtype_of
from learners.state import State
from learners.stepping import Progress, Rule, RunCheckFailed, run


@dataclass(frozen=True)
class Way:
    """How a phase is executed; none of it changes the mechanism. See `learners.learn`."""

    device: str | torch.device = "auto"
    seed: int | None = None
    progress: Progress | None = None
    allowed_mu: Fraction = Fraction(1)
    stated: FloatingPoint | None = None
    dtype: str | None = None


def parameters_of(mechanism: NoisySGD, dataset: Dataset) -> int:
    """How many parameters the mechanism's model has on these data."""
    loss = mechanism.loss
    return dataset.features.shape[1] * (loss.classes if isinstance(loss, SoftmaxLoss) else 1)


def largest_shift(mechanism: NoisySGD, gradient_norm: Fraction) -> Fraction:
    """How far one differing record of that norm puts two step maps apart: s of docs/theory.md C2, parameter units."""
    return mechanism.shift * mechanism.step_size * gradient_norm / mechanism.batch_size


def execute(
    state: State,
    kind: str,
    dataset: Dataset,
    erased: tuple[int, ...],
    epochs: int,
    way: Way,
) -> State:
    """Run one phase on `dataset` from the state's parameters, check it, and write it down.

    Raises:
        LearnerRefused: before anything is run. RunCheckFailed: a bound of the mechanism did not hold at run time.
    """
    device, device_name = check_device(way.device)
    mechanism, started = state.mechanism, now()
    numbers = Numbers(dtype_of(way.dtype, way.stated), dataset.features.shape[1])
    rule = Rule.of(mechanism, numbers)
    model = model_of(mechanism.loss, dataset.features.shape[1], rule.gradient_bound, numbers)
    floor = Floor(mechanism, model.parameters, numbers.dtype, way.allowed_mu, way.stated)
    floor.check_before(state.parameters)
    batches = Batches.of(mechanism, dataset, state.order, model, numbers, device)
    # With equal seeds a retrained model shares its first noises with the learned one: two runs coupled as in T1.
    stretch = f"unlearn {state.requests_done}" if kind == "unlearn" else "learn"
    x, observed = run(
        state.parameters.to(device, numbers.type),
        batches,
        model,
        source(way.seed, stretch),
        rule,
        epochs,
        way.progress,
        floor.check,
    )
    if observed.steps != epochs * mechanism.batches:
        raise RunCheckFailed(f"steps: {observed.steps} executed, the mechanism says {epochs * mechanism.batches}")
    shift = largest_shift(mechanism, Fraction(observed.max_gradient_norm))
    if not shift <= Fraction(state.record.shift):  # compared exactly
        raise RunCheckFailed(f"shift: one record moves a step map by {float(shift)} > s = {state.record.shift}")
    parameters = x.to("cpu", torch.float64, copy=True)
    phase = Phase(
        kind=kind,
        epochs=epochs,
        steps=observed.steps,
        erased=len(erased),
        noise=SECRET if way.seed is None else SEEDED,
        seed=way.seed,
        device=str(device),
        device_name=device_name,
        versions=versions(),
        data_before=state.dataset.fingerprint,
        data_after=dataset.fingerprint,
        parameters_before=parameters_hash(state.parameters),
        parameters_after=parameters_hash(parameters),
        max_gradient_norm=repr(observed.max_gradient_norm),
        max_parameter_norm=repr(observed.max_parameter_norm),
        max_shift=repr(float(shift)),
        started=started,
        finished=now(),
        dtype=numbers.dtype,
        dimension=model.parameters,
        largest_coordinate=repr(observed.max_coordinate),
        clipping=PER_RECORD,  # each gradient is bounded by itself, the regulariser added after; `run` saw every norm
    )
    record = replace(state.record, phases=(*state.record.phases, phase))
    return State(mechanism, dataset, parameters, state.order, (*state.erased, *erased), record)
