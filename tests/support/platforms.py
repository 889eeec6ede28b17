"""What platforms expect of the grader: Classroom 50's variables, and the schemas of the JSON that is sent."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parent / "schemas"
RUNNER = {
    "CLASSROOM": "deep-learning", "ASSIGNMENT": "ddpm", "ASSIGNMENT_TYPE": "individual", "OWNER": "alice",
    "SUBMISSION_TAG": "submit/2026-06-01T14-32-05Z-a1b2c3d", "COMMIT_URL": "https://github.com/x/y/commit/a1b2c3d",
    "RELEASE_URL": "https://github.com/x/y/releases/tag/z", "REVIEW_URL": "https://github.com/x/y/compare/0...a1b2c3d",
}  # fmt: skip


def schema(name: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / f"{name.replace('-', '_')}.json").read_text())


def valid(name: str, page: dict) -> bool:
    return Draft202012Validator(schema(name)).is_valid(page)
