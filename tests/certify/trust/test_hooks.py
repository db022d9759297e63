"""The pre-commit hook in a scratch repository, and the composite action's own script, run as each would run them."""

from __future__ import annotations

import ast
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from certify import certify, keygen, sign, write_certificate
from tests.certify.runs import ROOT, tables

BIN = Path(sys.executable).parent
SCRIPT = ROOT / "hooks/gate.py"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("made")
    good = write_certificate(certify(tables()), folder / "good").read_bytes()
    missed = write_certificate(certify(tables(target={"epsilon": "0.1"})), folder / "missed").read_bytes()
    return {"good": good, "missed": missed, "tampered": good.replace(b'"sha256": "', b'"sha256": "0')}


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def environment(**more: str) -> dict[str, str]:
    """As it is, without what would make a test depend on whoever runs it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "INPUT_", "PRE_COMMIT"))}
    return kept | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"} | more


# --- pre-commit ------------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command in a scratch git repository that has the hook as `repo: local`, from this environment."""
    folder = tmp_path / "repository"
    folder.mkdir()
    hook = {key: value for key, value in HOOK.items() if key != "minimum_pre_commit_version"}
    hook |= {"language": "system", "entry": f"{BIN / 'plumbline'} gate", "args": ["policy.toml"]}
    config = {"repos": [{"repo": "local", "hooks": [hook]}]}
    put(folder / ".pre-commit-config.yaml", json.dumps(config))  # which is YAML too
    put(folder / "policy.toml", "[limits]\nmax_epsilon = 1\n")
    names = {f"GIT_{who}_{what}": "nobody" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HOME": str(tmp_path)}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=300, check=False,
            env=environment(PRE_COMMIT_HOME=str(tmp_path / "cache"), **settings, **names),
        )  # fmt: skip

    assert run("git", "init", "--quiet").returncode == 0
    run.folder = folder  # type: ignore[attr-defined]
    return run


def pre_commit(run: Any) -> subprocess.CompletedProcess[str]:
    assert run("git", "add", "--all").returncode == 0
    return run(str(BIN / "python"), "-m", "pre_commit", "run", "--all-files")


def test_the_hook_passes_and_fails(repository: Any, made: dict[str, bytes]) -> None:
    put(repository.folder / "models/one/certificate.json", made["good"])
    put(repository.folder / "models/two words/certificate.json", made["good"])
    put(repository.folder / "models/one/metrics.json", b"{}")  # is none of its business
    done = pre_commit(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "plumbline gate" in done.stdout and "Passed" in done.stdout
    for name, code, words in (
        ("missed", 1, "limits.require_verdict: NOT_CERTIFIED (limit: CERTIFIED)"),
        ("tampered", 2, "envelope.digest.sha256"),
    ):
        put(repository.folder / "models/one/certificate.json", made[name])
        done = pre_commit(repository)
        assert done.returncode == 1 and f"exit code: {code}" in done.stdout, done.stdout + done.stderr
        assert words in done.stdout and "1 of 2 pass policy.toml" in done.stdout


def test_the_hook_follows_links(repository: Any, made: dict[str, bytes]) -> None:
    put(repository.folder / "models/missed.json", made["missed"])
    (repository.folder / "models/certificate.json").symlink_to("missed.json")
    done = pre_commit(repository)
    assert done.returncode == 1 and "models/certificate.json: limits.require_verdict" in done.stdout, done.stdout


def test_the_hook_stops_a_commit(repository: Any, made: dict[str, bytes]) -> None:
    assert repository(str(BIN / "python"), "-m", "pre_commit", "install").returncode == 0
    put(repository.folder / "certificate.json", made["missed"])
    repository("git", "add", "--all")
    done = repository("git", "commit", "--quiet", "--message", "a model")
    assert done.returncode != 0 and "limits.require_verdict" in done.stdout + done.stderr
    assert repository("git", "rev-parse", "--verify", "HEAD").returncode != 0
    put(repository.folder / "certificate.json", made["good"])
    repository("git", "add", "--all")
    assert repository("git", "commit", "--quiet", "--message", "a model").returncode == 0


def test_the_hook_has_nothing_to_say_where_there_is_no_certificate(repository: Any) -> None:
    done = pre_commit(repository)
    assert done.returncode == 0 and "Skipped" in done.stdout


def test_the_hook_is_a_valid_one() -> None:
    command = [BIN / "python", "-m", "pre_commit", "validate-manifest", ROOT / ".pre-commit-hooks.yaml"]
    assert subprocess.run(command, capture_output=True, env=environment(), check=False).returncode == 0
    assert HOOK["id"] == "plumbline-gate" and HOOK["language"] == "python"
    command, subcommand = HOOK["entry"].split()
    assert subcommand == "gate" and f'{command} = "certify.cli:main"' in (ROOT / "pyproject.toml").read_text()


# --- the action ------------------------------------------------------------------------------------------------------


def test_the_action_calls_the_script() -> None:
    assert ACTION["runs"]["using"] == "composite" and ACTION["name"] and ACTION["description"]
    steps = ACTION["runs"]["steps"]
    assert [step["run"] for step in steps] == ['python3 "$GITHUB_ACTION_PATH/hooks/gate.py"'] and SCRIPT.is_file()
    for step in steps:
        assert step["shell"] == "bash" and "${{" not in step["run"], "an input in the command could be a command"
    (step,) = steps
    assert step["env"] == {f"INPUT_{name.upper()}": f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]}
    for name, given in ACTION["inputs"].items():
        assert given["description"] and given.get("required") is (True if name == "policy" else None)
        assert isinstance(given.get("default", ""), str)


def action(folder: Path, path: str | None = None, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The action's step, as a runner runs it: bash, the inputs (with their defaults) as variables."""
    (step,) = ACTION["runs"]["steps"]
    given = {name: options.get("default", "") for name, options in ACTION["inputs"].items()}
    given |= {"install": "false"} | inputs
    variables = {variable: given[variable.removeprefix("INPUT_").lower()] for variable in step["env"]}
    variables |= {"GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(folder.parent / "temp")}
    more = {} if path is None else {"PATH": path}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False, env=environment(**variables, **more),
    )  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path, made: dict[str, bytes]) -> Path:
    folder = tmp_path / "workspace"
    put(folder / "policy.toml", "[limits]\nmax_epsilon = 1\n")
    put(folder / "models/one/certificate.json", made["good"])
    put(folder / "models/two words/certificate.json", made["good"])
    return folder


def test_the_action_passes_and_fails(workspace: Path, made: dict[str, bytes]) -> None:
    done = action(workspace, policy="policy.toml")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.splitlines()[-1].startswith("2 of 2 pass policy")
    put(workspace / "models/one/certificate.json", made["missed"])
    done = action(workspace, policy="policy.toml")
    assert done.returncode == 1 and "limits.require_verdict" in done.stdout
    done = action(workspace, policy="policy.toml", certificates="models/two words/*.json\n")
    assert done.returncode == 0 and "1 of 1 pass" in done.stdout
    put(workspace / "models/two words/certificate.json", b"{}")
    assert action(workspace, policy="policy.toml").returncode == 2


def test_the_action_keeps_the_gates_exit_code(workspace: Path, tmp_path: Path) -> None:
    keygen(tmp_path / "lead")
    keygen(tmp_path / "other")
    shutil.copy(tmp_path / "lead.pub", workspace)
    put(workspace / "policy.toml", '[signatures]\nkeys = "lead.pub"')
    for name in ("one", "two words"):
        sign(
            workspace / f"models/{name}/certificate.json", key=tmp_path / ("lead.key" if name == "one" else "other.key")
        )
    done = action(workspace, policy="policy.toml")
    assert done.returncode == 4 and "wrong key" in done.stdout and "PASS  models/one/certificate.json" in done.stdout


def test_the_action_writes_what_it_prints(workspace: Path) -> None:
    done = action(workspace, policy="policy.toml", format="junit", output="junit.xml", date="2027-01-01")
    assert done.returncode == 0 and (workspace / "junit.xml").read_text(encoding="utf-8") == done.stdout
    assert len(ElementTree.fromstring(done.stdout).findall("testsuite")) == 2
    done = action(workspace, policy="policy.toml", format="json", date="2027-01-01")
    assert json.loads(done.stdout)["date"] == "2027-01-01"


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"policy": ""}, "the input policy is missing"),
        ({"certificates": "nowhere/*.json"}, "no certificate matches 'nowhere/*.json'"),
        ({"certificates": "**/certificate.json\nnowhere.json"}, "no certificate matches 'nowhere.json'"),
        ({"install": "yes"}, "write true or false"),
        ({"format": "yaml"}, "invalid choice"),
        ({"date": "soon"}, "write a day as YYYY-MM-DD"),
        ({"policy": "missing.toml"}, "No such file"),
    ],
)
def test_wrong_inputs_fail(inputs: dict[str, str], words: str, workspace: Path) -> None:
    done = action(workspace, **({"policy": "policy.toml"} | inputs))
    assert done.returncode == 2 and done.stdout == "" and words in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "hostile", ["$(touch caught)", *(pytest.param(h, marks=pytest.mark.slow) for h in ('"; touch caught; "', "-x"))]
)
def test_inputs_are_never_commands(hostile: str, workspace: Path, made: dict[str, bytes]) -> None:
    put(workspace / hostile / "certificate.json", made["good"])
    for inputs in ({"policy": hostile}, {"certificates": hostile}, {"format": hostile, "date": hostile}):
        done = action(workspace, **({"policy": "policy.toml"} | inputs))
        assert done.returncode == 2 and not (workspace / "caught").exists(), inputs
    done = action(workspace, policy="policy.toml", certificates=f"{hostile}/*.json")
    assert done.returncode == 0 and not (workspace / "caught").exists(), done.stderr


def script(path: Path, text: str) -> None:
    put(path, f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_action_installs_from_its_own_checkout(workspace: Path, tmp_path: Path) -> None:
    """With a Python whose venv and pip only write down how they were called: no network in tests."""
    log, folder = tmp_path / "log", tmp_path / "temp/plumbline-gate"
    sitecustomize = tmp_path / "site/sitecustomize.py"
    put(
        sitecustomize,
        "import subprocess\nreally = subprocess.run\n"
        "def run(a, **k):\n"
        f"    a = list(map(str, a)); open({str(log)!r}, 'a').write(repr(a) + '\\n')\n"
        f"    if a[0] == {str(folder / 'bin/plumbline')!r}: return really([{str(BIN / 'plumbline')!r}, *a[1:]], **k)\n"
        "    return subprocess.CompletedProcess(a, 0)\n"
        "subprocess.run = run\n",
    )
    script(tmp_path / "bin/python3", f'PYTHONPATH="{sitecustomize.parent}" exec "{sys.executable}" "$@"')
    done = action(workspace, f"{tmp_path / 'bin'}:/usr/bin:/bin", policy="policy.toml", install="true")
    assert done.returncode == 0 and "2 of 2 pass" in done.stdout, done.stderr
    venv, pip, gate = (ast.literal_eval(line) for line in log.read_text().splitlines())
    assert venv[1:] == ["-m", "venv", str(folder)]
    assert pip[0] == str(folder / "bin/python") and pip[-3:] == [
        "--constraint",
        str(ROOT / "constraints.txt"),
        str(ROOT),
    ]
    assert gate[:2] == [str(folder / "bin/plumbline"), "gate"]


def test_a_crash_of_the_script_is_no_verdict(workspace: Path, tmp_path: Path) -> None:
    """Whatever goes wrong: Python's own exit code of it is 1, and that is what a violated rule gives."""
    put(
        tmp_path / "site/sitecustomize.py",
        "import glob\ndef glob_(*a, **k): raise ValueError('oops')\nglob.glob = glob_",
    )
    script(tmp_path / "bin/python3", f'PYTHONPATH="{tmp_path / "site"}" exec "{sys.executable}" "$@"')
    done = action(workspace, f"{tmp_path / 'bin'}:/usr/bin:/bin", policy="policy.toml")
    assert (done.returncode, done.stdout, done.stderr) == (70, "", "plumbline gate: oops\n")


def test_a_failed_installation_is_no_verdict(workspace: Path, tmp_path: Path) -> None:
    """Neither 0 nor 1: nothing was judged."""
    script(tmp_path / "bin/python3", f'exec "{sys.executable}" "$@"')
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    done = action(workspace, path, policy="policy.toml", install="false")  # and there is no plumbline on that path
    assert done.returncode == 70 and "plumbline" in done.stderr and done.stdout == ""
    put(tmp_path / "temp", "a file where the environment should be")
    done = action(workspace, path, policy="policy.toml", install="true")
    assert done.returncode == 70 and done.stdout == ""
