"""`finite_precision` of a training run (T28s): what is written follows, for every way of drawing batches."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import pytest

from accountant import Aggregation, ExecutedTraining, Normals, executed_training, training_execution
from certify import checker
from certify.results.certify import certify
from certify.results.result import Result
from certify.trust.certificate import certificate_bytes, make_statement

NORMALS = Normals(F(1, 2**44), F(1, 2**74), F("13.4"))
DIGESTS = {"model": "a" * 64, "run_record": "b" * 64}
POISSON = 'sampling = "poisson"\nsamples = 2000\nbatch_size = 20\nsteps = 30\nnoise_multiplier = "1.1"'
RUNS = {
    "poisson": (POISSON, ""),
    "replaced": (POISSON, '[threat]\nneighbours = "replace-one"'),
    "group": (POISSON, '[threat]\nneighbours = "add-or-remove-one"\ngroup_size = 2'),
    "cut": (POISSON + "\nmax_batch_size = 70", ""),
    "stages": (POISSON, '[[stages]]\nnoise_multiplier = "3"\nsteps = 5'),
    "others": (POISSON, '[[releases]]\nmu = "0.1"'),
    "full": ('sampling = "full"\nsamples = 100\nsteps = 9\nnoise_multiplier = 9', ""),
    "shuffled": ('sampling = "shuffled"\nsamples = 90\nbatch_size = 30\nepochs = 5\nnoise_multiplier = 6', ""),
    "without replacement": (
        'sampling = "without-replacement"\nsamples = 1000\nbatch_size = 10\nsteps = 9\nnoise_multiplier = 3',
        "",
    ),
}


def result(folder: Path, name: str = "full", scaling: str = 'kind = "clip"\nmax_grad_norm = "1.5"') -> Result:
    mechanism, more = RUNS[name]
    run = folder / "run.toml"
    run.write_text(
        f'[mechanism]\nkind = "dp-sgd"\n{mechanism}\n[scaling]\n{scaling}\n'
        f'[target]\nepsilon = "5"\ndelta = "0.00001"\n{more}\n'
    )
    return certify(run)


def execution(of: Result, **changes: Any) -> dict[str, Any]:
    phase = {
        "kind": "learn", "epochs": "5", "steps": str(of.run.mechanism.steps), "erased": "0", "device": "cpu",
        "device_name": "any", "versions": {"torch": "2.13"},
        "started": "2026-11-20T10:00:00Z", "finished": "2026-11-20T10:30:00Z",
    }  # fmt: skip
    known = {"dataset": "digits", "order": "given", "noise": "secret", "phases": [phase], "erasures": [], "audits": []}
    return known | changes


def executed(of: Result, **changes: Any) -> ExecutedTraining:
    how = Aggregation(**({"dimension": 650, "norm_length": 650, "sum_length": 16} | changes))
    delta = of.run.target_delta
    return executed_training(of.run.mechanism, training_execution(of.run.mechanism, how, NORMALS, delta), delta)


def about(of: Result, **changes: Any) -> dict[str, Any]:
    return {"execution": execution(of), "subjects": DIGESTS, "executed": executed(of, **changes)}


QUICK = ("full", "shuffled", "without replacement")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in RUNS]
)
def test_what_is_written_follows(tmp_path: Path, name: str) -> None:
    of = result(tmp_path, name)
    told = about(of, sum_dtype="float32")
    statement = make_statement(of, **told)
    stated = statement["predicate"]["execution"]["finite_precision"]
    assert F(stated["enlargement"]) > F(1, 10**6)
    assert F(stated["executed"]["epsilon"]) > F(statement["predicate"]["epsilon"]["upper"])
    report = checker.verify(certificate_bytes(of, **told))
    assert report.verdict == "CERTIFIED"
    assert any("the run as executed, its rounding counted, has epsilon <=" in note for note in report.notes)


def test_a_bound_needs_what_it_is_about(tmp_path: Path) -> None:
    of = result(tmp_path)
    bound = executed(of)
    for changes in ({"execution": None}, {"execution": execution(of, noise="reproducible")}):
        with pytest.raises(ValueError, match="executed"):
            make_statement(of, **({"subjects": DIGESTS, "executed": bound} | changes))


def test_long_composed_charges_are_followed(tmp_path: Path) -> None:
    """A billion parameters: γ by advanced composition."""
    of = result(tmp_path)
    told = about(of, dimension=10**9, norm_length=10**9)
    stated = make_statement(of, **told)["predicate"]["execution"]["finite_precision"]["executed"]
    assert F(stated["spare"]) > 0
    assert checker.verify(certificate_bytes(of, **told)).verdict == "CERTIFIED"
    json.dumps(stated)
