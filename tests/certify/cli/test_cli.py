"""The command line: exit codes, what goes to stdout and what to stderr, what is written and what is not."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

import certify as package
from accountant import Indeterminate
from certify import certify, cli, keygen, report, sign
from certify.cli.junit import junit
from certify.results import certify as result
from tests.certify.runs import EXAMPLES, ROOT, plumbline, refused, tables, to_toml, training, valid_runs

COMMANDS = ("certify", "calibrate", "compare", "plan", "explain", "verify", "keygen", "sign", "report", "gate")
ACCEPTED, REJECTED = EXAMPLES.parent / "tests/vectors/accept", EXAMPLES.parent / "tests/vectors/reject/certificates"
ORDERS = ["1.5", "2", "3", "4", "8", "16", "32", "64", "128", "256"]
PLAIN = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?(e-?[1-9][0-9]*)?")


def process(*arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, as a user starts it."""
    command = [sys.executable, "-m", "certify.cli", *map(str, arguments)]
    options = {"capture_output": True, "text": True, "timeout": 120, "check": False, "cwd": ROOT} | more
    return subprocess.run(command, **options)


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(tables()))
    return path


def write(path: Path, run: Any) -> Path:
    path.write_text(to_toml(run))
    return path


# --- the command as such ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], *[[name, "--help"] for name in COMMANDS]])
def test_help_lists_the_exit_codes(arguments: list[str]) -> None:
    done = plumbline(*arguments)
    assert done.code == 0 and done.err == ""
    for code, meaning in ((0, "certified"), (1, "not certified"), (2, "malformed"), (3, "indeterminate"),
                          (4, "digest"), (70, "internal error")):  # fmt: skip
        assert re.search(rf"^  {code} +.*{meaning}", done.out, re.MULTILINE), (code, done.out)


def test_help_lists_the_commands() -> None:
    out = plumbline("--help").out
    assert all(f"\n    {name}" in out for name in COMMANDS)


def test_version() -> None:
    done = plumbline("--version")
    assert done.code == 0 and re.fullmatch(r"plumbline-dp \d+\.\d+\.\d+\n", done.out) and done.err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["certify"],
        ["certify", "a.toml", "b.toml"],
        ["certify", "a.toml", "--format", "yaml"],
        ["certify", "--frobnicate"],
        ["verify"],
        ["explain", "a.toml", "--request", "first"],
        ["verify", "a.json", "--threshold", "two"],
        ["verify", "a.json", "--date", "2027-02-30"],
        ["keygen"],
        ["sign", "a.json"],
        ["report", "a.json"],
        ["gate", "policy.toml"],
        ["calibrate", "a.toml", "--tune"],
        ["certify", "a.toml", "-o"],
        ["line\nbreak"],
        ["\x1b[31m"],
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str]) -> None:
    line = refused(plumbline(*arguments))
    assert "--help" in line and line.isprintable()


def test_installed_command() -> None:
    """The script that pip makes, in a real process."""
    script = Path(sys.executable).with_name("plumbline")
    done = subprocess.run([script, "certify", EXAMPLES / "mnist.toml"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "CERTIFIED: the bound is proved to meet the target"


# --- certify ---------------------------------------------------------------------------------------------------------


def test_exit_codes(tmp_path: Path) -> None:
    upper = Fraction(certify(tables()).epsilon["upper"])
    sharp = certify(tables()).claims[0].epsilon
    between = (sharp.upper + Fraction(sharp.upper_decimal(15))) / 2
    cases = {upper: 0, upper / 2: 1, between.limit_denominator(10**40): 3}
    for target, code in cases.items():
        path = write(tmp_path / "run.toml", tables(target={"epsilon": target}))
        for form in ("text", "json", "junit"):
            assert plumbline("certify", path, "--format", form).code == code


def test_exit_codes_of_processes(tmp_path: Path) -> None:
    missed = write(tmp_path / "missed.toml", tables(target={"epsilon": "0.1"}))
    done = process("certify", missed)
    assert done.returncode == 1 and done.stdout.startswith("NOT_CERTIFIED: ") and done.stderr == ""
    done = process("certify", tmp_path / "missing.toml")
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "word"),
    [({}, "CERTIFIED"), ({"epsilon": "0.5182"}, "NOT_CERTIFIED"), ({"epsilon": "0.1"}, "NOT_CERTIFIED")],
)
def test_text_says_the_verdict_first(change: Any, word: str, tmp_path: Path) -> None:
    done = plumbline("certify", write(tmp_path / "run.toml", tables(target=change)))
    lines = done.out.splitlines()
    assert lines[0].partition(":")[0] == word and done.err == ""
    found = certify(tables(target=change))
    for text in (found.epsilon["upper"], found.mu["upper"], found.digest, "ε ≤", "assumes", "gaussian_noise"):
        assert text in done.out
    assert ("next: " in done.out) == (word != "CERTIFIED")


def test_text_of_many_requests(tmp_path: Path) -> None:
    run = tables(mechanism={"samples": 120, "unlearning_epochs": 1}, requests={"sizes": [1] * 20})
    path = write(tmp_path / "run.toml", run)
    done = plumbline("certify", path)
    assert "… 8 more; --format json shows all" in done.out
    assert len(json.loads(plumbline("certify", path, "--format", "json").out)["requests"]) == 20


def check_decimal(text: str) -> None:
    assert isinstance(text, str) and PLAIN.fullmatch(text), text
    assert len(Decimal(text).normalize().as_tuple().digits) <= 15


def check_contract(shown: Any) -> None:
    """The shape that design.md fixes: every field, numbers as decimal strings."""
    assert list(shown) == [
        *("verdict", "out_of_reach", "epsilon", "delta", "mu", "wasserstein", "renyi", "requests", "theorems"),
        *("assumptions", "published", "fallback", "digest"),
        *(
            ["other_release"]
            if any(request["epochs"] for request in shown["requests"]) or shown["requests"][1:]
            else []
        ),
    ]
    if (other := shown.get("other_release")) is not None:
        assert set(other) == {"release", "epsilon"} and other["release"] in ("final", "all")
        if other["epsilon"] is not None:
            check_decimal(other["epsilon"])
    assert shown["verdict"] in ("CERTIFIED", "NOT_CERTIFIED", "INDETERMINATE")
    assert isinstance(shown["out_of_reach"], bool)
    assert set(shown["epsilon"]) == {"lower", "upper", "target"}
    assert set(shown["mu"]) == {"lower", "upper"}
    for key in ("epsilon", "mu"):
        check_decimal(shown[key]["upper"])
        if shown[key]["lower"] is not None:
            check_decimal(shown[key]["lower"])
    Fraction(shown["epsilon"]["target"])
    check_decimal(shown["delta"])
    assert set(shown["wasserstein"]) == {"learned", "released"}
    for text in shown["wasserstein"].values():
        check_decimal(text)
    assert [point["order"] for point in shown["renyi"]] == ORDERS
    for point in shown["renyi"]:
        assert set(point) == {"order", "upper"}
        check_decimal(point["upper"])
    for request in shown["requests"]:
        assert set(request) == {"size", "epochs", "epsilon"}
        assert type(request["size"]) is int and type(request["epochs"]) is int  # counts, not measurements
        check_decimal(request["epsilon"])
    assert shown["theorems"] == sorted(set(shown["theorems"])) and {"T11", "T24"} & set(shown["theorems"])
    for assumption in shown["assumptions"]:
        assert set(assumption) == {"id", "status", "text"}
        assert assumption["status"] in ("proved", "checked", "attested", "violated")
    assert "chien2024" in shown["published"]
    for bound in shown["published"].values():
        assert set(bound) == {"epsilon"} and (bound["epsilon"] is None or check_decimal(bound["epsilon"]) is None)
    assert re.fullmatch(r"[0-9a-f]{64}", shown["digest"])


@settings(max_examples=40)
@given(run=valid_runs())
def test_json_is_the_contract(run: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write(tmp_path_factory.mktemp("json") / "run.toml", run)
    done = plumbline("certify", path, "--format", "json")
    shown = json.loads(done.out)
    assert done.err == "" and done.code == {"CERTIFIED": 0, "NOT_CERTIFIED": 1, "INDETERMINATE": 3}[shown["verdict"]]
    check_contract(shown)
    assert len(shown["requests"]) == len(run["requests"]["sizes"])
    assert (shown["epsilon"]["lower"] is None) == ("radius" in run["mechanism"])
    assert shown == certify(run).as_json()


@pytest.mark.parametrize("name", ["mnist", "digits", "learning", "breast_cancer"])
def test_json_of_the_examples(name: str) -> None:
    done = plumbline("certify", EXAMPLES / f"{name}.toml", "--format", "json")
    shown = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    check_contract(shown)
    assert (shown["published"]["chien2024"]["epsilon"] is None) == (name in ("learning", "breast_cancer"))


def test_json_with_a_radius_has_no_lower_bound(tmp_path: Path) -> None:
    path = write(tmp_path / "run.toml", tables(mechanism={"radius": 1}))
    shown = json.loads(plumbline("certify", path, "--format", "json").out)
    assert shown["epsilon"]["lower"] is None and shown["mu"]["lower"] is None
    assert "projection" in [assumption["id"] for assumption in shown["assumptions"]]


@pytest.mark.parametrize("failures", range(4))
def test_junit(failures: int, tmp_path: Path) -> None:
    run = tables(mechanism={"unlearning_epochs": [1, 2, 1]}, requests={"sizes": [1, 5, 6]})
    bounds = sorted(Fraction(r["epsilon"]) for r in certify(run).requests)
    targets = [0, *bounds[:-1], bounds[-1]]  # each is met by as many requests
    run["target"]["epsilon"] = targets[3 - failures]
    done = plumbline("certify", write(tmp_path / "run.toml", run), "--format", "junit")
    suite = ElementTree.fromstring(done.out)
    assert suite.tag == "testsuite" and suite.get("tests") == "3" and suite.get("errors") == "0"
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == ["request 1", "request 2", "request 3"]
    assert len(suite.findall("testcase/failure")) == int(suite.get("failures") or -1) == failures
    assert len(suite.findall("testcase/system-out")) == 3 - failures
    assert done.code == (1 if failures else 0)
    for case, request in zip(cases, certify(run).requests, strict=True):
        (entry,) = case
        assert request["epsilon"] in (entry.get("message") or entry.text or "")


def test_junit_of_an_open_verdict() -> None:
    sharp = certify(tables()).claims[0].epsilon
    target = (sharp.upper + Fraction(sharp.upper_decimal(15))) / 2
    suite = ElementTree.fromstring(junit(certify(tables(target={"epsilon": target.limit_denominator(10**40)}))))
    assert suite.get("errors") == "1" and suite.get("failures") == "0"
    assert "INDETERMINATE" in (suite.find("testcase/error").get("message") or "")


# --- colours, pipes, encodings ---------------------------------------------------------------------------------------


def test_no_colour_in_pipes_nor_with_no_color() -> None:
    for environment in ({}, {"NO_COLOR": "1", "TERM": "dumb"}):
        done = process("certify", EXAMPLES / "mnist.toml", env=os.environ | environment)
        assert done.returncode == 0 and "\x1b" not in done.stdout + done.stderr


def test_no_color_wins_over_a_terminal() -> None:
    """rich thinks it is on a terminal; NO_COLOR takes the colours, not the words."""
    coloured = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    forced = os.environ | {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    forced.pop("NO_COLOR", None)
    assert coloured.search(process("certify", EXAMPLES / "mnist.toml", env=forced).stdout)
    assert not coloured.search(process("certify", EXAMPLES / "mnist.toml", env=forced | {"NO_COLOR": "1"}).stdout)


@pytest.mark.parametrize(("form", "codes"), [("text", {1, 70}), ("json", {70})])  # rich answers with 1
def test_a_broken_pipe_is_quiet_and_certifies_nothing(form: str, codes: set[int]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = process("certify", EXAMPLES / "mnist.toml", "--format", form, capture_output=False, stdout=writer,
                   stderr=subprocess.PIPE)  # fmt: skip
    os.close(writer)
    assert done.stderr == "" and done.returncode in codes


def test_stdout_is_data_alone(run_file: Path, tmp_path: Path) -> None:
    """What was written is told on stderr; stdout stays one JSON object."""
    done = plumbline("certify", run_file, "--format", "json", "-o", tmp_path / "out")
    check_contract(json.loads(done.out))
    predicate = json.loads(base64.b64decode(json.loads((tmp_path / "out/certificate.json").read_text())["payload"]))[
        "predicate"
    ]
    assert predicate["figures"]["profile"]  # what a report draws from
    assert done.err == f"wrote {tmp_path / 'out/certificate.json'} (UNSIGNED)\n"


def test_no_progress_bar_without_a_terminal() -> None:
    assert plumbline("certify", EXAMPLES / "breast_cancer.toml").err == ""


# --- what is written -------------------------------------------------------------------------------------------------


def test_nothing_is_written_without_o(tmp_path: Path, run_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (["certify"], ["certify", "--format", "json"], ["calibrate"], ["compare"], ["explain"]):
        assert plumbline(arguments[0], run_file, *arguments[1:]).code == 0
    assert os.listdir(tmp_path) == ["run.toml"]


def test_o_makes_the_folder_and_replaces_the_file(tmp_path: Path, run_file: Path) -> None:
    out = tmp_path / "a/b"
    assert plumbline("certify", run_file, "-o", out).code == 0
    assert os.listdir(out) == ["certificate.json"]
    (out / "certificate.json").write_text("old")
    assert plumbline("certify", run_file, "-o", out).code == 0
    assert os.listdir(out) == ["certificate.json"] and plumbline("verify", out / "certificate.json").code == 0


def test_a_missed_target_is_written_too(tmp_path: Path) -> None:
    path = write(tmp_path / "run.toml", tables(target={"epsilon": "0.1"}))
    assert plumbline("certify", path, "-o", tmp_path / "out").code == 1
    assert plumbline("verify", tmp_path / "out/certificate.json").code == 1


@pytest.mark.parametrize("below", ["", "deeper", "deeper/still"])
def test_o_into_a_regular_file(below: str, tmp_path: Path, run_file: Path) -> None:
    (tmp_path / "file").write_text("mine")
    line = refused(plumbline("certify", run_file, "-o", tmp_path / "file" / below))
    assert "-o " in line and "not a directory that can be written to" in line
    assert (tmp_path / "file").read_text() == "mine" and sorted(os.listdir(tmp_path)) == ["file", "run.toml"]


def test_o_into_a_folder_without_permission(tmp_path: Path, run_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For root every folder is writable, so the system's answer is played."""
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(cli.os, "access", lambda path, mode: Path(path) != tmp_path / "out")
    assert "not a directory that can be written to" in refused(plumbline("certify", run_file, "-o", tmp_path / "out"))
    assert os.listdir(tmp_path / "out") == []


# --- report ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def made(run_file: Path, tmp_path: Path) -> Path:
    assert plumbline("certify", run_file, "-o", tmp_path / "made").code == 0
    return tmp_path / "made/certificate.json"


def test_report_passes_its_options_on(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def write_report(certificate: str, output: str, **options: Any) -> Path:
        calls.append((certificate, output, options))
        return Path(output)

    monkeypatch.setattr(report, "write_report", write_report)
    done = plumbline("report", made, "-o", tmp_path / "report.html")
    assert (done.code, done.out, done.err) == (0, f"{tmp_path / 'report.html'}\n", "")
    keys = [keygen(tmp_path / name).public for name in ("one", "two")]
    given = ["--key", keys[0], "--key", keys[1], "--threshold", 1, "--date", "2027-01-31"]
    assert plumbline("report", made, "-o", tmp_path / "report.pdf", *given).code == 0
    pems = tuple(key.read_bytes() for key in keys)
    assert calls == [
        (str(made), str(tmp_path / "report.html"), {"keys": (), "threshold": None, "on": None}),
        (str(made), str(tmp_path / "report.pdf"), {"keys": pems, "threshold": 1, "on": date(2027, 1, 31)}),
    ]


@pytest.mark.parametrize("suffix", ["html", "pdf", "md"])
def test_no_report_of_what_does_not_verify(suffix: str, made: Path, tmp_path: Path) -> None:
    """The verifier's exit code, one line that names the file, and nothing written."""
    output = tmp_path / f"report.{suffix}"
    expired = tmp_path / "expired.json"
    expired.write_bytes((REJECTED / "expired.json").read_bytes())
    tampered = tmp_path / "tampered.json"
    tampered.write_text(re.sub('"sha256": "[0-9a-f]{64}"', f'"sha256": "{"0" * 64}"', made.read_text()))
    (tmp_path / "malformed.json").write_text("[]")
    other = keygen(tmp_path / "other")
    cases = {
        "tampered": (tampered, [], 4, "does not have the envelope's digest"),
        "expired": (expired, [], 1, "expired on"),
        "does not follow": (REJECTED / "phase_left_out.json", [], 1, "phases"),
        "malformed": (tmp_path / "malformed.json", [], 2, "needs an object"),
        "record": (ACCEPTED / "erasure_record.json", [], 2, "erasure record"),
        "unsigned": (made, ["--key", other.public], 4, "unsigned, and a key was given"),
    }
    for path, more, code, words in cases.values():
        line = refused(plumbline("report", path, "-o", output, *more), code)
        assert line.startswith(f"plumbline: {path}: ") and words in line and not output.exists()
    assert "--threshold" in refused(plumbline("report", made, "-o", output, "--threshold", 1))
    assert str(tmp_path / "missing.json") in refused(plumbline("report", tmp_path / "missing.json", "-o", output))


def test_reports_of_another_kind(made: Path, tmp_path: Path) -> None:
    for name in ("report.docx", "report", "report.HTML.exe"):
        assert name in refused(plumbline("report", made, "-o", tmp_path / name))
        assert not (tmp_path / name).exists()


def test_report_of_a_signed_certificate(made: Path, tmp_path: Path) -> None:
    lead = keygen(tmp_path / "lead")
    sign(made, key=lead.private)
    done = plumbline("report", made, "-o", tmp_path / "report.md", "--key", lead.public)
    assert (done.code, done.out) == (0, f"{tmp_path / 'report.md'}\n")
    assert lead.keyid[:8] in (tmp_path / "report.md").read_text(encoding="utf-8")


# --- crashes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [ZeroDivisionError("line\nbreak"), RecursionError(), MemoryError(), KeyError("x")])
def test_a_crash_is_70(problem: Exception, monkeypatch: pytest.MonkeyPatch, run_file: Path, tmp_path: Path) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.delenv("PLUMBLINE_TRACEBACK", raising=False)
    monkeypatch.setattr(result, "make_claim", crash)
    done = plumbline("certify", run_file, "-o", tmp_path / "out")
    assert done.code == 70 and done.out == "" and len(done.err.splitlines()) == 1
    assert type(problem).__name__ in done.err and "internal error" in done.err and not (tmp_path / "out").exists()
    monkeypatch.setenv("PLUMBLINE_TRACEBACK", "1")
    done = plumbline("certify", run_file)
    assert done.code == 70 and done.out == "" and done.err.startswith("Traceback (most recent call last):\n")


def test_a_panic_is_70(monkeypatch: pytest.MonkeyPatch, run_file: Path) -> None:
    """Rust code under Python panics with what is no Exception; uncaught it would be exit 1, NOT_CERTIFIED."""

    class Panic(BaseException):
        pass

    def crash(*_: Any, **__: Any) -> None:
        raise Panic("called `Option::unwrap()` on a `None` value")

    monkeypatch.delenv("PLUMBLINE_TRACEBACK", raising=False)
    monkeypatch.setattr(result, "make_claim", crash)
    done = plumbline("certify", run_file)
    assert done.code == 70 and done.out == "" and "internal error: Panic" in done.err


def test_a_broken_installation_is_70(tmp_path: Path, run_file: Path) -> None:
    (tmp_path / "flint.py").write_text("raise ImportError('no such library')")
    for command in (["certify", run_file], ["gate", "policy.toml", "certificate.json"]):
        done = process(*command, env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
        assert (done.returncode, done.stdout) == (70, "") and "internal error: ImportError" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_narrow_encoding_is_no_crash(form: str, run_file: Path) -> None:
    """As of a Windows pipe: ε and μ are in none of these."""
    narrow = os.environ | {"PYTHONIOENCODING": "cp1252"}
    done = process("certify", run_file, "--format", form, env=narrow, text=False)
    wide = process("certify", run_file, "--format", form, env=os.environ | {"PYTHONIOENCODING": "utf-8"}, text=False)
    assert done.returncode == wide.returncode == 0 and done.stdout == wide.stdout and done.stderr == b""


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """What the file is called has any bytes; JSON has none of them but as an escape."""
    policy, name = tmp_path / "policy.toml", os.fsdecode(b"odd\xff.json")
    policy.write_text("")
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    done = process("gate", policy, tmp_path / name, "--format", "json", env=strict)
    assert done.returncode == 2 and json.loads(done.stdout)["certificates"][0]["file"] == str(tmp_path / name)


def test_a_failed_write_is_70(monkeypatch: pytest.MonkeyPatch, run_file: Path, tmp_path: Path) -> None:
    (tmp_path / "out/certificate.json").mkdir(parents=True)  # a folder where the file should be
    done = plumbline("certify", run_file, "-o", tmp_path / "out")
    assert done.code in (2, 70) and done.out == "" and len(done.err.splitlines()) == 1
    assert os.listdir(tmp_path / "out") == ["certificate.json"]


def test_indeterminate_is_3(monkeypatch: pytest.MonkeyPatch, run_file: Path) -> None:
    def open_question(*_: Any, **__: Any) -> None:
        raise Indeterminate("taut_string (T3): z_k ≥ 0")

    monkeypatch.setattr(result, "make_claim", open_question)
    assert "taut_string (T3)" in refused(plumbline("certify", run_file), code=3)


def test_an_interrupt_is_one_line(monkeypatch: pytest.MonkeyPatch, run_file: Path) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(result, "make_claim", stop)
    assert refused(plumbline("certify", run_file), code=130) == "plumbline: interrupted"


# --- Python ----------------------------------------------------------------------------------------------------------


def test_the_package_is_lazy() -> None:
    """`import certify` and the checker need no third party; certifying never loads torch."""
    script = """
import sys, certify
assert not {"numpy", "torch", "flint", "sympy", "pydantic", "accountant"} & set(sys.modules), "import certify"
import certify.checker
assert not {"numpy", "torch", "flint", "sympy", "pydantic", "accountant"} & set(sys.modules), "checker"
assert callable(certify.certify) and "numpy" in sys.modules
certify.calibrate("examples/digits.toml"); certify.compare("examples/digits.toml")
assert "torch" not in sys.modules and "learners" not in sys.modules, "certifying"
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_public_names() -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert dir(package) == sorted(package.__all__)
    with pytest.raises(AttributeError, match="frobnicate"):
        _ = package.frobnicate


# --- help, and what a run is a run of --------------------------------------------------------------------------------


def test_help_as_a_command() -> None:
    assert plumbline("help").out == plumbline("--help").out
    for name in (*COMMANDS, "help"):
        done = plumbline("help", name)
        assert done == plumbline(name, "--help") and done.code == 0 and done.err == ""
    assert "invalid choice" in refused(plumbline("help", "frobnicate"))


def test_no_command_is_no_success() -> None:
    """As ruff and uv do: the help, on stderr, and exit 2. A script whose command is empty has done nothing."""
    done = plumbline()
    assert (done.code, done.out, done.err) == (2, "", plumbline("--help").out)


KINDS = "'pnsgd', 'dp-sgd', 'auto-s', 'dp-psac', 'dp-psasc'"


@pytest.mark.parametrize("kind", ["sgd", "DP-SGD", "dpsgd", "PNSGD", "", 3, ["dp-sgd"]])
@pytest.mark.parametrize("make", [tables, training])
@pytest.mark.parametrize("command", ["certify", "calibrate", "compare", "plan", "explain"])
def test_an_unknown_kind_names_all_of_them(tmp_path, make, kind, command) -> None:
    run = make()
    run["mechanism"] = run["mechanism"] | {"kind": kind}
    line = refused(plumbline(command, write(tmp_path / "run.toml", run)))
    assert line.startswith("plumbline: mechanism.kind: got ") and line.endswith(f"rite one of {KINDS}")
    close = {"sgd": "pnsgd", "DP-SGD": "dp-sgd", "dpsgd": "dp-sgd", "PNSGD": "pnsgd"}
    assert not isinstance(kind, str) or not kind or f"did you mean {close[kind]!r}?" in line


def test_a_kind_that_is_missing_or_misspelt(tmp_path) -> None:
    run = training({"kind": None})
    assert refused(plumbline("certify", write(tmp_path / "run.toml", run))) == (
        f"plumbline: mechanism.kind: is missing; write one of {KINDS}"
    )
    run["mechanism"]["knd"] = "pnsgd"
    assert "did you mean kind?" in refused(plumbline("certify", write(tmp_path / "run.toml", run)))


def test_a_byte_order_mark_is_called_one(tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (EXAMPLES / "mnist.toml").read_bytes())
    assert "byte-order mark; save it as UTF-8 without one" in refused(plumbline("certify", path))


def test_a_training_run_is_calibrated_by_its_noise(tmp_path) -> None:
    path = write(tmp_path / "run.toml", training({"sample_rate": 1, "steps": 1, "noise_multiplier": None}))
    found = json.loads(plumbline("calibrate", path, "--format", "json").out)
    assert found["parameter"] == "noise_multiplier"
    assert found == json.loads(plumbline("calibrate", path, "--tune", "noise_multiplier", "--format", "json").out)
    assert package.calibrate(training({"sample_rate": 1, "steps": 1})).parameter == "noise_multiplier"
    assert package.calibrate(tables()).parameter == "noise_std"


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (training(stages=[{}, {"sample_rate": 2}]), "stages[2].sample_rate"),
        (training({"sampling": "full", "sample_rate": None}, stages=[{"sample_rate": "0.5"}]), "0.5 of stage 2 of 2"),
        (training({"sampling": "without-replacement", "samples": 100}, stages=[{"sample_rate": "0.001"}]), "stage 2"),
        (training({"sampling": "shuffled"}, stages=[{"sample_rate": 0}]), "0 of stage 2 of 2 must be positive"),
        (training({"sampling": "shuffled"}, stages=[{"steps": 7}, {}]), "stage 2 of 3 does not end with an epoch"),
        (training(releases=[{"mu": 1}, {"mu": -1}]), "-1 of release 2"),
        (training(stages=[{"steps": 10**9}]), "1000000100 in 2 stages"),
        (tables(requests={"sizes": [1, 0]}), "requests.sizes: 0 of request 2 must be at least 1"),
        (tables(requests={"sizes": [1, "x"]}), "requests.sizes[2]: 'x'"),
        (tables(mechanism={"unlearning_epochs": [1, 1, -1]}), "unlearning_epochs: -1 of request 3 must be"),
    ],
)
def test_refusals_name_the_stage_or_the_request(run, says) -> None:
    with pytest.raises(package.UsageError, match=re.escape(says)):
        package.read_run(run)


@pytest.mark.parametrize("command", ["certify", "calibrate"])
def test_a_claim_about_fewer_records_than_may_be_asked_for_says_so(command: str, tmp_path: Path) -> None:
    """`learn` certifies all of them: a smaller ε, printed here, is not the answer to what they cost."""
    mechanism = {"unlearning_epochs": 0, "noise_std": 5}
    path = write(tmp_path / "run.toml", tables(mechanism=mechanism, requests={"max_records": 3}))
    done = plumbline(command, path)
    assert done.code == 0 and "`plumbline learn` certifies what all max_records = 3 cost together" in done.out
    path = write(tmp_path / "all.toml", tables(mechanism=mechanism, requests={"max_records": 1}))
    assert "plumbline learn" not in plumbline(command, path).out
