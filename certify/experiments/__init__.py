"""Reproducible experiments on what a certified noise costs. Loaded only when asked for; needs torch.

    experiment("accuracy", scale="small").text()

Every run is seeded, so that whoever repeats it gets the same numbers; a model whose noise can be repeated is not
private.
"""

from certify.experiments.outcome import Outcome, Table
from certify.experiments.run import EXPERIMENTS, experiment
from certify.experiments.scales import SCALES, Scale

__all__ = ["EXPERIMENTS", "SCALES", "Outcome", "Scale", "Table", "experiment"]
