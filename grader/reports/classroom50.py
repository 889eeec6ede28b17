"""Classroom 50's result.json: https://github.com/foundation50/classroom50/wiki/Advanced-Autograding

Its schema (schemas/result-v1.schema.json there) allows only whole points, but keeps additional keys of a test, which
hold the exact points.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from assignment.ddpm.errors import UserError
from grader.reports.github import without_commands
from grader.reports.whole_points import whole_points
from grader.reports.wording import explanation, within

SIZE = 5_000_000  # bytes; more than 10 MiB is rejected
TAG = re.compile(r"submit/(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)Z-[0-9a-zA-Z]+")


def render(results: dict[str, Any], environment: Mapping[str, str] = os.environ, committed: str = "") -> str:
    """The student is named by environment variables of Classroom 50's runner. Raises UserError if they are missing."""
    about = identity(environment, committed)
    return within(SIZE, lambda longest: _json(results, about, longest))


def identity(environment: Mapping[str, str], committed: str = "") -> dict[str, str]:
    """What says whose submission it is; `committed`: when, in UTC, or else the moment that the tag names.

    Raises:
        UserError: a variable is missing, or its value is not one of Classroom 50's
    """
    owner = "OWNER" if environment.get("OWNER") else "USERNAME"
    names = {
        "classroom": "CLASSROOM", "assignment": "ASSIGNMENT", "assignment_type": "ASSIGNMENT_TYPE", "owner": owner,
        "submission": "SUBMISSION_TAG", "commit": "COMMIT_URL", "release": "RELEASE_URL", "review": "REVIEW_URL",
    }  # fmt: skip
    missing = [
        "OWNER or USERNAME" if name == "USERNAME" else name for name in names.values() if not environment.get(name)
    ]
    if missing:
        raise UserError(f"classroom50: expected the environment variables of its runner; missing: {', '.join(missing)}")
    about = {key: environment[name] for key, name in names.items()}
    when = TAG.fullmatch(about["submission"])
    if not when:
        raise UserError(f"SUBMISSION_TAG={about['submission']}: expected one like submit/2026-06-01T14-32-05Z-a1b2c3d")
    day, hour, minute, second = when.groups()
    return about | {"datetime": committed or f"{day}T{hour}:{minute}:{second}Z"}  # the same when graded again


def _json(results: dict[str, Any], about: dict[str, str], longest: int) -> str:
    points = whole_points(results["checks"])
    page = {"schema": "classroom50/result/v1"} | about | {
        "score": sum(got for got, _ in points),
        "max-score": sum(most for _, most in points),
        "tests": [
            {
                "test-name": check["id"],
                "passed": check["verdict"] == "passed",
                "score": got,
                "max-score": most,
                "points": check["points"],
                "max-points": check["max_points"],
                "verdict": check["verdict"],
                "message": without_commands(explanation(check, longest)),
            }
            for check, (got, most) in zip(results["checks"], points, strict=True)
        ],
    }  # fmt: skip
    return json.dumps(page, indent=1, ensure_ascii=False) + "\n"
