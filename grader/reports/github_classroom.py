"""A grader's `result` for GitHub Classroom's reporter: JSON in base64, one line, for $GITHUB_OUTPUT.

https://github.com/classroom-resources/autograding-grading-reporter reads the line from an environment variable, which
Linux limits to 128 KiB, and prints names and messages to the log. The score that it reports is the sum of the tests'
scores; the table in its log counts passed tests instead.
"""

import base64
import json
import re
from typing import Any

from grader.reports.github import without_commands
from grader.reports.wording import explanation, partial, within

SIZE = 120_000  # bytes
STATUS = {"passed": "pass", "failed": "fail", "not_judged": "fail"}


def render(results: dict[str, Any]) -> str:
    return within(SIZE, lambda longest: _line(results, longest))


def _line(results: dict[str, Any], longest: int) -> str:
    tests = [_test(check, longest) for check in results["checks"]]
    found = {test["status"] for test in tests}
    status = next((worst for worst in ("fail", "error") if worst in found), "pass")
    page = {"version": 1, "status": status, "max_score": results["max_score"], "tests": tests}
    return base64.b64encode(json.dumps(page).encode()).decode() + "\n"


def _test(check: dict[str, Any], longest: int) -> dict[str, Any]:
    place = re.fullmatch(r"(.+):([0-9]+)", check["location"])
    passed = check["verdict"] == "passed"
    return {
        "name": check["id"],
        "status": STATUS.get(check["verdict"], "error"),
        "score": check["points"],
        "message": "" if passed and not partial(check) else without_commands(explanation(check, longest)),
        "test_code": "",
        "filename": place[1] if place else "",
        "line_no": int(place[2]) if place else 0,
        "duration": round(1000 * check["seconds"]),
    }
