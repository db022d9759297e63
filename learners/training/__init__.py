"""DP-SGD and its relatives on any module of torch: what `accountant.ScaledSGD` describes, executed."""

from learners.training.checks import StepRefused
from learners.training.familiar import make_private
from learners.training.record import TrainingRecord, training_fingerprint, training_from_json, training_to_json
from learners.training.trainer import PrivateTrainer

__all__ = [
    "PrivateTrainer",
    "StepRefused",
    "TrainingRecord",
    "make_private",
    "training_fingerprint",
    "training_from_json",
    "training_to_json",
]
