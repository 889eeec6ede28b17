"""What a student's results were before they were graded again or rescored: kept in their folder, for an appeal."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assignment.ddpm.files import replacing
from grader.classroom.jobs import RESULTS
from grader.reports import html
from grader.results import Results

FOLDER = "history"
REPORT = "report.html"
PARTS = {"submission": dict, "environment": dict, "checks": list}  # of results


def keep(folder: Path) -> None:
    """Copy a student's results into folder/history/, named by when they were written and by which grading.yaml.

    The same results are kept once. Whichever moment it is stopped at, nothing is lost and no half copy has the name.
    """
    file = folder / RESULTS
    if not file.is_file():
        return
    when = datetime.fromtimestamp(file.stat().st_mtime, UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    target = folder / FOLDER / f"{when}-{_grading(file)[:8] or 'unknown'}"
    if target.exists():
        return
    partly = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    partly.mkdir(parents=True)
    for name in (RESULTS, REPORT):
        if (folder / name).is_file():
            shutil.copy2(folder / name, partly / name)
    partly.rename(target)


def set_aside(folder: Path) -> None:
    """Keep a student's results, and remove them from where current ones are."""
    keep(folder)
    (folder / RESULTS).unlink(missing_ok=True)


def versions(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """When each was written, and the results; the earliest first, the current ones last."""
    places = [place for place in sorted((folder / FOLDER).glob("*")) if not place.name.startswith(".")]
    found = [(place.name.partition("Z")[0] + "Z", place / RESULTS) for place in places]
    if (folder / RESULTS).is_file():
        found.append(("now", folder / RESULTS))
    return [(when, results) for when, file in found if (results := read(file)) is not None]


def read(file: Path) -> dict[str, Any] | None:
    """The results in a file; None where there are none that can be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return found if all(isinstance(found[key], kind) for key, kind in PARTS.items()) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(folder: Path, results: Results) -> None:
    """Write a student's results, after the report of them: whoever finds the results finds their report."""
    with replacing(folder / REPORT) as temporary:
        temporary.write_bytes(html.render(results.to_json(), folder).encode("utf-8", "replace"))
    results.save(folder / RESULTS)


def _grading(file: Path) -> str:
    try:
        return str((read(file) or {})["environment"].get("grading", ""))
    except (KeyError, AttributeError):
        return ""
