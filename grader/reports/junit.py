"""JUnit XML, which most CI systems read: https://github.com/testmoapp/junitxml

A check that was not judged is a failure, as `skipped` would look like success. Points are properties of test cases.
"""

import xml.etree.ElementTree as ET
from typing import Any

from grader.reports.wording import clean, one_line, partial

FAILURES = ("failed", "not_judged")  # the rest are errors: the student's code raised, hung or took too much memory
HEADLINE = 300  # characters


def render(results: dict[str, Any]) -> str:
    checks = results["checks"]
    root = ET.Element("testsuites", {"name": "No-Confusion Diffusion", **_counts(checks)})
    for level in sorted({check["level"] for check in checks}):
        of_level = [check for check in checks if check["level"] == level]
        suite = ET.SubElement(root, "testsuite", {"name": f"level{level}", **_counts(of_level)})
        _properties(suite, of_level)
        for check in of_level:
            _case(suite, check)
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True).decode() + "\n"


def _counts(checks: list[dict[str, Any]]) -> dict[str, str]:
    verdicts = [check["verdict"] for check in checks]
    failures = sum(verdict in FAILURES for verdict in verdicts)
    errors = len(checks) - failures - verdicts.count("passed")
    seconds = sum(check["seconds"] for check in checks)
    return {"tests": str(len(checks)), "failures": str(failures), "errors": str(errors), "time": f"{seconds:.3f}"}


def _properties(parent: ET.Element, checks: list[dict[str, Any]]) -> None:
    properties = ET.SubElement(parent, "properties")
    for key in ("points", "max_points"):
        ET.SubElement(properties, "property", name=key, value=str(round(sum(check[key] for check in checks), 6)))


def _case(suite: ET.Element, check: dict[str, Any]) -> None:
    room, _, name = check["id"].rpartition(".")
    case = ET.SubElement(suite, "testcase", classname=room, name=name, time=f"{check['seconds']:.3f}")
    _properties(case, [check])
    if check["verdict"] != "passed":
        kind = "failure" if check["verdict"] in FAILURES else "error"
        about = {"type": check["verdict"], "message": one_line(check["message"], HEADLINE)}
        text = [clean(check[key]) for key in ("claim", "message", "hint", "trace") if check[key]]
        ET.SubElement(case, kind, about).text = "\n".join(text)
    earns = partial(check)
    if also := "\n".join(filter(None, (earns and f"points: {earns}", clean(check["output"])))):
        ET.SubElement(case, "system-out").text = also
