"""Grade part of a class again, and check whether the verdicts stand."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from assignment.ddpm.errors import UserError
from grader.classroom.jobs import RESULTS
from grader.replay import RECORD, is_about


def share_of(option: str, text: str) -> float:
    """10% → 0.1. Raises UserError, which names the option."""
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not text.endswith("%") or not 0 < share <= 1:
        raise UserError(f"{option} {text}: expected a share such as 10%")
    return share


def chosen(students: list[str], share: float) -> list[str]:
    """At least this share of the students: the same ones in every call."""
    by_chance = sorted(students, key=lambda student: hashlib.sha256(student.encode("utf-8", "replace")).digest())
    return by_chance[: math.ceil(share * len(students))]


@dataclass(frozen=True)
class Audit:
    """A task for jobs.py: `python -m grader replay` on a graded folder."""

    secret: Path | None  # the file of the course's secret
    name: ClassVar[str] = "audit"

    def words(self, folder: Path) -> list[str]:
        words = ["replay", str(folder / RESULTS), str(folder / "submission"), "--output", str(folder / RECORD)]
        return [*words, *(["--secret-seed", str(self.secret.resolve())] if self.secret else [])]

    def done(self, folder: Path) -> bool:
        return is_about(folder / RECORD, folder / RESULTS)


def read(folder: Path) -> list[str]:
    """A line for each verdict that differs; none if all stand."""
    record: dict[str, Any] = json.loads((folder / RECORD).read_text())
    return record["differs"]
