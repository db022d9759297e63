"""The scale of the tests: as little of everything as an experiment can do with."""

from dataclasses import replace

from certify.experiments.scales import SCALES

TINY = replace(
    SCALES["small"],
    name="tiny",
    seeds=2,
    epsilons=("1",),
    map_epsilons=("1",),
    requests=4,
    measured_every=2,
    batches=(1, 2),
    unlearning_epochs=(1,),
    training_epochs=1,
    training_maps=tuple({scaling["kind"]: scaling for scaling in reversed(SCALES["small"].training_maps)}.values()),
    training_steps=("2",),
    plain_steps=("1",),
    tuning_seeds=2,
)
