"""What is run: learners that execute a certified mechanism and write down what they did. Needs torch, never certify."""

from learners.checks import vouch
from learners.data import Dataset, FeatureNormExceeded, InvalidDataset, embedded, normalise
from learners.evaluate import Prediction, accuracy, distance, mean_loss, objective, predict
from learners.models import Network
from learners.pnsgd import learn, retrain, unlearn
from learners.record import Phase, RunRecord, canonical_json, mechanism_fingerprint
from learners.refused import LearnerRefused
from learners.state import State, StateMismatch, load, save
from learners.stepping import Progress, RunCheckFailed
from learners.training import PrivateTrainer, StepRefused, TrainingRecord, make_private
from learners.witness import Moments, moments, simulate

__all__ = [
    "Dataset",
    "FeatureNormExceeded",
    "InvalidDataset",
    "LearnerRefused",
    "Moments",
    "Network",
    "Phase",
    "Prediction",
    "PrivateTrainer",
    "Progress",
    "RunCheckFailed",
    "RunRecord",
    "State",
    "StateMismatch",
    "StepRefused",
    "TrainingRecord",
    "accuracy",
    "canonical_json",
    "distance",
    "embedded",
    "learn",
    "load",
    "make_private",
    "mean_loss",
    "mechanism_fingerprint",
    "moments",
    "normalise",
    "objective",
    "predict",
    "retrain",
    "save",
    "simulate",
    "unlearn",
    "vouch",
]
