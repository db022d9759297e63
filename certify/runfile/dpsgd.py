"""From the tables of a DP-SGD run file to its mechanism."""

from __future__ import annotations

from fractions import Fraction

from accountant.core.exact import InvalidValue, canonical
from accountant.core.scaling import InvalidScaling
from accountant.mechanisms.dpsgd import Momentum, ScaledSGD, Stage
from accountant.mechanisms.invalid import InvalidMechanism
from accountant.mechanisms.sampling import sampling_of
from certify.errors import UsageError
from certify.runfile.dpsgd_tables import KINDS, StageTable, TrainingMechanismTable, TrainingTable
from certify.runfile.pnsgd_tables import MAPS


def make_training(table: TrainingTable) -> ScaledSGD:
    """The mechanism of a run file.

    Raises:
        UsageError: keys that contradict each other, one missing, or a value out of range; one line.
    """
    m = table.mechanism
    if KINDS[m.kind] != table.scaling.kind:
        raise UsageError(
            f'scaling.kind: "{table.scaling.kind}" is not the map of mechanism.kind = "{m.kind}"; '
            f'write "{KINDS[m.kind]}", or change mechanism.kind'
        )
    try:
        scaling = MAPS[table.scaling.kind][1](**table.scaling.model_dump(exclude={"kind", "gradient_norm_bound"}))
        stages = [_stage(m, m, "mechanism")]
        stages += [_stage(entry, m, f"stages[{i + 1}]") for i, entry in enumerate(table.stages)]
        return ScaledSGD(
            scaling=scaling,
            stages=tuple(stages),
            sampling=m.sampling,
            neighbours=table.threat.neighbours or sampling_of(m.sampling).neighbours[0],
            samples=m.samples,
            max_batch_size=m.max_batch_size,
            normaliser=m.normaliser,
            gradient_norm_bound=table.scaling.gradient_norm_bound,
            momentum=Momentum(**table.momentum.model_dump()),
            others=tuple(release.mu for release in table.releases),
            group_size=table.threat.group_size,
            group_sampling=table.threat.group_sampling,
        )
    except (InvalidMechanism, InvalidScaling) as problem:
        raise UsageError(key_of(problem)) from None


def key_of(problem: InvalidValue) -> str:
    """The message with the key as the run file has it."""
    table_of = dict.fromkeys(("neighbours", "group_size", "group_sampling"), "threat.")
    table_of |= {"gradient_norm_bound": "scaling.", "releases.mu": ""}
    table_of |= dict.fromkeys(("max_grad_norm", "r", "s"), "scaling.")
    table_of |= dict.fromkeys(("momentum.outer", "momentum.inner_beta", "momentum.inner_window"), "")
    return f"{table_of.get(problem.key, 'mechanism.')}{problem}"


def _stage(entry: TrainingMechanismTable | StageTable, base: TrainingMechanismTable, where: str) -> Stage:
    """One stage; what it leaves out is taken from [mechanism]."""
    rate = _rate(entry, base, where)
    steps = _steps(entry, base, rate, where)
    noise = entry.noise_multiplier if entry.noise_multiplier is not None else base.noise_multiplier
    try:
        return Stage(noise, rate, steps)
    except InvalidMechanism as problem:
        raise UsageError(f"{where}.{problem}") from None


def _rate(entry: TrainingMechanismTable | StageTable, base: TrainingMechanismTable, where: str) -> Fraction:
    given = entry if entry.sample_rate is not None or entry.batch_size is not None else base
    if given.sample_rate is not None and given.batch_size is not None:
        raise UsageError(f"{where}.batch_size: and sample_rate as well; give one of them")
    if not sampling_of(base.sampling).needs_rate:
        return given.sample_rate if given.sample_rate is not None else _part(given.batch_size, base.samples, where)
    if given.sample_rate is not None:
        return given.sample_rate
    if given.batch_size is None:
        raise UsageError(f"{where}.sample_rate: is missing; or give batch_size and samples")
    return _part(given.batch_size, base.samples, where)


def _part(batch_size: int | None, samples: int | None, where: str) -> Fraction:
    """b/n; everything, where there is no batch size."""
    if batch_size is None:
        return Fraction(1)
    if samples is None:
        raise UsageError("mechanism.samples: is missing; batch_size needs it, or give sample_rate")
    if samples < 1 or not 1 <= batch_size <= samples:
        raise UsageError(f"{where}.batch_size: {batch_size} must lie between 1 and samples = {samples}")
    return Fraction(batch_size, samples)


def _steps(entry: TrainingMechanismTable | StageTable, base: TrainingMechanismTable, rate: Fraction, where: str) -> int:
    given = entry if entry.steps is not None or entry.epochs is not None else base
    if given.steps is not None and given.epochs is not None:
        raise UsageError(f"{where}.epochs: and steps as well; give one of them")
    if given.steps is not None:
        return given.steps
    if given.epochs is None:
        raise UsageError(f"{where}.steps: is missing; or give epochs")
    if not rate:
        raise UsageError(f"{where}.epochs: has no meaning with sample_rate = {canonical(rate)}; give steps")
    return given.epochs * sampling_of(base.sampling).steps_of_epoch(rate)
