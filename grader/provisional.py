"""What graders have to know of the recorded references before anything is judged. Imports no torch."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from grader import ROOT
from grader.check_ids import config_file

UNREADABLE = (OSError, ValueError, KeyError, TypeError)
COMPARED = (2, 3, 6)  # levels whose reports compare a student with the reference


def provisional(config: str) -> str:
    """Why the recorded results of a reference are provisional; empty if they are final, or if there are none."""
    try:
        return str(_record(config)["provisional"])
    except UNREADABLE:
        return ""  # the checks that need it report that


def milestones(config: str) -> dict[int, float] | None:
    """Epoch → how far the reference's loss was above its final one, as a part of that; None if there is no record."""
    try:
        record = _record(config)
        chosen = next(seed for seed in record["seeds"] if seed["seed"] == record["chosen_seed"])
        return {int(row["epoch"]): row["loss"] / chosen["loss"] - 1 for row in chosen["milestones"]}
    except (*UNREADABLE, StopIteration, ZeroDivisionError):
        return None


def _record(config: str) -> Any:
    return json.loads((ROOT / "reference" / "results" / f"{config}.json").read_text())


def notes(levels: Iterable[int], given: Path | None) -> dict[str, str]:
    """A note on each provisional reference that these levels compare with."""
    configs = sorted({config_file(level, given).stem for level in levels if level in COMPARED})
    return {
        f"reference of {config}": f"provisional ({why}); the course's `make reference-all` finishes its training"
        for config in configs
        if (why := provisional(config))
    }
