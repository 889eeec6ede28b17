"""Notes for graders on references whose training has not finished. Imports no torch."""

import json
from collections.abc import Iterable
from pathlib import Path

from grader import ROOT
from grader.check_ids import config_file

COMPARED = (2, 3)  # levels whose reports compare a student with the reference


def provisional(config: str) -> str:
    """Why the recorded results of a reference are provisional; empty if they are final, or if there are none."""
    try:
        return str(json.loads((ROOT / "reference" / "results" / f"{config}.json").read_text())["provisional"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # the checks that need it report that


def notes(levels: Iterable[int], given: Path | None) -> dict[str, str]:
    """A note on each provisional reference that these levels compare with."""
    configs = sorted({config_file(level, given).stem for level in levels if level in COMPARED})
    return {
        f"reference of {config}": f"provisional ({why}); the course's `make reference-all` finishes its training"
        for config in configs
        if (why := provisional(config))
    }
