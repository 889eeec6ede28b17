"""What it will cost to train a class: measured from a few steps of each student's own network, before it begins."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from grader.classroom.resources import Resources
from grader.grading_options import GradingOptions
from grader.reports.wording import duration
from grader.submission.sources import read_sources, sha256

ESTIMATE = "estimate.json"  # in a student's folder
NAMED = 5  # students


@dataclass(frozen=True)
class Estimating:
    """A task for jobs.py: `python -m grader estimate` on folder/submission."""

    options: tuple[str, ...]
    name: ClassVar[str] = "estimate"

    @classmethod
    def by(cls, options: GradingOptions) -> "Estimating":
        words = [word for level in options.levels for word in ("--level", str(level))]
        words += ["--config", str(options.config.resolve())] if options.config else []
        return cls((*words, "--sandbox", options.sandbox, *options.overrides))

    def words(self, folder: Path) -> list[str]:
        return ["estimate", str(folder / "submission"), "--output", str(folder / ESTIMATE), *self.options]

    def done(self, folder: Path) -> bool:
        """Whether these files have been measured."""
        try:
            measured = json.loads((folder / ESTIMATE).read_text())["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return bool(measured == sha256(read_sources(folder / "submission")))


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Configuration → what grader.student.training_time has found."""
    found: dict[str, dict[str, Any]] = json.loads((folder / ESTIMATE).read_text())["configs"]
    return found


def in_words(found: dict[str, dict[str, dict[str, Any]]], minutes: float, resources: Resources) -> str:
    """The cost of a class, in a few lines.

    Args:
        found: student → configuration → hours, or a problem
        minutes: of training that each student has
    """
    hours = {who: [of["hours"] for of in configs.values() if "hours" in of] for who, configs in found.items()}
    wanted = {who: sum(of) for who, of in hours.items() if of}
    problems = {
        who: f"{of['problem']} ({config})" for who, configs in found.items() for config, of in configs.items()
        if "problem" in of
    }  # fmt: skip
    lines = []
    if wanted:
        cap = minutes / 60
        total, unit = sum(min(cap, of) for of in wanted.values()), "GPU hours" if resources.gpus else "hours"
        longest = max(wanted, key=lambda who: wanted[who])
        lines.append(
            f"training, by a few steps of each network: {_hours(total, unit)} for {len(wanted)} of {len(found)} "
            f"submissions (median {duration(3600 * statistics.median(wanted.values()))}, longest "
            f"{duration(3600 * wanted[longest])}: {longest}); with {resources.slots} at a time about "
            f"{duration(3600 * max(total / resources.slots, min(cap, wanted[longest])))}"
        )
        if late := [who for who, of in wanted.items() if of > cap]:
            lines.append(f"cut off after {minutes:.0f} minutes (--minutes): {listed(late)}")
    if problems:
        first = next(iter(problems))
        lines.append(f"can't be trained: {listed(list(problems))}; the first says: {problems[first]}")
    return "\n".join(lines)


def _hours(hours: float, unit: str) -> str:
    return f"{hours:.3g} {unit}" if hours >= 0.1 else f"less than 0.1 {unit}"


def listed(names: Sequence[str]) -> str:
    """ann, bob and 3 more"""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
