"""Any module of torch, by the gradients of single records, each clipped to the certified norm (docs/theory.md L7, T23),
or of a batch clipped as a whole (L7b, T23b). Nothing else is known of it, and nothing else is assumed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from learners.labels import wrong_class
from learners.models.model import Batch
from learners.refused import LearnerRefused

AT_ONCE = 2**25  # numbers in the per-sample gradients that are held at a time
Criterion = Callable[[Tensor, Tensor], Tensor]

CRITERIA: dict[str, Criterion] = {
    "cross-entropy": lambda outputs, labels: functional.cross_entropy(outputs, labels.long(), reduction="sum"),
    "logistic": lambda outputs, labels: functional.softplus(-labels * outputs.reshape(labels.shape)).sum(),
    "squared": lambda outputs, labels: (outputs.reshape(labels.shape) - labels).square().sum() / 2,
}


@dataclass(frozen=True, eq=False)
class Network:
    """A module and its data loss: criterion(outputs, labels) sums the records' losses.

    module: takes features (n, d) to outputs (n, k) or (n,); it reshapes them itself (`torch.nn.Unflatten`). Its
    parameters that require a gradient are what is learned, from the values that they have: these must be public. It is
    copied, and never changed. criterion: "cross-entropy" (labels 0 … k − 1), "logistic" (labels ±1), "squared", or a
    function of your own; by default "cross-entropy" for several outputs and "logistic" for one.

    Raises:
        LearnerRefused: a layer that mixes records, nothing to learn, an unknown criterion.
    """

    module: nn.Module
    criterion: str | Criterion | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "module", copy.deepcopy(self.module).to("cpu", torch.float64))
        for name, layer in self.module.named_modules():
            batch_norm = isinstance(layer, nn.modules.batchnorm._BatchNorm)
            if batch_norm or (isinstance(layer, nn.modules.instancenorm._InstanceNorm) and layer.track_running_stats):
                raise LearnerRefused(
                    f"model: {name or 'it'} is a {type(layer).__name__}, which mixes the records of a batch or keeps "
                    "what it saw of them; take GroupNorm or LayerNorm"
                )
        if not self.shapes:
            raise LearnerRefused("model: no parameter requires a gradient; nothing can be learned")
        if isinstance(self.criterion, str) and self.criterion not in CRITERIA:
            raise LearnerRefused(f"criterion: {self.criterion!r} is unknown; write one of {', '.join(CRITERIA)}")

    @cached_property
    def shapes(self) -> dict[str, torch.Size]:
        """Of what is learned, in the order in which it is flattened."""
        return {name: value.shape for name, value in self.module.named_parameters() if value.requires_grad}

    @property
    def start(self) -> Tensor:
        """The module's own parameters, flattened, (p,)."""
        learned = dict(self.module.named_parameters())
        return torch.cat([learned[name].detach().flatten() for name in self.shapes])

    def describe(self) -> dict[str, object]:
        """What a run record says of it; two modules that are described alike are run alike, but for their code."""
        criterion = self.criterion
        if callable(criterion):
            criterion = getattr(criterion, "__qualname__", type(criterion).__qualname__)
        kind = type(self.module)
        return {
            "module": f"{kind.__module__}.{kind.__qualname__}",
            "criterion": criterion or "cross-entropy or logistic, by the number of outputs",
            "parameters": [[name, list(shape)] for name, shape in self.shapes.items()],
        }

    def split(self, x: Tensor) -> dict[str, Tensor]:
        """Flattened parameters (p,), by name."""
        parts = x.split([shape.numel() for shape in self.shapes.values()])
        return {name: part.view(shape) for part, (name, shape) in zip(parts, self.shapes.items(), strict=True)}

    def loaded(self, parameters: Tensor) -> nn.Module:
        """A copy of the module with these parameters (p,) in it."""
        module = copy.deepcopy(self.module)
        with torch.no_grad():
            for name, value in self.split(parameters).items():
                module.get_parameter(name).copy_(value)
        return module

    def outputs(self, parameters: Tensor, features: Tensor) -> Tensor:
        """(n, k) or (n,), of features (n, d), as in evaluation (without dropout)."""
        with torch.no_grad():
            return self.loaded(parameters).eval()(features)

    def chosen(self, features: Tensor) -> tuple[Criterion, int | None, str | None]:
        """(criterion, number of classes or None, its name or None), by the outputs of a row of zeros.

        Raises:
            LearnerRefused: the module does not take rows of that length, or gives no outputs.
        """
        try:
            outputs = self.outputs(self.start, torch.zeros(1, features.shape[1], dtype=torch.float64))
        except (RuntimeError, ValueError, TypeError, IndexError) as problem:
            reason = str(problem).splitlines()[0]
            raise LearnerRefused(
                f"model: it does not take features (n, {features.shape[1]}): {reason}; reshape them in its first layer"
            ) from None
        if outputs.ndim not in (1, 2) or len(outputs) != 1:
            raise LearnerRefused(f"model: outputs {tuple(outputs.shape)} for one record; give (n, k) or (n,)")
        name = self.criterion or ("cross-entropy" if outputs.shape[1:].numel() > 1 else "logistic")
        if not isinstance(name, str):
            return name, None, None
        return CRITERIA[name], outputs.shape[-1] if name == "cross-entropy" else None, name

    def predict(self, parameters: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs, and what they say (n,): the class, the sign for the logistic criterion, else the output itself."""
        outputs, (_, classes, name) = self.outputs(parameters, features), self.chosen(features)
        if classes is not None:
            return outputs, outputs.argmax(dim=1).to(outputs.dtype)
        values = outputs.reshape(len(features), -1)[:, 0]
        return outputs, torch.where(values > 0, 1.0, -1.0).to(values.dtype) if name == "logistic" else values

    def wrong_label(self, features: Tensor, labels: Tensor) -> tuple[int, str] | None:
        """The first label that the criterion does not have, and what to write there."""
        _, classes, name = self.chosen(features)
        if classes is not None:
            return wrong_class(labels, classes)
        wrong = (labels.abs() != 1) if name == "logistic" else torch.zeros(0)
        return (int(wrong.nonzero()[0]), "write +1 for one class and -1 for the other") if wrong.any() else None


def as_network(model: nn.Module | Network | None) -> Network | None:
    """A module with its default criterion."""
    return Network(model) if isinstance(model, nn.Module) else model


@dataclass(frozen=True, eq=False)
class Clipped:
    """A network whose data gradients are clipped to `bound`, each by itself or the batch's mean (whole)."""

    network: Network
    criterion: Criterion
    module: nn.Module  # on the device, for its buffers and the parameters that are not learned
    bound: float
    whole: bool

    @classmethod
    def of(cls, network: Network, features: Tensor, bound: float, whole: bool, device: torch.device) -> Clipped:
        """Raises LearnerRefused where the gradient of a record of zeros cannot be taken."""
        module = copy.deepcopy(network.module).to(device)
        model = cls(network, network.chosen(features)[0], module, bound, whole)
        zeros = torch.zeros(2, features.shape[1], dtype=torch.float64, device=device)
        trial = model.batch(zeros, zeros.new_ones(2), torch.ones(2, dtype=torch.bool, device=device))
        try:
            with torch.random.fork_rng():
                model.gradient(network.start.to(device), trial)
        except RuntimeError as problem:
            reason = str(problem).splitlines()[0]
            raise LearnerRefused(f"model: cannot be run record by record: {reason}") from None
        return replace(model, module=copy.deepcopy(network.module).to(device))

    @property
    def parameters(self) -> int:
        return sum(shape.numel() for shape in self.network.shapes.values())

    def batch(self, features: Tensor, labels: Tensor, present: Tensor) -> Batch:
        nothing = features.new_zeros(0)
        return Batch(features, labels, present, nothing, nothing)

    def gradient(self, x: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """x (p,): a single model. An absent record is left out, whatever the module gives for a row of zeros."""
        features, labels = batch.features[batch.present], batch.labels[batch.present]
        if not len(labels):
            return torch.zeros_like(x), x.new_zeros(1)
        if self.whole:
            mean = self._flat(grad(self._loss)(self.network.split(x), features, labels)) / batch.size
            norm = torch.linalg.vector_norm(mean)
            factor = (self.bound / norm).clamp(max=1.0)
            return mean * factor, (norm * factor).reshape(1)
        total, norms = torch.zeros_like(x), []
        for gradients in self._of_records(self.network.split(x), features, labels):
            lengths = torch.linalg.vector_norm(gradients, dim=1)
            factors = (self.bound / lengths).clamp(max=1.0)
            total += factors @ gradients
            norms.append(lengths * factors)
        return total / batch.size, torch.cat(norms)

    def _of_records(self, learned: dict[str, Tensor], features: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """Gradients (c, p) of the records, some at a time."""
        of_one = vmap(grad(self._loss), in_dims=(None, 0, 0), randomness="different")
        count = max(1, AT_ONCE // self.parameters)
        for first in range(0, len(labels), count):
            rows = slice(first, first + count)
            parts = of_one(learned, features[rows].unsqueeze(1), labels[rows].unsqueeze(1))
            yield torch.cat([parts[name].flatten(1) for name in self.network.shapes], dim=1)

    def _loss(self, learned: dict[str, Tensor], features: Tensor, labels: Tensor) -> Tensor:
        return self.criterion(functional_call(self.module, learned, (features,)), labels)

    def _flat(self, parts: dict[str, Tensor]) -> Tensor:
        return torch.cat([parts[name].flatten() for name in self.network.shapes])

    def changed_buffers(self) -> list[str]:
        """Buffers that the module itself has changed while it was run: what they hold now has seen records."""
        before = dict(self.network.module.named_buffers())
        return [name for name, value in self.module.named_buffers() if not torch.equal(value.cpu(), before[name])]
