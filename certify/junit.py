"""JUnit XML of a result: one test case for each request, for the tables that CI systems draw."""

from __future__ import annotations

from xml.etree import ElementTree

from certify.claims import Verdict
from certify.outcome import Result


def junit(result: Result) -> str:
    """The XML text. NOT_CERTIFIED is a failure, INDETERMINATE an error."""
    target = result.run.target_epsilon
    verdicts = [claim.verdict(target) for claim in result.claims]
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
        if verdict is Verdict.NOT_CERTIFIED:
            ElementTree.SubElement(case, "failure", message=f"{verdict}: {text}")
        elif verdict is Verdict.INDETERMINATE:
            ElementTree.SubElement(case, "error", message=f"{verdict}: {text}")
        else:
            ElementTree.SubElement(case, "system-out").text = f"{verdict}: {text}"
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=False)
