"""What a training refuses: a mechanism, model, optimizer or losses that are not what is certified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from accountant import NoisySGD, ScaledSGD
from learners.refused import LearnerRefused
from learners.stepping import RunCheckFailed
from learners.training.reading import length


class StepRefused(RunCheckFailed):
    """A batch whose losses or gradients are not finite: no step was made, and it is counted as one."""


def check_mechanism(mechanism: Any, samples: int) -> ScaledSGD:
    """
    Raises:
        LearnerRefused: another kind of mechanism, or one about another number of records.
    """
    if isinstance(mechanism, NoisySGD):
        raise LearnerRefused(
            'mechanism: of kind "pnsgd", whose hidden iterates need a learner of their own; call learners.learn, '
            "or give a ScaledSGD"
        )
    if not isinstance(mechanism, ScaledSGD):
        raise LearnerRefused(f"mechanism: {type(mechanism).__name__} is none that is executed here; give a ScaledSGD")
    if mechanism.samples not in (None, samples):
        raise LearnerRefused(f"samples: the data hold {samples} records, the mechanism says {mechanism.samples}")
    if not any(stage.sample_rate for stage in mechanism.stages):
        raise LearnerRefused("sample_rate: 0 draws no record; nothing can be learned")
    coins = mechanism.scheme.own_coins and any(0 < stage.sample_rate < 1 for stage in mechanism.stages)
    if mechanism.group_sampling == "together" and coins:
        raise LearnerRefused(
            'group_sampling: "together" is not executed, for each record is drawn by a coin of its own; write '
            '"independent", or make one record of all that are drawn together'
        )
    if mechanism.momentum.inner_history != "own":
        raise LearnerRefused('momentum.inner_history: "batch" has no bound; write "own"')
    return mechanism


def learned(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that require a gradient, by name; a shared one once.

    Raises:
        LearnerRefused: there is none; several devices; numbers that are not floating.
    """
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not parameters:
        raise LearnerRefused("model: no parameter requires a gradient; nothing can be learned")
    devices = {p.device for p in model.parameters()}
    if len(devices) > 1:
        raise LearnerRefused(f"model: on {len(devices)} devices ({', '.join(map(str, devices))}); move it to one")
    for name, p in parameters.items():
        if not p.is_floating_point():
            raise LearnerRefused(f"model: {name} has numbers of {p.dtype}; take float32 or float64")
    return parameters


def check_optimizer(optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter], model: nn.Module) -> None:
    """Whether the optimizer has exactly what is learned; frozen parameters of the model may be in it.

    Raises:
        LearnerRefused: names what differs.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise LearnerRefused(f"optimizer: a {type(optimizer).__name__}; give a torch.optim.Optimizer")
    if isinstance(optimizer, torch.optim.LBFGS):
        raise LearnerRefused("optimizer: LBFGS evaluates the loss by itself, without noise; take SGD or Adam")
    held = _held(optimizer)
    if held - {id(p) for p in model.parameters()}:
        raise LearnerRefused(
            "optimizer: has parameters that are not the model's; make it of this model.parameters(), after the model "
            "was moved or wrapped"
        )
    missing = [name for name, p in parameters.items() if id(p) not in held]
    if missing:
        raise LearnerRefused(
            f"optimizer: {missing[0]} is learned, but not in it"
            + (f" (nor {len(missing) - 1} more)" if missing[1:] else "")
            + "; freeze it (requires_grad_(False)), or give it to the optimizer"
        )


def check_schedule(schedule: Any) -> None:
    """
    Raises:
        LearnerRefused: one that is stepped by a loss, which no noise hides; something else that cannot be stepped.
    """
    if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
        raise LearnerRefused(
            "schedule: ReduceLROnPlateau follows a loss, which is a release of its own; take one that follows the "
            "number of steps (CosineAnnealingLR), or step it yourself with a loss on public data"
        )
    if schedule is not None and not callable(getattr(schedule, "step", None)):
        raise LearnerRefused(f"schedule: a {type(schedule).__name__}; give a scheduler of torch.optim.lr_scheduler")


@dataclass(frozen=True, eq=False)
class Unchanged:
    """What must stay as it was at the start: which parameters are learned, and every buffer of the model; how many
    records there are; what the optimizer has."""

    model: nn.Module
    dataset: Any
    samples: int
    identities: dict[str, int]
    buffers: dict[str, tuple[int, int]]
    optimizer: torch.optim.Optimizer
    held: frozenset[int]

    @classmethod
    def of(
        cls, model: nn.Module, dataset: Any, parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer
    ) -> Unchanged:
        identities = {name: id(p) for name, p in parameters.items()}
        return cls(model, dataset, length(dataset), identities, _buffers(model), optimizer, _held(optimizer))

    def check_optimizer(self) -> None:
        """
        Raises:
            RunCheckFailed: parameters came or went; those that no noise was added for must not be stepped.
        """
        if _held(self.optimizer) != self.held:
            raise RunCheckFailed(
                "optimizer: has other parameters than when the training began, whose gradients have no noise; build "
                "another trainer"
            )

    def check_data(self) -> None:
        """
        Raises:
            RunCheckFailed: records came or went.
        """
        if (now := len(self.dataset)) != self.samples:
            raise RunCheckFailed(f"dataset: {now} records, {self.samples} when the training began; keep it as it is")

    def check_model(self) -> None:
        """
        Raises:
            RunCheckFailed: names what changed.
        """
        now = {name: id(p) for name, p in self.model.named_parameters() if p.requires_grad}
        if now != self.identities:
            for name in (*now, *self.identities):
                if name not in self.identities:
                    raise RunCheckFailed(
                        f"parameters: {name} is learned now and was not when the training began; build another trainer"
                    )
                if now.get(name) != self.identities[name]:
                    what = "another one" if name in now else "not learned"
                    raise RunCheckFailed(
                        f"parameters: {name} is {what} now; keep the model as it was when the training began"
                    )
        for name, state in _buffers(self.model).items():
            if self.buffers.get(name) != state:
                raise RunCheckFailed(
                    f"buffers: {name} was changed by the forward pass, without noise; take a layer that keeps no "
                    "statistics (track_running_stats=False)"
                )


def _held(optimizer: torch.optim.Optimizer) -> frozenset[int]:
    return frozenset(id(p) for group in optimizer.param_groups for p in group["params"])


def _buffers(model: nn.Module) -> dict[str, tuple[int, int]]:
    return {name: (id(buffer), buffer._version) for name, buffer in model.named_buffers()}
