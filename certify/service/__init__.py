"""Certify, then run, then record: the one place that drives the learners. Loaded only when asked for; needs torch.

    learn(run_file, output, data=…) -> Learned            a state, to which requests can be made
    unlearn(state, ids) -> Unlearned                      one request more, certified over the whole history
    unlearn_many({state: ids}) -> Answers                 the same for many states, spread over cores or an engine
    status(state); predict(state, data, output); export(state, output); retrain(state)
    train(run_file, output, model=…) -> Trained           DP-SGD or a relative on a torch module
    private(model, optimizer, dataset, …) -> trainer; certify_training(trainer, output) -> CertifiedTraining
    record(engine or history, delta=…) -> Recorded        an Opacus training, certified from its accountant's history
    execute(run, dataset, requests, output) -> Execution  a run with all its requests at once, in memory

commit.py says how a state's files and the ledger's rows appear together. Names are loaded when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazy_names import lazy_names

if TYPE_CHECKING:
    from certify.service.learning import Learned, learn
    from certify.service.many import Answer, unlearn_many
    from certify.service.own_loop import CertifiedTraining, certify_training, private
    from certify.service.predicting import Predicted, predict
    from certify.service.recording import Recorded, record
    from certify.service.releasing import Released, export
    from certify.service.reporting import Status, status
    from certify.service.retraining import Retrained, retrain
    from certify.service.training import Trained, train
    from certify.service.unlearning import Unlearned, unlearn
    from certify.service.whole_run import Execution, NotCertified, execute

__all__ = [
    "Answer",
    "CertifiedTraining",
    "Execution",
    "Learned",
    "NotCertified",
    "Predicted",
    "Recorded",
    "Released",
    "Retrained",
    "Status",
    "Trained",
    "Unlearned",
    "certify_training",
    "execute",
    "export",
    "learn",
    "predict",
    "private",
    "record",
    "retrain",
    "status",
    "train",
    "unlearn",
    "unlearn_many",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "certify.service.learning": ("Learned", "learn"),
        "certify.service.many": ("Answer", "unlearn_many"),
        "certify.service.predicting": ("Predicted", "predict"),
        "certify.service.own_loop": ("CertifiedTraining", "certify_training", "private"),
        "certify.service.recording": ("Recorded", "record"),
        "certify.service.releasing": ("Released", "export"),
        "certify.service.reporting": ("Status", "status"),
        "certify.service.retraining": ("Retrained", "retrain"),
        "certify.service.training": ("Trained", "train"),
        "certify.service.unlearning": ("Unlearned", "unlearn"),
        "certify.service.whole_run": ("Execution", "NotCertified", "execute"),
    },
)
