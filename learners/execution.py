"""One phase of a run, executed: prepared, run, checked and written down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import torch

from accountant import ClippedLoss, FloatingPoint, SoftmaxLoss
from accountant.losses import Loss
from accountant.mechanisms.pnsgd import NoisySGD
from learners.batches import Batches
from learners.checks import check_device, check_products
from learners.data import Dataset
from learners.errors import Errors, bound_errors, rounded
from learners.models import Clipped, Model, Network, Numbers, model_of
from learners.noise import layers_drawing, source
from learners.record import PER_RECORD, SECRET, SEEDED, WHOLE_BATCH, Phase, now, parameters_hash, versions
from learners.refused import LearnerRefused
from learners.rounding import Floor, dtype_of
from learners.state import State
from learners.stepping import Progress, Rule, RunCheckFailed, project, run


@dataclass(frozen=True)
class Way:
    """How a phase is executed; none of it changes the mechanism. See `learners.learn`."""

    device: str | torch.device = "auto"
    seed: int | None = None
    progress: Progress | None = None
    allowed_mu: Fraction = Fraction(1)
    stated: FloatingPoint | None = None
    dtype: str | None = None


def parameters_of(mechanism: NoisySGD, dataset: Dataset, network: Network | None) -> int:
    """How many parameters the mechanism's model has on these data."""
    loss = mechanism.loss
    if network is not None:
        return len(network.start)
    return dataset.features.shape[1] * (loss.classes if isinstance(loss, SoftmaxLoss) else 1)


def largest_shift(mechanism: NoisySGD, gradient_norm: Fraction) -> Fraction:
    """How far one differing record puts two step maps apart, where it has a gradient of that norm (s of docs/theory.md
    C2), or where the batch's clipped mean has (T23b); parameter units."""
    if mechanism.whole_batch:
        return 2 * mechanism.step_size * gradient_norm
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
    if way.dtype == "float32" or (way.stated and way.stated.dtype == "float32"):
        check_products()
    mechanism, started = state.mechanism, now()
    length = max(dataset.features.shape[1], len(state.parameters))
    numbers = Numbers(dtype_of(way.dtype, way.stated), length)
    rule = Rule.of(mechanism, numbers)
    _check_network(state, numbers)
    model = executed_model(mechanism.loss, state.network, dataset, rule, numbers, device)
    errors = _errors(state, numbers, model.parameters, dataset.features.shape[1], epochs * mechanism.batches)
    floor = Floor(mechanism, model.parameters, numbers.dtype, way.allowed_mu, way.stated, errors)
    floor.check_before(state.parameters)
    batches = Batches.of(mechanism, dataset, state.order, model, numbers, device)
    # With equal seeds a retrained model shares its first noises with the learned one: two runs coupled as in T1.
    stretch = f"unlearn {state.requests_done}" if kind == "unlearn" else "learn"
    with layers_drawing(way.seed, stretch):
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
    if isinstance(model, Clipped) and (changed := model.changed_buffers()):
        raise RunCheckFailed(
            f"model: it changed its buffer {changed[0]} while it was run, and so keeps what no noise protects; "
            "take a layer without running statistics"
        )
    if observed.steps != epochs * mechanism.batches:
        raise RunCheckFailed(f"steps: {observed.steps} executed, the mechanism says {epochs * mechanism.batches}")
    shift = largest_shift(mechanism, Fraction(observed.max_gradient_norm))
    if not shift <= Fraction(state.record.shift):  # compared exactly
        raise RunCheckFailed(f"shift: one record moves a step map by {float(shift)} > s = {state.record.shift}")
    parameters, released = x.to("cpu", torch.float64, copy=True), state.released
    if observed.last is not None:
        released = project(rounded(observed.last, errors), rule) if errors.released else parameters
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
        rounding=errors.as_json(),
        released_before=parameters_hash(state.released),
        released_after=parameters_hash(released),
        dtype=numbers.dtype,
        dimension=model.parameters,
        largest_coordinate=repr(observed.max_coordinate),
        # What was bounded, before the regulariser is added: `run` saw every norm.
        clipping=WHOLE_BATCH if mechanism.whole_batch else PER_RECORD,
    )
    record = replace(state.record, phases=(*state.record.phases, phase))
    gone = (*state.erased, *erased)
    return State(mechanism, dataset, parameters, state.order, gone, record, state.network, released)


def _errors(state: State, numbers: Numbers, parameters: int, features: int, steps: int) -> Errors:
    """For the whole history and `steps` more, in the least precise numbers of it."""
    phases = state.record.phases
    narrow = "float32" in (numbers.dtype, *(phase.dtype for phase in phases))
    return bound_errors(
        state.mechanism,
        "float32" if narrow else numbers.dtype,
        steps=steps + sum(phase.steps for phase in phases),
        parameters=parameters,
        features=features,
        start=float(state.record.start_norm or "inf"),
    )


def executed_model(
    loss: Loss, network: Network | None, dataset: Dataset, rule: Rule, numbers: Numbers, device: torch.device
) -> Model:
    """What is run for a mechanism's loss: a linear model, or the network."""
    if not isinstance(loss, ClippedLoss) or network is None:
        return model_of(loss, dataset.features.shape[1], rule.gradient_bound, numbers)
    whole = loss.clipping == "batch"
    return Clipped.of(network, dataset.features, rule.gradient_bound * numbers.room, whole, device)


def _check_network(state: State, numbers: Numbers) -> None:
    """Whether a clipped loss has the network that it was learned with, in float64."""
    if not isinstance(state.mechanism.loss, ClippedLoss):
        return
    if state.network is None or state.network.describe() != state.record.model:
        raise LearnerRefused(
            "model: the state was learned with another module, or was loaded without it; give `load` that one"
        )
    if numbers.dtype != "float64":
        raise LearnerRefused(
            f'dtype: {numbers.dtype} with kind = "clipped": nothing bounds what the rounding of its steps adds; '
            "take float64"
        )
