"""Run files about DP-SGD and its relatives: keys, the canonical form, and refusals in one line."""

from __future__ import annotations

from fractions import Fraction as F

import pytest

from accountant.core.scaling import AutoS, Clip, Psac, Psasc
from accountant.mechanisms.dpsgd import ScaledSGD, Stage
from certify.errors import UsageError
from certify.runfile.read import read_run
from tests.certify.runs import EXAMPLES, plumbline, refused, to_toml, training

EXAMPLE = EXAMPLES / "dpsgd.toml"


def test_an_example_is_read() -> None:
    run = read_run(EXAMPLE)
    assert isinstance(run.mechanism, ScaledSGD)
    assert run.mechanism.scaling == Clip(1)
    assert run.mechanism.stages == (Stage("0.8", "0.004", 15000),)
    assert (run.mechanism.sampling, run.mechanism.neighbours) == ("poisson", "add-or-remove-one")
    assert (run.target_epsilon, run.target_delta) == (5, F(1, 10**6))


@pytest.mark.parametrize(
    ("kind", "scaling", "expected"),
    [
        ("dp-sgd", {"kind": "clip", "max_grad_norm": 2}, Clip(2)),
        ("auto-s", {"kind": "auto-s", "max_grad_norm": 2, "r": "0.1"}, AutoS(2, "0.1")),
        ("dp-psac", {"kind": "psac", "max_grad_norm": 2, "r": "0.1"}, Psac(2, "0.1")),
        ("dp-psasc", {"kind": "psasc", "max_grad_norm": 2, "r": "0.1", "s": 3}, Psasc(2, "0.1", 3)),
    ],
)
def test_every_kind_has_its_map(kind, scaling, expected) -> None:
    run = training({"kind": kind}) | {"scaling": scaling}
    assert read_run(run).mechanism.scaling == expected


@pytest.mark.parametrize(
    ("keys", "rate", "steps"),
    [
        ({"sample_rate": "1/3", "steps": None, "epochs": 2}, F(1, 3), 6),
        ({"sample_rate": "0.3", "steps": None, "epochs": 2}, F(3, 10), 8),  # ⌈1/q⌉ = 4 steps an epoch
        ({"sample_rate": None, "batch_size": 3, "samples": 10, "steps": None, "epochs": 2}, F(3, 10), 8),
        ({"sample_rate": "0.3", "steps": None, "epochs": 2, "sampling": "shuffled"}, F(3, 10), 6),  # one is dropped
        ({"sample_rate": None, "sampling": "full"}, F(1), 100),
        ({"sample_rate": None, "steps": None, "epochs": 7, "sampling": "full"}, F(1), 7),
    ],
)
def test_rates_and_steps(keys, rate, steps) -> None:
    (stage,) = read_run(training(keys)).mechanism.stages
    assert (stage.sample_rate, stage.steps) == (rate, steps)


def test_a_stage_takes_what_it_leaves_out_from_the_mechanism() -> None:
    stages = [{"noise_multiplier": 2}, {"sample_rate": "0.5"}, {"epochs": 3}]
    found = read_run(training(stages=stages)).mechanism.stages
    assert found == (Stage(1, "0.01", 100), Stage(2, "0.01", 100), Stage(1, "0.5", 100), Stage(1, "0.01", 300))


def test_the_digest_names_the_meaning_and_not_the_spelling() -> None:
    plain = read_run(training())
    spelt = training({"noise_multiplier": "1.000", "sample_rate": "1/100", "sampling": "poisson"})
    spelt |= {"threat": {"neighbours": "add-or-remove-one"}, "momentum": {"outer": "0.0"}, "stages": []}
    assert read_run(spelt).digest == plain.digest
    for other in (
        training({"steps": 101}),
        training({"sampling": "fixed"}),
        training(momentum={"outer": "0.9"}),
        training(releases=[{"mu": 1}]),
        training(target={"epsilon": 3, "delta": "1e-5"}),
    ):
        assert read_run(other).digest != plain.digest


def test_the_canonical_form_reads_back_to_itself() -> None:
    run = read_run(training(stages=[{"noise_multiplier": "1/3"}], releases=[{"mu": "0.1", "text": "a histogram"}]))
    assert read_run({k: v for k, v in run.canonical.items() if v is not None}).canonical == run.canonical
    assert run.canonical["stages"] == [
        {"noise_multiplier": "1/3", "sample_rate": None, "batch_size": None, "steps": None, "epochs": None}
    ]
    assert run.canonical["threat"] == {"neighbours": "add-or-remove-one"}  # a default that the sampling chose


def test_the_digest_of_the_example_is_stable() -> None:
    """It names runs in certificates: a change of this number breaks those that were given out."""
    assert read_run(EXAMPLE).digest == "62d951d0bb27d5ec5afb7e933198016b7a23f6d71f73ac2cf6bd13c420cd41c8"


SHUFFLED = {"sampling": "shuffled", "sample_rate": "0.25"}
REFUSED = {
    "shuffled, a record more or less": (
        training(SHUFFLED, threat={"neighbours": "add-or-remove-one"}), "threat.neighbours", "moves all the others"),
    "a group without replacement": (
        training({"sampling": "without-replacement", "samples": 1000, "batch_size": 100, "sample_rate": None},
                 threat={"group_size": 2}), "threat.group_size", "no bound for sampling"),
    "together alone": (training(threat={"group_sampling": "together"}), "threat.group_sampling", "group_size"),
    "normaliser of the data": (training({"normaliser": "samples"}), "mechanism.normaliser", "public number"),
    "normaliser of zero": (training({"normaliser": 0}), "mechanism.normaliser", "positive"),
    "map of another kind": (training({"kind": "auto-s"}), "scaling.kind", '"auto-s"'),
    "rate twice": (training({"batch_size": 5, "samples": 50}), "mechanism.batch_size", "one of them"),
    "length twice": (training({"epochs": 5}), "mechanism.epochs", "one of them"),
    "no rate": (training({"sample_rate": None}), "mechanism.sample_rate", "missing"),
    "no length": (training({"steps": None}), "mechanism.steps", "missing"),
    "no samples": (training({"sample_rate": None, "batch_size": 5}), "mechanism.samples", "missing"),
    "batch of more than all": (
        training({"sample_rate": None, "batch_size": 5, "samples": 4}), "mechanism.batch_size", "between 1 and"),
    "a stage of no steps": (training(stages=[{"steps": 0}]), "stages[1].steps", "from 1"),
    "a stage of no noise": (training(stages=[{}, {"noise_multiplier": 0}]), "stages[2].noise_multiplier", "positive"),
    "a stage that ends within an epoch": (training(SHUFFLED, stages=[{"steps": 3}, {}]), "steps", "epoch"),
    "a stage of uneven epochs": (training(SHUFFLED | {"sample_rate": "0.3"}, stages=[{}]), "steps", "epoch"),
    "a misspelt key": (training({"noise_multiplyer": 1}), "noise_multiplyer", "did you mean noise_multiplier"),
    "a misspelt key of a stage": (training(stages=[{"step": 1}]), "stages[1].step", "did you mean steps"),
    "1/n of what": (training(target={"epsilon": 1, "delta": "1/n"}), "target.delta", "samples"),
    "δ of 1": (training(target={"epsilon": 1, "delta": 1}), "target.delta", "strictly"),
    "negative μ": (training(releases=[{"mu": -1}]), "releases.mu", "at least 0"),
    "β of 1": (training(momentum={"outer": 1}), "momentum.outer", "below 1"),
    "a window without β": (training(momentum={"inner_window": 2}), "momentum.inner_beta", "missing"),
    "a cut without samples": (training({"max_batch_size": 9}), "mechanism.samples", "max_batch_size"),
    "r for clipping": (training(scaling={"kind": "clip", "max_grad_norm": 1, "r": 1}), "scaling.r", "unknown key"),
    "no C": (training(scaling={"kind": "clip"}), "scaling.max_grad_norm", "missing"),
    "C of zero": (training(scaling={"kind": "clip", "max_grad_norm": 0}), "scaling.max_grad_norm", ""),
    "G of zero": (
        training(scaling={"kind": "clip", "max_grad_norm": 1, "gradient_norm_bound": 0}),
        "scaling.gradient_norm_bound", "positive"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_one_line_with_the_key(name) -> None:
    tables, key, says = REFUSED[name]
    with pytest.raises(UsageError) as problem:
        read_run(tables)
    assert key in str(problem.value) and says in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_float_is_its_shortest_decimal() -> None:
    assert (
        read_run(training({"noise_multiplier": 1.1})).digest == read_run(training({"noise_multiplier": "1.1"})).digest
    )


def test_a_file_is_refused_with_exit_2(tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(training({"sampling": "shuffled"}, threat={"neighbours": "add-or-remove-one"})))
    assert "threat.neighbours" in refused(plumbline("certify", path))
