"""A training loop of one's own, private: the trainer draws batches, takes losses, and steps any torch optimizer.

    trainer = PrivateTrainer(model, optimizer, dataset, mechanism, delta="1e-5")
    for x, y in trainer:
        trainer.step(F.cross_entropy(model(x), y, reduction="none"))

Executed is what is certified: batches at the mechanism's rates, Σ w(|gᵢ|)·gᵢ with weights that rounding cannot make too
large, noise N(0, (zΔ)² I) in float64, rounded to a public grid, over the public normaliser. All that follows, in
`.grad` and after it, is post-processing: the optimizer, its schedule, its weight decay and momentum, averages.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor, nn

from accountant import ScaledSGD
from accountant.core.exact import canonical, exact
from learners.checks import check_device, check_products
from learners.engines import BookKeeping, check_records_apart
from learners.noise import Noise, secret, seeded
from learners.refused import LearnerRefused
from learners.samplers import Sampler, sampler_of
from learners.stepping import RunCheckFailed
from learners.training import checkpoint
from learners.training.aggregate import Layout, Sum, check_bound, release, weights
from learners.training.average import Average
from learners.training.budget import Budget
from learners.training.checks import (
    StepRefused,
    Unchanged,
    check_mechanism,
    check_optimizer,
    check_schedule,
    learned,
)
from learners.training.distributed import Processes, bare
from learners.training.gathering import Gatherer, Reduction
from learners.training.momentum import Window
from learners.training.precision import bound_precision
from learners.training.progress import Bar
from learners.training.reading import Collate, length, moved, parts, read
from learners.training.record import TrainingRecord
from learners.training.recording import Recorder, Setting

Losses = Tensor | Callable[[], Tensor]


@dataclass(eq=False)
class Drawn:
    """The batch that was drawn and not stepped yet. part: records of the part that was handed out; last: whether no
    other part follows; seen: records whose losses came; done: whether `step` was called for the part."""

    part: int
    last: bool
    seen: int = 0
    done: bool = False


class PrivateTrainer:
    """One training of `model` on `dataset`, step by step, as `mechanism` says.

    Args:
        model: any module whose layers keep records apart; DistributedDataParallel around one is taken off. It is moved
            to `device`. Its values now are the start, and must be public.
        optimizer: any of torch.optim, of exactly the parameters that are learned; its `step` is called here alone. What
            it holds from earlier steps must be public, as the model's values must.
        dataset: records by index; batches are drawn from it here, so no loader.
        mechanism: what is certified. Its normaliser divides the sums; without one the mean batch size does, which
            needs `samples` in it, for a number of records that is not public must not be divided by.
        delta: exact; at which ε is shown.
        device: "auto" (a GPU where there is one), "cpu", "cuda".
        micro_batch: batches are handed out in parts of at most so many records; what is drawn, and how often, does not
            change. `step` then makes its step with the last part.
        seed: makes everything reproducible, and the model *not private*; torch's generators are seeded at each batch.
        autocast: torch.bfloat16 for `with trainer.autocast():` around the forward pass; norms, weights and sums stay in
            float32.
        reduction: of the losses handed to `step`: "none" for (B,), or what the scalar is of them.
        target_epsilon: the training ends before the step that would exceed it.
        schedule: a torch scheduler, stepped after every step, also that of an empty batch.
        ema: decay of an average of the weights, see `averaged`.
        progress: a line on the terminal.
        collate: as in DataLoader.
        keep: every record's gradient in memory, so that docs/theory.md T28s holds for every layer; take a micro_batch.
        second: names of layers whose records lie along the second dimension, see `learners.engines.BookKeeping`.
        probe: what the model is called with, for two made-up records or more: one is replaced, and nothing may change
            for the others (`learners.engines.check_records_apart`).

    Raises:
        LearnerRefused: whatever does not fit, in one line.
        InvalidMechanism: no ε is known for the mechanism at that δ.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        dataset: Any,
        mechanism: ScaledSGD,
        *,
        delta: Fraction | str,
        device: str | torch.device = "auto",
        micro_batch: int | None = None,
        seed: int | None = None,
        autocast: torch.dtype | None = None,
        reduction: Reduction = "none",
        target_epsilon: Fraction | str | int | None = None,
        schedule: Any = None,
        ema: float | None = None,
        progress: bool = False,
        collate: Collate | None = None,
        keep: bool = False,
        second: Collection[str] = (),
        probe: tuple[Any, ...] | None = None,
    ) -> None:
        samples = length(dataset)
        self.mechanism = check_mechanism(mechanism, samples)
        self.processes = Processes.current()
        self.processes.check(mechanism)
        self.normaliser = _normaliser(mechanism)
        self.device, device_name = check_device(device)
        model = bare(model)
        check_optimizer(optimizer, learned(model), model)
        check_schedule(schedule)
        self.model, self.optimizer, self.dataset = model.to(self.device), optimizer, dataset
        self._parameters = learned(model)
        self._schedule, self._collate = schedule, collate
        self._micro_batch, self._autocast = _micro_batch(micro_batch), _autocast(autocast)
        self._reduction = reduction
        if isinstance(seed, bool) or not (seed is None or isinstance(seed, int)):
            raise LearnerRefused(f"seed: {seed!r}; give a whole number, or none")
        self._seed, self._secret = seed, secret() if seed is None else None
        wide = all(p.dtype == torch.float64 for p in self._parameters.values())
        if not wide:
            check_products()
        self._layout = Layout.of(self._parameters.items())
        self.budget = Budget(mechanism, exact(delta, "delta"))
        if not 0 < self.budget.delta < 1:
            raise LearnerRefused(f"delta: {canonical(self.budget.delta)} must lie between 0 and 1")
        self.precision = bound_precision(
            mechanism,
            "float64" if wide else "float32",
            dimension=self._layout.dimension,
            layers=len(self._parameters),
            delta=self.budget.delta,
            part=micro_batch,
        )
        self.target = None if target_epsilon is None else exact(target_epsilon, "target_epsilon")
        self.steps = mechanism.steps if self.target is None else self.budget.most_steps(self.target)
        self._unchanged = Unchanged.of(model, dataset, self._parameters, optimizer)
        self._engine = BookKeeping(model, reduction=reduction, second=second)
        if probe is not None:
            self._check_apart(moved(tuple(probe), self.device), second)
        for parameter in self._parameters.values():
            self.processes.send(parameter.data)
        self.processes.check_same(samples, "samples")
        self._average = None if ema is None else Average.start(ema, self._parameters)
        self._window = Window(mechanism.momentum) if mechanism.momentum.inner else None
        if self._window is not None:
            self._window.released(self._parameters)
        self._gatherer = Gatherer(self._engine, self._parameters, reduction, self._window, keep)
        self._shard = self.processes.shard(samples)
        self._stage, self._sampler = 0, self._sampler_of(0)
        self.steps_taken = 0
        self._drawn: Drawn | None = None
        self._sum: Sum | None = None
        self._stepping = False
        self._step_hook = optimizer.register_step_pre_hook(self._refuse_foreign_step)
        self._recorder = Recorder(
            Setting(
                parameters=self._parameters,
                optimizer=optimizer,
                schedule=schedule,
                dataset=dataset,
                samples=samples,
                seed=seed,
                device=self.device,
                device_name=device_name,
                processes=self.processes.size,
                micro_batch=micro_batch,
                autocast=autocast,
                reduction=reduction,
                ema=ema,
                engine=type(self._engine).__name__,
                model=model,
            )
        )
        self._bar = self._bar_on(sys.stderr) if progress and sys.stderr.isatty() else None

    def _check_apart(self, probe: tuple[Any, ...], second: Collection[str]) -> None:
        try:
            check_records_apart(self.model, *probe, second=second)
        except LearnerRefused:
            raise
        except Exception as error:  # of code that is the caller's
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise LearnerRefused(
                f"model: cannot be called with made-up records like those of the data: {reason}"
            ) from None

    def _bar_on(self, stream: TextIO) -> Bar:
        limit = self.budget.exactly(self.steps) if self.target is None else self.target
        return Bar(self.steps, lambda steps: self.budget.spent(steps).epsilon, limit, stream)

    # --- the loop

    def __len__(self) -> int:
        """Steps in all."""
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        """The batches of all steps that are left. Empty ones are stepped here, and not handed out."""
        return self._until(self.steps)

    def epoch(self) -> Iterator[Any]:
        """The batches up to the end of the current epoch, of the mechanism's ⌈1/q⌉ steps."""
        stage, first = 0, 0
        while stage + 1 < len(self.mechanism.stages) and first + self.mechanism.stages[stage].steps <= self.steps_taken:
            first, stage = first + self.mechanism.stages[stage].steps, stage + 1
        rate = self.mechanism.stages[stage].sample_rate
        every = self.mechanism.scheme.steps_of_epoch(rate) if rate else self.steps
        end = first + ((self.steps_taken - first) // every + 1) * every
        return self._until(min(end, first + self.mechanism.stages[stage].steps, self.steps))

    def until(self, step: int) -> Iterator[Any]:
        """The batches up to the step of that number, which is the last one: also where batches before or after it are
        empty, so that how many steps are taken does not depend on what was drawn."""
        return self._until(min(step, self.steps))

    @property
    def finished(self) -> bool:
        return self.steps_taken >= self.steps

    def _until(self, end: int) -> Iterator[Any]:
        if self.finished:
            why = "within target_epsilon" if self.steps < self.mechanism.steps else "certified"
            raise LearnerRefused(
                f"steps: all {self.steps} that are {why} are taken; one loop over the trainer makes them all, one over "
                "trainer.epoch() those of an epoch; certify more for more"
            )
        while self.steps_taken < end:
            for batch, drawn in self._draw():
                self._drawn = drawn
                self._engine.discard()
                yield batch
                if self._drawn is not None and not self._drawn.done:
                    raise LearnerRefused("step: was not called for the last batch; call trainer.step(losses) for each")
            if self._drawn is None and self._sum is not None:  # nothing was drawn here: zero and noise
                with suppress(StepRefused):  # of another process, which says so; here nothing could be wrong
                    self._finish()

    def _draw(self) -> Iterator[tuple[Any, Drawn]]:
        if self._drawn is not None:
            raise LearnerRefused("step: the batch that was drawn last has none; call trainer.step(losses) for each")
        self._unchanged.check_data()
        stage = self._stage_now()
        if stage != self._stage:
            self._stage, self._sampler = stage, self._sampler_of(stage)
        places = self._sampler.draw() + self._shard.start
        if self._seed is not None:
            torch.manual_seed(_derived(self._seed, f"layers/{self.processes.rank}/{self.steps_taken}"))
        self._sum = Sum(self._layout, self.device)
        pieces = parts(places, self._micro_batch)
        for i, piece in enumerate(pieces):
            yield read(self.dataset, piece, self._collate, self.device), Drawn(len(piece), i + 1 == len(pieces))

    # --- losses

    def accumulate(self, losses: Losses, records: int | None = None) -> None:
        """The losses of a part of the batch that was handed out; `step()` follows the last part.

        records: how many, where reduction is not "none".

        Raises:
            LearnerRefused: no batch was drawn, or the losses do not fit.
        """
        drawn = self._drawn_now()
        if self._reduction != "none" and records is None:
            raise LearnerRefused(f'records: how many? A "{self._reduction}" of losses does not say; give records=')
        left = drawn.part - drawn.seen
        self._take(losses, drawn, left if records is None else min(records, left), all_of_them=False)

    def step(self, losses: Losses | None = None) -> None:
        """The noisy step, from the losses (B,) of the batch that was handed out, in its order.

        losses: a tensor; with inner momentum a function that computes it, called once for each iterate of the window.
        None after `accumulate`. With micro_batch, the step is made with the last part.

        Raises:
            LearnerRefused: no batch was drawn, or the losses do not fit.
            StepRefused: losses or gradients that are not finite; the step is counted, and nothing else changed.
            RunCheckFailed: the run is not what the mechanism promises.
        """
        drawn = self._drawn_now()
        if losses is not None:
            self._take(losses, drawn, drawn.part - drawn.seen, all_of_them=True)
        if drawn.seen != drawn.part:
            raise LearnerRefused(f"losses: of {drawn.seen} records, but the batch has {drawn.part}; give them all")
        drawn.done = True
        if drawn.last:
            self._finish()

    def _drawn_now(self) -> Drawn:
        if self._drawn is None or self._drawn.done:
            raise LearnerRefused("step: no batch was drawn for it; iterate over the trainer, and step once a batch")
        return self._drawn

    def _take(self, losses: Losses, drawn: Drawn, records: int, *, all_of_them: bool) -> None:
        assert self._sum is not None
        self._unchanged.check_model()
        if self.precision.dtype == "float32":
            check_products()
        gathered = self._gatherer.gather(losses, records, all_of_them=all_of_them)
        norms = gathered.norms
        drawn.seen += len(norms)
        self._sum.count(len(norms))
        if not norms.isfinite().all():
            self._sum.mark()
        elif len(norms):
            bound = self.mechanism.gradient_norm_bound
            check_bound(norms, self.precision, bound)
            self._recorder.saw(norms, gathered.routes)
            scales = weights(self.mechanism.scaling, norms, self.precision, bound)
            with torch.autocast(self.device.type, enabled=False):  # `step` may be called inside of one
                self._sum.add(gathered.weighted(scales))

    # --- the step

    def _finish(self) -> None:
        total, self._sum, self._drawn = self._sum, None, None
        assert total is not None
        self.processes.add(total.vector)
        self._recorder.count(total.records)
        stage, step = self._stage, self.steps_taken
        if not total.finite:
            self._recorder.refuse()
            self.steps_taken += 1
            raise StepRefused(
                f"losses: some loss or gradient of step {step + 1} is not finite; no step was made, and it is counted. "
                "That it was refused is visible, and no noise hides it: models after it are not covered"
            )
        self.steps_taken += 1  # before anything is shown of it
        vector = total.total
        if self.processes.rank == 0:
            std, grid = self.precision.noise_std[stage], self.precision.grid[stage]
            vector = release(vector, self._noise(step), std, grid, self.normaliser)
        self.processes.send(vector)
        self._apply(vector)
        if self._bar is not None and self.processes.rank == 0:
            self._bar.show(self.steps_taken)

    def _apply(self, vector: Tensor) -> None:
        """Post-processing of what was released (d,)."""
        self._unchanged.check_optimizer()
        for parameter in self.model.parameters():
            parameter.grad = None
        gradients = {dtype: vector.to(dtype) for dtype in {p.dtype for p in self._parameters.values()}}
        views = {dtype: dict(self._layout.split(gradient)) for dtype, gradient in gradients.items()}
        for name, parameter in self._parameters.items():
            parameter.grad = views[parameter.dtype][name]
        self._stepping = True
        try:
            self.optimizer.step()
        finally:
            self._stepping = False
        if self._schedule is not None:
            self._schedule.step()
        if self._average is not None:
            self._average.update(self._parameters)
        if self._window is not None:
            self._window.released(self._parameters)

    def _noise(self, step: int) -> Noise:
        if self._secret is not None:
            return self._secret
        assert self._seed is not None
        return seeded(self._seed, f"step {step}")

    def _stage_now(self) -> int:
        end = 0
        for i, stage in enumerate(self.mechanism.stages):
            end += stage.steps
            if self.steps_taken < end:
                return i
        return len(self.mechanism.stages) - 1

    def _sampler_of(self, stage: int, state: dict[str, Any] | None = None) -> Sampler:
        seed = self._seed if self._seed is None else _derived(self._seed, f"draws/{self.processes.rank}")
        return sampler_of(
            self.processes.own(self.mechanism, self._shard), len(self._shard), seed, stage=stage, state=state
        )

    def _refuse_foreign_step(self, *_: Any) -> None:
        if not self._stepping:
            raise RunCheckFailed("optimizer.step: called outside trainer.step, with gradients that have no noise")

    # --- what can be asked

    def autocast(self) -> AbstractContextManager[Any]:
        """Around the forward pass: torch.autocast in the type that the trainer was built with, or nothing."""
        if self._autocast is None:
            return nullcontext()
        return torch.autocast(self.device.type, self._autocast)

    def averaged(self) -> AbstractContextManager[None]:
        """Inside, the model has the average of its released weights (`ema`).

        Raises:
            LearnerRefused: the trainer was built without one.
        """
        if self._average is None:
            raise LearnerRefused("averaged: the trainer keeps no average; build it with ema=0.999, for instance")
        return self._average.held_by(self._parameters)

    def epsilon_spent(self) -> Fraction:
        """A certified upper bound on ε at δ after the steps taken, exact to a few steps more (`Budget.spent`)."""
        return self.budget.spent(self.steps_taken).epsilon

    def epsilon_left(self) -> Fraction:
        """A lower bound on what is left of target_epsilon, or of the whole training's ε."""
        limit = self.budget.exactly(self.mechanism.steps) if self.target is None else self.target
        return max(limit - self.epsilon_spent(), Fraction(0))

    def record(self) -> TrainingRecord:
        """What was run so far."""
        return self._recorder.record(
            mechanism=self.mechanism,
            delta=self.budget.delta,
            target=self.target,
            steps=self.steps,
            steps_taken=self.steps_taken,
            normaliser=self.normaliser,
            precision=self.precision,
            average=None if self._average is None else self._average.values,
            sampler=type(self._sampler).__name__,
        )

    # --- checkpoints

    def save(self, path: str | Path) -> Path:
        """A checkpoint, between two steps; private to whoever holds the data. Nothing is pickled but tensors and
        numbers; the file appears whole or not at all.

        Raises:
            LearnerRefused: a batch was drawn and not stepped; something that is neither tensor nor number in the
                optimizer or its schedule.
        """
        if self._drawn is not None:
            raise LearnerRefused("save: a batch is drawn and not stepped; save after trainer.step")
        if self.processes.size > 1:
            path = Path(f"{path}.{self.processes.rank}")
        return checkpoint.write(path, checkpoint.content_of(self))

    @classmethod
    def load(
        cls,
        path: str | Path,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        dataset: Any,
        mechanism: ScaledSGD,
        **how: Any,
    ) -> PrivateTrainer:
        """The trainer that `save` wrote, to go on exactly where it was; the arguments are those that built it.

        With a seed the rest of the run is the same, bit for bit. Without one draws and noise are new: go on from a
        checkpoint *once*, for every further time releases its steps once more, which is not in the account.

        Raises:
            StateMismatch: not a checkpoint, a damaged one, or one of another mechanism, δ, seed or model.
        """
        content = checkpoint.read(path if Processes.current().size == 1 else f"{path}.{Processes.current().rank}")
        trainer = cls(model, optimizer, dataset, mechanism, **how)
        checkpoint.restore(trainer, content, path)
        return trainer

    def close(self) -> None:
        """Take the hooks off the model and the optimizer; what steps are taken then is nobody's account."""
        self._engine.remove()
        self._step_hook.remove()


def _derived(seed: int, use: str) -> int:
    """A seed of 32 bits for one use."""
    return int.from_bytes(hashlib.sha256(f"plumbline training/{seed}/{use}".encode()).digest()[:4], "big")


def _normaliser(mechanism: ScaledSGD) -> Fraction:
    if mechanism.normaliser is not None:
        return mechanism.normaliser
    if mechanism.samples is None:
        raise LearnerRefused(
            "normaliser: is missing, and the mechanism has no samples to compute the mean batch size from; give the "
            "public number that sums are divided by"
        )
    return max(stage.sample_rate for stage in mechanism.stages) * mechanism.samples


def _micro_batch(size: int | None) -> int | None:
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise LearnerRefused(f"micro_batch: {size!r} must be a whole number from 1 up")
    return size


def _autocast(dtype: torch.dtype | None) -> torch.dtype | None:
    if dtype not in (None, torch.bfloat16):
        raise LearnerRefused(
            f"autocast: {dtype} loses small gradients, or is no narrower type; take torch.bfloat16, or none"
        )
    return dtype
