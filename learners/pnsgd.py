"""Projected noisy SGD on cyclic, fixed batches: learn, unlearn, and retrain, the reference that unlearning is held to.

Executes a `NoisySGD` and nothing that it does not say. Source: Chien, Wang, Chen, Li (NeurIPS 2024, arXiv
2403.17105), Algorithm 1; docs/theory.md T1, T7, T10. Batch j of every epoch holds the records j·b … (j+1)·b − 1 of an
order that is chosen before, without looking at the data; a remainder is dropped. Both runs that a certificate
compares share batches and start. The certificate is about requests that were fixed before learning: a request that
was chosen after a look at the model is not covered.

What is learned goes by the mechanism's loss: θ (d,) for a loss of a linear score, (k·d,) for softmax regression with k
classes, class by class, and the parameters of a module that is given for `ClippedLoss`, in the order of
`named_parameters`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate

import torch
from torch import Tensor, nn

from accountant import FloatingPoint
from accountant.core.exact import canonical
from accountant.mechanisms.pnsgd import NoisySGD
from learners.checks import check_longer, check_records, check_start, draw_order, vouch, without
from learners.data import Dataset
from learners.execution import Way, execute, largest_shift, parameters_of
from learners.models import Network, as_network
from learners.record import RunRecord, mechanism_fingerprint, mechanism_to_json
from learners.refused import LearnerRefused
from learners.state import State
from learners.stepping import Progress

ALLOWED = Fraction(1)  # the μ that is allowed where no target says it


def learn(
    mechanism: NoisySGD,
    dataset: Dataset,
    *,
    device: str | torch.device = "auto",
    seed: int | None = None,
    start: Tensor | None = None,
    order_seed: int | None = None,
    mechanism_digest: str | None = None,
    progress: Progress | None = None,
    allowed_mu: Fraction = ALLOWED,
    execution: FloatingPoint | None = None,
    dtype: str | None = None,
    model: nn.Module | Network | None = None,
) -> State:
    """Learn for `epochs` epochs.

    start (p,), p parameters: zeros unless given; it must be the same for neighbouring data, hence public, unless the
    mechanism's initial_distance allows for a difference. order_seed: a public permutation of the records for
    batch_order = "fixed" (default: their own order); under "secret" the order is drawn secretly. seed: makes it a
    reproducible experiment without privacy. mechanism_digest: the run file's digest, where certify drives (default:
    mechanism_fingerprint). allowed_mu: the μ that the target allows, a hundredth of which rounding may add (T28);
    execution: what the run file states of the numbers that the run is executed in. dtype: "float64", or "float32" where
    its rounding is small beside the target; by default what `execution` states, else float64. Noise is float64 always.
    device: "auto" is the GPU where there is one. model: what is learned where the loss is `ClippedLoss`: a module, or
    a `learners.Network` of it with another criterion than the default; its own parameters are the start.

    Raises:
        LearnerRefused, FeatureNormExceeded: see `vouch`; a start of another shape or outside the ball; another device
        than cpu or cuda; noise below rounding, or other numbers than `execution` states. RunCheckFailed: a bound of the
        mechanism did not hold at run time, or the noise is below the rounding of the coordinates that were seen.
    """
    network = as_network(model)
    vouch(mechanism, dataset, network)
    order, text = draw_order(mechanism, order_seed, seed)
    state = _started(mechanism, dataset, network, start, order, text, mechanism_digest)
    way = Way(device, seed, progress, allowed_mu, execution, dtype)
    return execute(state, "learn", dataset, (), mechanism.epochs, way)


def unlearn(
    state: State,
    records: Iterable[int],
    *,
    replacements: Dataset | None = None,
    device: str | torch.device = "auto",
    seed: int | None = None,
    progress: Progress | None = None,
    allowed_mu: Fraction = ALLOWED,
    execution: FloatingPoint | None = None,
    dtype: str | None = None,
    mechanism: NoisySGD | None = None,
    mechanism_digest: str | None = None,
) -> State:
    """Execute the mechanism's next request: erase `records` (indices into the data), then run its K epochs on the rest.

    Under neighbours = "replace-one" each erased record is replaced by the next one of `replacements`, which must not
    depend on it (default: zero records, whose data gradient is zero); under "remove-one" its data gradient is zeroed.
    The divisor stays batch_size. allowed_mu, execution, dtype: as for `learn`. mechanism: one that says the same of
    what was executed, and more of what follows (default: the state's); mechanism_digest: of its run file.

    Raises:
        LearnerRefused: no request left, another number of records than the request's, a record twice or out of range,
            replacements that do not fit, a mechanism that is not the state's as far as it was executed.
        FeatureNormExceeded: a replacement beyond the loss's feature_norm.
        RunCheckFailed: a bound of the mechanism did not hold at run time.
    """
    state, done = _continued(state, mechanism, mechanism_digest), state.requests_done
    mechanism = state.mechanism
    if any(phase.kind == "retrain" for phase in state.record.phases):
        raise LearnerRefused("state: a retrained reference takes no requests; unlearn a state that was learned")
    if done == len(mechanism.requests):
        raise LearnerRefused(
            f"requests.sizes: all {done} certified requests are executed; certify more, and learn anew"
        )
    chosen = check_records(mechanism, records, state.erased)
    if len(chosen) != mechanism.requests[done]:
        raise LearnerRefused(
            f"requests.sizes: request {done + 1} is certified for {mechanism.requests[done]} records, "
            f"got {len(chosen)}; ask for that many, or certify other sizes"
        )
    dataset = without(state.dataset, mechanism, chosen, replacements, state.network)
    way = Way(device, seed, progress, allowed_mu, execution, dtype)
    return execute(state, "unlearn", dataset, chosen, mechanism.unlearning_epochs[done], way)


def retrain(
    mechanism: NoisySGD,
    dataset: Dataset,
    records: Iterable[int],
    *,
    replacements: Dataset | None = None,
    device: str | torch.device = "auto",
    seed: int | None = None,
    start: Tensor | None = None,
    order: Tensor | None = None,
    order_seed: int | None = None,
    mechanism_digest: str | None = None,
    progress: Progress | None = None,
    allowed_mu: Fraction = ALLOWED,
    execution: FloatingPoint | None = None,
    dtype: str | None = None,
    model: nn.Module | Network | None = None,
) -> State:
    """The reference run: learning on the data without `records` (those of the first r requests, in their order).

    It takes T + K_1 + … + K_r epochs for reference = "retrain", T for "retrain-T". order: `state.order` of the run it
    is compared with, to share its batches (drawn anew otherwise). allowed_mu, execution, dtype: as for `learn`.

    Raises:
        LearnerRefused: as `learn` and `unlearn`; reference = "stationary", which is a limit and no run.
    """
    network = as_network(model)
    vouch(mechanism, dataset, network)
    if mechanism.reference == "stationary":
        raise LearnerRefused(
            'reference: "stationary" is a limit that no run reaches; compare with "retrain" or "retrain-T"'
        )
    chosen = check_records(mechanism, records, ())
    totals = list(accumulate(mechanism.requests))
    if len(chosen) not in totals:
        raise LearnerRefused(f"requests.sizes: got {len(chosen)} records; the first requests erase {totals} in all")
    epochs = mechanism.epochs
    if mechanism.reference == "retrain":
        epochs += sum(mechanism.unlearning_epochs[: totals.index(len(chosen)) + 1])
    if order is None:
        order, text = draw_order(mechanism, order_seed, seed)
    else:
        if sorted(order.tolist()) != list(range(mechanism.samples)):
            raise LearnerRefused(f"order: no permutation of 0 … {mechanism.samples - 1}; give the order of a State")
        text = "that of another run"
    kept = without(dataset, mechanism, chosen, replacements, network)
    state = _started(mechanism, dataset, network, start, order, text, mechanism_digest)
    way = Way(device, seed, progress, allowed_mu, execution, dtype)
    return execute(state, "retrain", kept, chosen, epochs, way)


def _started(
    mechanism: NoisySGD,
    dataset: Dataset,
    network: Network | None,
    start: Tensor | None,
    order: Tensor,
    said: str,
    digest: str | None,
) -> State:
    """A state before its first phase. said: how the record words the order."""
    first = check_start(mechanism, parameters_of(mechanism, dataset, network), start, network)
    record = RunRecord(
        mechanism_digest=mechanism_fingerprint(mechanism) if digest is None else digest,
        mechanism=mechanism_to_json(mechanism),
        step_size=canonical(mechanism.step_size),
        noise_std=canonical(mechanism.noise_std),
        shift=canonical(largest_shift(mechanism, mechanism.loss.constants().gradient_bound)),
        batch_size=mechanism.batch_size,
        batches=mechanism.batches,
        order=said,
        dataset=dataset.name,
        phases=(),
        start_norm=repr(torch.linalg.vector_norm(first).item()),
        model=None if network is None else network.describe(),
    )
    return State(mechanism, dataset, first, order, (), record, network)


def _continued(state: State, mechanism: NoisySGD | None, digest: str | None) -> State:
    """The state under a mechanism that goes on from it."""
    if mechanism is None:
        if digest is not None:
            raise LearnerRefused("mechanism_digest: of no mechanism; give the mechanism that it is of as well")
        return state
    check_longer(mechanism, state.mechanism, state.requests_done)
    record = replace(
        state.record,
        mechanism=mechanism_to_json(mechanism),
        mechanism_digest=mechanism_fingerprint(mechanism) if digest is None else digest,
    )
    return replace(state, mechanism=mechanism, record=record)
