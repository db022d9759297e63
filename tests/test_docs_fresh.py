"""The pages drawn from the code say what the code says."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from certify import checker

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "docs" / "generate.py"

spec = importlib.util.spec_from_file_location("generate", SCRIPT)
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stale_page_is_found(tmp_path, monkeypatch, capsys) -> None:
    for name in generate.PAGES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
    pages = {name: lambda name=name: f"what {name} should say\n" for name in generate.PAGES}
    monkeypatch.setattr(generate, "PAGES", pages)
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(["--check"]) == 1 and not (tmp_path / "THEOREMS.md").exists()
    assert generate.main([]) == 0 and generate.main(["--check"]) == 0
    (tmp_path / "docs" / "run-file.md").write_text("something else")
    capsys.readouterr()
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err == "stale: docs/run-file.md; run `python docs/generate.py`\n"
    assert generate.main(["--what"]) == 2


def test_every_theorem_has_a_family() -> None:
    """A new theorem lands in a family of the page, not under "More"."""
    assert "More" not in generate.families()


def anchors(page: Path) -> set[str]:
    lines = page.read_text(encoding="utf-8").splitlines()
    return {generate.anchor(line.lstrip("# ")) for line in lines if line.startswith("#")}


def test_links_lead_somewhere() -> None:
    for name in (name for name in generate.PAGES if name.endswith(".md")):
        targets = re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8"))
        assert targets
        for target in (target for target in targets if not target.startswith("https://")):
            path, _, part = target.partition("#")
            page = (ROOT / name).parent / path if path else ROOT / name
            assert page.exists() and (not part or part in anchors(page)), target


def test_every_key_and_every_theorem_is_there() -> None:
    run_file = (ROOT / "docs" / "run-file.md").read_text(encoding="utf-8")
    for choices in generate.TABLES.values():
        for choice in choices:
            for key, field in choice.model_fields.items():
                assert f"| `{key}` |" in run_file and field.description
    theorems = (ROOT / "THEOREMS.md").read_text(encoding="utf-8")
    for id, t in generate.THEOREMS.items():
        assert f"### {id}: {t.name}\n" in theorems
        assert all(c.replace("{name}", "each constant").replace("|", "\\|") in theorems for c in t.conditions)


def test_the_table_of_the_certificates_theorems_has_every_rule() -> None:
    page = (ROOT / "docs" / "certificate.md").read_text(encoding="utf-8")
    for rule in checker.RULES.values():
        line = next(line for line in page.splitlines() if line.startswith(f"| {rule.id} | {rule.name} |"))
        assert all(f"`{key}`" in line for key in rule.arguments)
        assert all(f'"{key}"' in line for key in rule.concludes)
    with pytest.raises(ValueError, match="are gone"):
        generate.with_table(page.replace("<!-- End of what is drawn. -->", ""))
