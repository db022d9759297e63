"""Frozen descriptions of mechanisms, complete enough for a stranger to account for, and for a learner to execute."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from accountant.core.exact import Rounding, canonical, decimal, exact, round_decimal, settle
from accountant.core.quantities import LossBounds
from accountant.losses import Loss, ScaledLoss
from accountant.mechanisms.invalid import InvalidMechanism
from accountant.mechanisms.neighbours import FIXED_SIZE, FixedSizeNeighbours, shift_of

Reference = Literal["retrain", "retrain-T", "stationary"]
Release = Literal["final", "all"]
Chosen = Literal["independently", "adaptively"]
BatchOrder = Literal["fixed", "secret"]
Remainder = Literal["error", "drop"]

MAX_DIFFERING = 10_000  # batches with differing records; each is a moment that the search looks at


def _one_of(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidMechanism(key, f"got {value!r}; write one of {', '.join(choices)}")


@dataclass(frozen=True)
class NoisySGD:
    """Projected noisy SGD on cyclic, fixed batches (PNSGD): learning, then one unlearning phase for each request.

    Each step is x ← Π(x − η(mean of the batch's data gradients + regulariser's gradient) + N(0, 2ησ² I)); the batch's
    sum of data gradients is divided by `batch_size`, whoever is erased. Π projects on the ball of `radius`, if there
    is one. chosen: whether which records are asked for, and when, may depend on the released models ("adaptively").

    Numbers may be int, Fraction, Decimal or strings; they are stored exactly. Source: Chien, Wang, Chen, Li (NeurIPS
    2024, arXiv 2403.17105), Algorithm 1.

    Raises:
        InvalidMechanism: a value out of its range.
        TypeError: a float where an exact number is needed.
    """

    samples: int
    batch_size: int
    epochs: int
    noise_std: Fraction
    loss: Loss
    unlearning_epochs: tuple[int, ...] = (0,)
    step_size: Fraction = "1/L"  # type: ignore[assignment]  # or "2/(L+m)": the number that it says, once built
    radius: Fraction | None = None
    initial_distance: Fraction = field(default=Fraction(0))
    batch_order: BatchOrder = "fixed"
    remainder: Remainder = "error"
    requests: tuple[int, ...] = (1,)
    neighbours: FixedSizeNeighbours = "replace-one"
    reference: Reference = "retrain"
    release: Release = "final"
    chosen: Chosen = "independently"

    def __post_init__(self) -> None:
        for key in ("samples", "batch_size", "epochs"):
            self._whole(key, getattr(self, key), 0 if key == "epochs" else 1)
        if self.batch_size > self.samples:
            raise InvalidMechanism("batch_size", f"{self.batch_size} > samples = {self.samples}; take at most samples")
        if self.remainder == "error" and self.samples % self.batch_size:
            raise InvalidMechanism(
                "batch_size",
                f'{self.batch_size} does not divide samples = {self.samples}; choose a divisor, or remainder = "drop"',
            )
        settle(self, noise_std=exact(self.noise_std, "noise_std"))
        if self.noise_std <= 0:
            raise InvalidMechanism("noise_std", f"{canonical(self.noise_std)} gives no privacy; it must be positive")
        settle(self, initial_distance=exact(self.initial_distance, "initial_distance"))
        if self.initial_distance < 0:
            raise InvalidMechanism("initial_distance", f"{canonical(self.initial_distance)} is negative")
        if self.radius is not None:
            settle(self, radius=exact(self.radius, "radius"))
            if self.radius <= 0:
                raise InvalidMechanism(
                    "radius", f"{canonical(self.radius)} must be positive; leave it out for no projection"
                )
            if self.initial_distance > 2 * self.radius:
                raise InvalidMechanism(
                    "initial_distance",
                    f"{canonical(self.initial_distance)} is beyond the ball's diameter {canonical(2 * self.radius)}",
                )
        if not isinstance(self.loss, Loss):
            raise TypeError(f"loss: {type(self.loss).__name__} is not a loss of accountant.losses")
        domain = getattr(self.loss, "radius", None)  # where the loss's constants hold
        if domain not in (None, self.radius):
            raise InvalidMechanism("radius", f"the loss's is {canonical(domain)}; give both the same")
        settle(self, step_size=self._resolve_step_size())
        _one_of("batch_order", self.batch_order, ("fixed", "secret"))
        _one_of("remainder", self.remainder, ("error", "drop"))
        _one_of("neighbours", self.neighbours, FIXED_SIZE)
        _one_of("reference", self.reference, ("retrain", "retrain-T", "stationary"))
        _one_of("release", self.release, ("final", "all"))
        _one_of("requests.chosen", self.chosen, ("independently", "adaptively"))
        self._check_requests()

    @staticmethod
    def _whole(key: str, value: object, least: int, of: str = "") -> None:
        """`of`: which one it is, where the key has several."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidMechanism(key, f"{value!r}{of} must be a whole number")
        if value < least:
            raise InvalidMechanism(key, f"{value}{of} must be at least {least}")
        if value > 10**15:
            raise InvalidMechanism(key, f"{value}{of} is beyond 10^15")

    def _resolve_step_size(self) -> Fraction:
        constants = self.loss.constants()
        if self.step_size in ("1/L", "2/(L+m)"):
            if constants.smoothness is None:
                raise InvalidMechanism(
                    "step_size", f'"{self.step_size}": nothing is known of the L of this loss; write a number'
                )
            denominator = constants.smoothness
            if self.step_size == "2/(L+m)":
                denominator = (constants.smoothness + constants.strong_convexity) / 2
            if denominator == 0:
                raise InvalidMechanism("step_size", f"{self.step_size} needs smoothness > 0; write a number")
            return 1 / denominator
        step = exact(self.step_size, "step_size")
        if step <= 0:
            raise InvalidMechanism("step_size", f"{canonical(step)} must be positive")
        if not constants.convex:
            self._check_nonconvex_step(step, constants)
        elif self.radius is None and constants.smoothness is not None and step * constants.smoothness > 2:
            scaled, most = isinstance(self.loss, ScaledLoss), 2 / Fraction(constants.smoothness)
            # The L of a scaled loss has a square root in it, as a decimal of 18 digits: 2/L is long, and shown short.
            shown = decimal(round_decimal(most, 12, Rounding.DOWN), 12) if scaled else canonical(most)
            raise InvalidMechanism(
                "step_size",
                f"{canonical(step)} > 2/L = {shown}{' with the L of the scaled loss' * scaled}: the step is not a "
                "contraction; take a smaller step or give a radius",
            )
        return step

    def _check_nonconvex_step(self, step: Fraction, constants: LossBounds) -> None:
        """Without C1 a step needs ηm ≤ 1 (T23), or smoothness and a ball (T22)."""
        m, smooth = constants.strong_convexity, constants.smoothness is not None
        if step * m > 1 and not (smooth and self.radius is not None):
            other = ", or give a radius" if smooth else ""
            raise InvalidMechanism(
                "step_size",
                f"{canonical(step)} > 1/m = {canonical(1 / m)}, and the loss is not convex: "
                f"no theorem bounds the step; take a smaller one{other}",
            )

    def _check_requests(self) -> None:
        epochs = (self.unlearning_epochs,) if isinstance(self.unlearning_epochs, int) else tuple(self.unlearning_epochs)
        sizes = tuple(self.requests)
        if not sizes:
            raise InvalidMechanism("requests.sizes", "is empty; leave the table out for one request of one record")
        if len(epochs) == 1 and len(sizes) > 1:
            epochs = epochs * len(sizes)
        if len(sizes) == 1 and len(epochs) > 1:
            sizes = sizes * len(epochs)
        if len(sizes) != len(epochs):
            raise InvalidMechanism(
                "unlearning_epochs",
                f"{len(epochs)} entries for {len(sizes)} requests; give one each, or one number for all",
            )
        for i, (k, size) in enumerate(zip(epochs, sizes, strict=True), 1):
            of = f" of request {i}" if len(sizes) > 1 else ""
            self._whole("unlearning_epochs", k, 0, of)
            self._whole("requests.sizes", size, 1, of)
        if self.epochs == 0 and epochs[0] == 0:
            raise InvalidMechanism("epochs", "0, and no unlearning epochs either: nothing is run before a release")
        if sum(sizes) > self.samples:
            raise InvalidMechanism("requests.sizes", f"{sum(sizes)} records in all, but samples = {self.samples}")
        if sum(sizes) > self.batches * self.batch_size:
            raise InvalidMechanism("requests.sizes", f"{sum(sizes)} records in all, more than the batches hold")
        if sum(sizes) > MAX_DIFFERING * self.batch_size:
            raise InvalidMechanism(
                "requests.sizes",
                f"{sum(sizes)} records in all fill more than {MAX_DIFFERING} batches, which is not computed; "
                "take larger batches, or fewer records",
            )
        settle(self, unlearning_epochs=epochs, requests=sizes)
        self._check_threat()

    def _check_threat(self) -> None:
        if self.chosen == "adaptively" and self.release != "all":
            raise InvalidMechanism(
                "requests.chosen",
                '"adaptively" chooses from models that were released, and release = "final" releases none before the '
                'last request; write release = "all"',
            )
        if self.release == "all" and not self.epochs and self.initial_distance:
            raise InvalidMechanism(
                "release", '"all" with epochs = 0 shows the starts themselves; they must not be initial_distance apart'
            )
        if self.reference != "retrain" and any(self.unlearning_epochs):
            if self.radius is None:
                raise InvalidMechanism(
                    "reference",
                    f'"{self.reference}" needs a radius: without a ball nothing bounds the distance of unrelated runs',
                )
            if self.release == "all":
                raise InvalidMechanism("release", f'"all" goes with reference = "retrain", not "{self.reference}"')
            if self.reference == "retrain-T" and not self.epochs:
                raise InvalidMechanism("reference", '"retrain-T" needs epochs of learning to compare with')

    @property
    def batches(self) -> int:
        """l, the number of batches of an epoch (a remainder is dropped)."""
        return self.samples // self.batch_size

    @property
    def shift(self) -> int:
        """How far one record moves a batch's sum of gradients, in units of the gradient bound."""
        return shift_of(self.neighbours)

    @property
    def whole_batch(self) -> bool:
        """Whether a batch's gradient is clipped as a whole, and not each record's."""
        return getattr(self.loss, "clipping", "per-record") == "batch"

    @property
    def diameter(self) -> Fraction | None:
        """2R, or None without projection."""
        return None if self.radius is None else 2 * self.radius
