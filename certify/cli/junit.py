"""JUnit XML for the tables that CI systems draw: of a result, one test case for each request; of a gate, one suite for
each certificate and one test case for each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from certify.errors import Exit
from certify.results.claims import Verdict
from certify.results.floor import is_violated, violation
from certify.results.result import Result

if TYPE_CHECKING:
    from certify.gating.gate import Gate


def junit(result: Result) -> str:
    """The XML text. NOT_CERTIFIED is a failure, INDETERMINATE an error."""
    target = result.run.target_epsilon
    verdicts = [Verdict.INDETERMINATE if is_violated(result.run) else c.verdict(target) for c in result.claims]
    suite = ElementTree.Element(
        "testsuite",
        name="plumbline certify",
        tests=str(len(verdicts)),
        failures=str(verdicts.count(Verdict.NOT_CERTIFIED)),
        errors=str(verdicts.count(Verdict.INDETERMINATE)),
    )
    for i, (claim, verdict) in enumerate(zip(result.claims, verdicts, strict=True)):
        case = ElementTree.SubElement(suite, "testcase", classname=f"run.{result.digest[:12]}", name=f"request {i + 1}")
        text = f"epsilon <= {claim.printed(target)}, target {result.epsilon['target']}, delta {result.delta}"
        if is_violated(result.run):
            text = f"{violation(result.run)}; {text}"
        if verdict is Verdict.NOT_CERTIFIED:
            ElementTree.SubElement(case, "failure", message=f"{verdict}: {text}")
        elif verdict is Verdict.INDETERMINATE:
            ElementTree.SubElement(case, "error", message=f"{verdict}: {text}")
        else:
            ElementTree.SubElement(case, "system-out").text = f"{verdict}: {text}"
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=False)


def gate_junit(gate: Gate) -> str:
    """The XML text. Malformed is an error, any other violated rule a failure; what was not reached is skipped."""
    root = ElementTree.Element("testsuites", name="plumbline gate")
    for judged in gate.certificates:
        malformed = judged.exit_code == Exit.USAGE
        violated, skipped = len(judged.violated), sum(check.passed is None for check in judged.checks)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_printable(judged.file),
            tests=str(len(judged.checks)),
            failures=str(0 if malformed else violated),
            errors=str(violated if malformed else 0),
            skipped=str(skipped),
        )
        for check in judged.checks:
            case = ElementTree.SubElement(suite, "testcase", classname=_printable(judged.file), name=check.rule)
            text = f"{check.value} (limit: {check.limit})"
            if check.passed is None:
                ElementTree.SubElement(case, "skipped", message=_printable(text))
            elif check.passed:
                ElementTree.SubElement(case, "system-out").text = _printable(text)
            else:
                ElementTree.SubElement(case, "error" if malformed else "failure", message=_printable(text))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False)


def _printable(text: str) -> str:
    """XML has no control characters, and neither have names of files as far as a table is concerned."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
