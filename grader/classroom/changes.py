"""What became of points from one version of a student's results to the next: on the terminal, and in changes.csv."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from grader.classroom import history
from grader.reports.wording import word

FILE = "changes.csv"
HEADER = [
    "student", "replaced", "grading before", "grading after", "check", "verdict before", "verdict after",
    "points before", "points after",
]  # fmt: skip
SHOWN = 6  # checks in a line


def checks(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Id, and the check before and after, None where it was not there, for each whose verdict or points differ."""
    old, new = ({check["id"]: check for check in results["checks"]} for results in (before, after))
    return [
        (name, old.get(name), new.get(name))
        for name in dict.fromkeys((*old, *new))
        if _gist(old, name) != _gist(new, name)
    ]


def _gist(checks: dict[str, Any], name: str) -> Any:
    return (checks[name]["verdict"], checks[name]["points"]) if name in checks else None


def line(student: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    """ada: 12.5 → 13.25 points: level1.samples.fid 0 → 0.38 (failed)"""
    differ = checks(before, after)
    shown = ", ".join(_in_words(*each) for each in differ[:SHOWN])
    more = f" and {len(differ) - SHOWN} more" if differ[SHOWN:] else ""
    same = "" if before["score"] != after["score"] else ", as before"
    return f"{student}: {before['score']:g} → {after['score']:g} points{same}" + (f": {shown}{more}" if differ else "")


def _in_words(name: str, old: Any, new: Any) -> str:
    if old is None or new is None:
        return f"{name} {'is new' if old is None else 'is gone'}"
    was, now = word(old["verdict"]), word(new["verdict"])
    verdict = f"{was} → {now}" if was != now else now
    return f"{name} {old['points']:g} → {new['points']:g} ({verdict})"


def rows(folders: dict[str, Path]) -> Iterable[list[Any]]:
    """The header, then for each time that a student's results were replaced the score, and each check that differs."""
    yield HEADER
    for student, folder in folders.items():
        versions = history.versions(folder)
        for (when, before), (_, after) in pairwise(versions):
            gradings = [str(results["environment"].get("grading", ""))[:8] for results in (before, after)]
            about = [student, when, *gradings]
            yield [*about, "score", "", "", before["score"], after["score"]]
            for name, old, new in checks(before, after):
                verdicts = [check["verdict"] if check else "" for check in (old, new)]
                yield [*about, name, *verdicts, *(check["points"] if check else "" for check in (old, new))]
