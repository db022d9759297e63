"""What a learner refuses before it runs anything: mechanism, data, request and device must be what was certified."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Iterable
from dataclasses import fields

import torch
from torch import Tensor, nn

from accountant.core.exact import canonical
from accountant.losses import ClippedLoss, SoftmaxLoss
from accountant.mechanisms.pnsgd import NoisySGD
from learners.data import Dataset, check_norms, permutation
from learners.labels import wrong_label
from learners.models import Network, as_network, score_of
from learners.refused import LearnerRefused
from learners.stepping import below


def vouch(mechanism: NoisySGD, dataset: Dataset, model: nn.Module | Network | None = None) -> None:
    """Make sure that the loss's constants hold for what will be executed: the loss is known, the data fit it.

    Raises:
        LearnerRefused: another mechanism or loss, a data set of another size, a label that the loss does not have, or a
            module that cannot be run record by record.
        FeatureNormExceeded: a record beyond the loss's feature_norm.
    """
    if not isinstance(mechanism, NoisySGD):
        raise LearnerRefused(
            f"mechanism: {type(mechanism).__name__} is none that this learner executes; give a NoisySGD"
        )
    network, clipped = as_network(model), isinstance(mechanism.loss, ClippedLoss)
    if clipped and network is None:
        raise LearnerRefused(
            'model: [loss] kind = "clipped" does not say which model; give a torch.nn.Module (--model MODULE:FACTORY)'
        )
    if network is not None and not clipped:
        raise LearnerRefused(
            f'model: {type(mechanism.loss).__name__} is that of a linear model; write [loss] kind = "clipped", or give '
            "no module"
        )
    if not clipped and score_of(mechanism.loss) is None and not isinstance(mechanism.loss, SoftmaxLoss):
        raise LearnerRefused(
            "loss: constants alone cannot be executed, nor vouched for; write a loss whose constants are derived, "
            '[loss] kind = "logistic" for instance'
        )
    if len(dataset) != mechanism.samples:
        raise LearnerRefused(
            f"samples: the data hold {len(dataset)} records, the mechanism says {mechanism.samples}; give that many"
        )
    if not clipped and dataset.feature_norm > (longest := mechanism.loss.numbers()["feature_norm"]):
        check_norms(dataset.source, longest)
    check_labels(mechanism, dataset, network)


def check_labels(mechanism: NoisySGD, dataset: Dataset, network: Network | None = None) -> None:
    """Whether every label is one of the loss, or of the network's criterion; an absent record's is of no account.

    Raises:
        LearnerRefused: names the first record whose label is not.
    """
    there = torch.ones(len(dataset), dtype=torch.bool)
    there[list(dataset.absent)] = False
    places = there.nonzero().flatten()
    labels = dataset.labels[places]
    wrong = wrong_label(mechanism.loss, labels) if network is None else network.wrong_label(dataset.features, labels)
    if wrong is not None:
        record = int(places[wrong[0]])
        raise LearnerRefused(f"record {record}: labels {dataset.labels[record].item():g}; {wrong[1]}")


def draw_order(mechanism: NoisySGD, order_seed: int | None, seed: int | None) -> tuple[Tensor, str]:
    """The order behind the batches, and how the record words it."""
    n = mechanism.samples
    if mechanism.batch_order == "secret":
        if order_seed is not None:
            raise LearnerRefused(
                'order_seed: a public order under batch_order = "secret"; leave it out, or certify "fixed"'
            )
        key = secrets.token_hex(32) if seed is None else f"seed {seed}"
        return torch.tensor(permutation(n, key)), "secret" if seed is None else f"from the seed {seed}: not secret"
    if order_seed is None:
        return torch.arange(n), "given"
    return torch.tensor(permutation(n, f"order {order_seed}")), f"public, seed {order_seed}"


def check_start(mechanism: NoisySGD, dimension: int, start: Tensor | None, network: Network | None = None) -> Tensor:
    """The start, or a network's own parameters, or zeros (dimension,)."""
    if start is None:
        start = torch.zeros(dimension, dtype=torch.float64) if network is None else network.start
    start = torch.as_tensor(start).detach().to("cpu", torch.float64, copy=True)
    if start.shape != (dimension,) or not start.isfinite().all():
        raise LearnerRefused(f"start: shape {tuple(start.shape)}; give {dimension} finite numbers")
    norm = torch.linalg.vector_norm(start).item()
    if mechanism.radius is not None and norm > below(mechanism.radius):
        raise LearnerRefused(
            f"start: norm {norm:.6g} outside the ball of radius {canonical(mechanism.radius)}; project it first"
        )
    return start


def check_records(mechanism: NoisySGD, records: Iterable[int], erased: tuple[int, ...]) -> tuple[int, ...]:
    chosen, seen = tuple(records), set(erased)
    for record in chosen:
        if isinstance(record, bool) or not isinstance(record, int) or not 0 <= record < mechanism.samples:
            raise LearnerRefused(
                f"records: {record!r} is not the index of a record; write a number from 0 to {mechanism.samples - 1}"
            )
        if record in seen:
            raise LearnerRefused(f"records: {record} is erased already, or named twice; name each record once")
        seen.add(record)
    return chosen


def without(
    dataset: Dataset,
    mechanism: NoisySGD,
    chosen: tuple[int, ...],
    replacements: Dataset | None,
    network: Network | None = None,
) -> Dataset:
    if replacements is not None:
        if mechanism.neighbours == "remove-one":
            raise LearnerRefused(
                'replacements: neighbours = "remove-one" zeroes the gradient; leave them out, or certify "replace-one"'
            )
        if replacements.features.shape != (len(chosen), dataset.features.shape[1]):
            shape = (len(chosen), dataset.features.shape[1])
            raise LearnerRefused(
                f"replacements: features {tuple(replacements.features.shape)}; need {shape}, one for each erased record"
            )
        if network is None:
            check_norms(replacements.features, min(mechanism.loss.numbers()["feature_norm"], dataset.feature_norm))
        check_labels(mechanism, replacements, network)
    return dataset.replaced(chosen, replacements)


def check_device(device: str | torch.device) -> tuple[torch.device, str]:
    """The device and its name; "auto" is the GPU where there is one. Refused: devices without float64 (MPS) or that
    nobody tried."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(device)
    except RuntimeError as error:
        raise LearnerRefused(f"device: {device!r} is unknown; take auto, cpu or cuda") from error
    if device.type == "cpu":
        return device, f"{platform.machine()} {platform.system()}"
    if device.type != "cuda" or not torch.cuda.is_available():
        raise LearnerRefused(f"device: {device} is not available for float64 arithmetic here; take cpu")
    return device, torch.cuda.get_device_name(device)


def check_longer(mechanism: NoisySGD, executed: NoisySGD, done: int) -> NoisySGD:
    """`mechanism`, where it says of everything that was executed what `executed` said; requests may differ after the
    first `done`.

    Raises:
        LearnerRefused: names what differs.
    """
    for field in fields(NoisySGD):
        new, old = getattr(mechanism, field.name), getattr(executed, field.name)
        if field.name in ("requests", "unlearning_epochs"):
            new, old = new[:done], old[:done]
        if new != old:
            raise LearnerRefused(
                f"mechanism.{field.name}: not that of the state, of which {done} requests are executed; "
                "certify the history as it was, and what follows it"
            )
    return mechanism


def check_products() -> None:
    """Whether products of float32 numbers are rounded to float32, and to nothing narrower (TF32, bfloat16).

    Raises:
        LearnerRefused: torch is set otherwise.
    """
    try:
        narrow = torch.get_float32_matmul_precision() != "highest" or torch.backends.cuda.matmul.allow_tf32
    except RuntimeError:  # what it is set to was said backend by backend
        narrow = any(
            getattr(backend.matmul, "fp32_precision", "ieee") not in ("ieee", "none")
            for backend in (torch.backends.cuda, torch.backends.mkldnn)
        )
    if narrow:
        raise LearnerRefused(
            "dtype: torch is set to round products of float32 numbers to fewer bits; "
            'call torch.set_float32_matmul_precision("highest"), or take float64'
        )
