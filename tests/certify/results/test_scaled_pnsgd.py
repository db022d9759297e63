"""Run files with [scaling] for PNSGD: every command, the canonical form, the certificate's steps, the refusals."""

from __future__ import annotations

import json
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from accountant import enclose, evaluate
from accountant.core.arithmetic import Exact
from accountant.core.exact import canonical
from accountant.core.scaling import AutoS, Clip, Psac, Psasc
from accountant.losses import SCALED_MODELS, ScaledLoss
from accountant.pnsgd.scaled import derive_scaled
from certify import calibrate, certify, compare, plan, read_run
from certify.trust.certificate import make_statement
from tests.certify.runs import EXAMPLES, Outcome, constants, plumbline, refused, tables, to_toml

LOSSES: dict[str, dict[str, Any]] = {
    "logistic": {},
    "least-squares": {"target_bound": 2},
    "huber": {"threshold": "0.5"},
    "smoothed-hinge": {"smoothing": "0.5"},
    "poisson": {"target_bound": 3},
}
SCALINGS: dict[str, tuple[dict[str, Any], Any]] = {
    "clip": ({"kind": "clip", "max_grad_norm": "0.4"}, Clip("0.4")),
    "auto-s": ({"kind": "auto-s", "max_grad_norm": "0.5", "r": "0.2"}, AutoS("0.5", "0.2")),
    "psac": ({"kind": "psac", "max_grad_norm": 1, "r": "0.1"}, Psac(1, "0.1")),
    "psasc": ({"kind": "psasc", "max_grad_norm": 1, "r": "0.1", "s": "0.5"}, Psasc(1, "0.1", "0.5")),
}
EVERY = [(model, name) for model in LOSSES for name in SCALINGS]
MODEL_THEOREMS = dict(zip(LOSSES, ("L1u", "L2u", "L3u", "L4u", "L5u"), strict=True))


def scaled_tables(
    model: str = "huber", name: str = "psasc", loss: dict[str, Any] | None = None, **changes: Any
) -> dict:
    own = {"kind": model, "regularization": "0.1"} | LOSSES.get(model, {}) | (loss or {})
    changes["mechanism"] = {"step_size": "1/L"} | changes.get("mechanism", {})
    changes.setdefault("scaling", SCALINGS[name][0])
    return tables(own, **changes)


def write(path: Path, made: dict) -> str:
    path.write_text(to_toml(made), encoding="utf-8")
    return str(path)


def test_every_model_and_map_is_tested() -> None:
    assert tuple(LOSSES) == SCALED_MODELS and set(SCALINGS) == {"clip", "auto-s", "psac", "psasc"}


@pytest.mark.parametrize(("model", "name"), EVERY)
def test_a_scaled_run_is_certified_from_the_scaled_constants(model: str, name: str) -> None:
    result = certify(scaled_tables(model, name))
    loss = result.run.mechanism.loss
    assert loss == ScaledLoss(model, "0.1", SCALINGS[name][1], **LOSSES[model])
    assert result.run.mechanism.step_size == 1 / loss.constants().smoothness
    assert {"T16", MODEL_THEOREMS[model], "C1", "C2"} <= set(result.theorems)
    assert not {"L1", "L2", "L3", "L4", "L5"} & set(result.theorems)
    assert Fraction(result.epsilon["lower"]) <= Fraction(result.epsilon["upper"])
    status = {a["id"]: a["status"] for a in result.assumptions}
    assert status["convexity"] == status["smoothness"] == status["gradient_bound"] == "proved"
    assert set(loss.theorem.assumes) <= set(status)


@pytest.mark.parametrize(("model", "name"), EVERY)
def test_the_certificate_says_what_each_step_concludes(model: str, name: str) -> None:
    result = certify(scaled_tables(model, name))
    steps = make_statement(result)["predicate"]["proof"]["steps"]
    (scaled,) = (step for step in steps if step["theorem"] == "T16")
    model_step = steps[int(scaled["premises"][0])]
    loss = result.run.mechanism.loss
    made, before = derive_scaled(loss), derive_scaled(loss).premises[0].preview

    def written(quantity: Any, *keys: str) -> dict[str, Any]:
        values = {key: getattr(quantity, key) for key in keys}
        return {k: v if v is None or isinstance(v, bool) else canonical(v) for k, v in values.items()}

    parts = ("smoothness", "strong_convexity", "gradient_bound", "convex")
    assert scaled["concludes"] == written(evaluate(made, Exact()), *parts)
    assert scaled["args"] == {k: v if k == "kind" or v is None else canonical(v) for k, v in made.arguments}
    assert model_step["theorem"] == MODEL_THEOREMS[model]
    own = ("regularization", "curvature", "gradient_bound", "growth", "floor")
    assert model_step["concludes"] == written(before, *own)
    told = {k: None if v is None else canonical(v) for k, v in loss.arguments().items()}
    assert model_step["args"] == told


@pytest.mark.parametrize("name", SCALINGS)
def test_the_canonical_form_has_the_map_and_reads_back(name: str) -> None:
    made = read_run(scaled_tables(name=name))
    given = {k: v if k == "kind" else canonical(Fraction(v)) for k, v in SCALINGS[name][0].items()}
    assert made.canonical["scaling"] == given
    assert read_run(made.canonical) == made
    assert read_run(scaled_tables(scaling={"kind": "clip", "max_grad_norm": 7})).digest != made.digest
    unscaled = scaled_tables()
    del unscaled["scaling"]
    assert read_run(unscaled).canonical["scaling"] is None


def test_the_clip_map_gives_what_a_clip_gives() -> None:
    """Clipping by [scaling] and by loss.clip are one mechanism; Poisson included, whose smoothness the clip bounds."""
    for model in ("huber", "smoothed-hinge", "least-squares", "poisson"):
        clipped = scaled_tables(model, loss={"clip": "0.4"})
        del clipped["scaling"]
        one, other = certify(scaled_tables(model, "clip")), certify(clipped)
        assert one.epsilon == other.epsilon and one.wasserstein == other.wasserstein


def test_neither_radius_nor_clip_is_needed() -> None:
    for model in ("least-squares", "poisson"):
        unbounded = scaled_tables(model)
        del unbounded["scaling"]
        assert "radius" in refused(_certify(unbounded))
        free, held = certify(scaled_tables(model)), certify(scaled_tables(model, mechanism={"radius": "0.5"}))
        assert free.run.mechanism.loss.radius is None and held.run.mechanism.loss.radius == Fraction(1, 2)
        assert held.run.mechanism.loss.constants().gradient_bound < free.run.mechanism.loss.constants().gradient_bound


def _certify(made: dict) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        return plumbline("certify", write(Path(folder) / "run.toml", made))


C = {"kind": "psac", "max_grad_norm": 1, "r": "0.1"}
REFUSED = {
    "softmax": (
        tables({"kind": "softmax", "regularization": "0.1", "classes": 3}, scaling=C),
        'scaling: keeps convexity of scalar linear models alone, and loss.kind = "softmax" is none; leave [scaling]',
    ),
    "constants": (tables(constants(1, "0.5"), scaling=C), 'loss.kind = "constants" is none'),
    "clipped": (
        tables({"kind": "clipped", "regularization": "0.1", "clip": 1}, scaling=C),
        'loss.kind = "clipped" is none',
    ),
    "clip_and_map": (scaled_tables(loss={"clip": "0.4"}), "loss.clip: 0.4 together with [scaling]"),
    "no_r": (scaled_tables(scaling={"kind": "psac", "max_grad_norm": 1}), "scaling.r: is missing"),
    "no_kind": (
        scaled_tables(scaling={"max_grad_norm": 1}),
        "scaling.kind: is missing; write one of 'clip', 'auto-s', 'psac'",
    ),
    "strange_kind": (scaled_tables(scaling={"kind": "tanh", "max_grad_norm": 1}), "scaling.kind: got 'tanh'"),
    "s_for_psac": (scaled_tables(scaling=C | {"s": 1}), "scaling.s: unknown key"),
    "known_gradient_bound": (
        scaled_tables(scaling=C | {"gradient_norm_bound": 1}),
        "scaling.gradient_norm_bound: unknown key",
    ),
    "no_norm": (scaled_tables(scaling=C | {"max_grad_norm": 0}), "scaling.max_grad_norm: 0 must be positive"),
    "negative_r": (scaled_tables(scaling=C | {"r": -1}), "scaling.r: -1 must be positive"),
    "momentum": (
        scaled_tables(momentum={"outer": "0.9"}),
        "momentum: a pnsgd run has none, for a step of position and velocity together is not a contraction",
    ),
    "step_beyond_the_scaled_loss": (
        scaled_tables(
            "huber", scaling={"kind": "psasc", "max_grad_norm": 1, "r": "0.01", "s": 1}, mechanism={"step_size": 1}
        ),
        "mechanism.step_size: 1 > 2/L = 0.302",
    ),
    "poisson_in_a_large_ball": (
        scaled_tables("poisson", mechanism={"radius": 101}),
        "mechanism.radius: 101 times feature_norm",
    ),
    "missing_threshold": (
        tables({"kind": "huber", "regularization": "0.1"}, scaling=C),
        "loss.threshold: is missing",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_one_line(name: str, tmp_path) -> None:
    made, said = REFUSED[name]
    assert said in refused(plumbline("certify", write(tmp_path / "run.toml", made)))


def test_a_step_for_the_unscaled_loss_alone_is_certified_without_the_map() -> None:
    made = {name: table for name, table in REFUSED["step_beyond_the_scaled_loss"][0].items() if name != "scaling"}
    assert _certify(made).code in (0, 1)


def test_calibrate_meets_the_target_with_the_least_noise() -> None:
    made = scaled_tables(mechanism={"noise_std": "0.001"})
    found = calibrate(made)
    assert found.result.verdict == "CERTIFIED"
    less = Fraction(found.value) * Fraction(999, 1000)
    assert certify(scaled_tables(mechanism={"noise_std": less})).verdict == "NOT_CERTIFIED"


def test_compare_and_plan_speak_of_the_scaled_run() -> None:
    made = scaled_tables()
    ours = certify(made)
    rows = {row.name: row for row in compare(made).rows}
    assert rows["plumbline"].epsilon == ours.epsilon["upper"]
    assert Fraction(rows["chien2024"].epsilon) > Fraction(ours.epsilon["upper"])
    planned = plan(made, batch_sizes=[4], unlearning_epochs=[1]).rows
    assert planned[0].certified and planned[0].noise_std == pytest.approx(Fraction(calibrate(made).value), rel=1e-6)


def test_learning_in_a_secret_order_and_sequences() -> None:
    """The forms that other premises take: T6c, T9 with its witness, several requests, models seen all along."""
    learning = certify(scaled_tables(mechanism={"unlearning_epochs": 0}))
    assert "T6c" in learning.theorems or "T6" in learning.theorems
    secret = certify(scaled_tables(mechanism={"batch_order": "secret"}))
    assert {"T9", "T16"} <= set(secret.theorems)
    assert Fraction(secret.epsilon["upper"]) < Fraction(certify(scaled_tables()).epsilon["upper"])
    several = scaled_tables(
        mechanism={"unlearning_epochs": [1, 2]}, requests={"sizes": [1, 1]}, threat={"release": "all"}
    )
    assert {"T7", "T16"} <= set(certify(several).theorems)
    expanding = certify(scaled_tables(mechanism={"step_size": 3, "radius": "0.1"}))
    assert expanding.run.mechanism.step_size * expanding.run.mechanism.loss.constants().smoothness > 2


def test_explain_has_a_section_on_the_map(tmp_path) -> None:
    file = write(tmp_path / "run.toml", scaled_tables())
    text = plumbline("explain", file)
    assert text.code == 0, text
    assert "T16 scaled_linear_constants: L = " in text.out
    assert "L3u huber_model: m = 0.1, slope ≤ 1, a ≤ 0.5" in text.out
    assert "\nScaling: DP-PSASC, C = 1, r = 0.1, s = 0.5\n" in text.out and "Delta = C/s" in text.out
    assert text.out.index("Scaling:") < text.out.index("\nLimits")
    assert "\\Delta &= \\frac{C}{s}" in plumbline("explain", file, "--format", "latex").out
    shown = json.loads(plumbline("explain", file, "--format", "json").out)
    facts = {fact["name"]: fact for fact in shown["scaling"]["facts"]}
    assert shown["scaling"]["kind"] == "psasc" and shown["scaling"]["monotone"] is False
    assert facts["sensitivity"]["value"] == "2" and "limits" in shown
    assert "Scaling:" not in plumbline("explain", file, "--brief").out


def test_explain_of_a_sampled_run_has_it_too(tmp_path) -> None:
    made = {
        "mechanism": {"kind": "auto-s", "noise_multiplier": 2, "sample_rate": "0.1", "steps": 3},
        "scaling": {"kind": "auto-s", "max_grad_norm": 1, "r": "0.1"},
        "target": {"epsilon": 1, "delta": "0.001"},
    }
    done = plumbline("explain", write(tmp_path / "run.toml", made))
    assert done.code == 0 and "\nScaling: AUTO-S, C = 1, r = 0.1\n" in done.out


def test_explain_draws_the_map_or_the_string(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    done = plumbline("explain", write(tmp_path / "run.toml", scaled_tables()), "--brief", "-o", tmp_path / "scaled")
    assert done.code == 0 and done.err == f"wrote {tmp_path / 'scaled' / 'scaling.png'}\n"
    assert (tmp_path / "scaled" / "scaling.png").read_bytes().startswith(b"\x89PNG")
    done = plumbline("explain", write(tmp_path / "plain.toml", tables()), "--brief", "-o", tmp_path / "plain")
    assert done.code == 0 and (tmp_path / "plain" / "string.png").exists()
    several = tables(mechanism={"unlearning_epochs": [1, 1]}, requests={"sizes": [1, 1]})
    done = plumbline("explain", write(tmp_path / "several.toml", several), "-o", tmp_path / "several")
    assert "no picture of this run" in refused(done) and not (tmp_path / "several").exists()


def test_the_example_is_certified() -> None:
    result = certify(EXAMPLES / "scaled.toml")
    assert result.verdict == "CERTIFIED" and {"T16", "L1u"} <= set(result.theorems)
    assert Fraction(result.epsilon["lower"]) > Fraction(9, 10) * enclose(result.worst.upper).lower
