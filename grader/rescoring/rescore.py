"""The results of one submission under another configs/grading.yaml: computed, or named to be graded again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from assignment.ddpm.config import load_config
from grader import __version__, grading_config
from grader.check_ids import check_ids, config_file
from grader.grading_config import Grading, grading_digest, load_grading
from grader.metrics.record import has_learnt, load_record
from grader.rescoring.changes import OVERFIT, About, changed, is_decided, to_grade_again
from grader.rescoring.decide import OVERFITS, decide_overfits, decide_samples
from grader.results import Check, Results, award


@dataclass
class Rescored:
    """`again`: ids of checks that no stored number decides, and of those that are new; `results` lack the new ones."""

    results: Results
    again: set[str]


class Rescorer:
    """To the grading.yaml that is there now, for submissions that were graded with the same options."""

    def __init__(
        self, gradings: Path, levels: Sequence[int], config: Path | None, overrides: Sequence[str], check_ids: set[str]
    ) -> None:
        """`gradings` has the earlier files, each named by its digest."""
        self.gradings, self.now, self.digest = gradings, load_grading(), grading_digest()
        self.configs = {level: config_file(level, config) for level in levels}
        self.data = {level: load_config(file, overrides).data.name for level, file in self.configs.items()}
        self.bands = self.now.bands_of(levels, config, overrides)
        self.check_ids = check_ids
        self.changes = cache(self._changes)
        self.before = cache(load_grading)
        self.record = cache(load_record)

    def _file(self, digest: str) -> Path:
        return self.gradings / f"{digest}.yaml"

    def _changes(self, digest: str) -> dict[str, tuple[Any, Any]] | None:
        """None where the earlier file is not there."""
        if digest == self.digest:
            return {}
        return changed(self._file(digest), grading_config.GRADING) if self._file(digest).is_file() else None

    def rescore(self, results: dict[str, Any]) -> Rescored:
        """From a stored results.json, which stays as it is."""
        environment = results["environment"]
        checks = [_check(values) for values in results["checks"] if values["id"] in self.check_ids]
        again = self.check_ids - {check.id for check in checks}
        changes = self.changes(str(environment.get("grading")))
        if changes is None or environment["grader"] != __version__:
            again = set(self.check_ids)
        else:
            kind = "cpu" if environment["device"] == "cpu" else "gpu"
            kept = [values for values in results["checks"] if values["id"] in self.check_ids]
            again |= to_grade_again(changes, kept, About(self.data, kind))
            if any(map(is_decided, changes)):
                again |= self._decide(checks, changes, kind, self.before(self._file(environment["grading"])))
        for check in checks:
            check.max_points = self.now.points[check.id]
            award(check, self.bands.get(check.id))
        return Rescored(
            Results(
                Path(results["submission"]["path"]), environment | {"grading": self.digest}, checks,
                results["information"], results["submission"]["sha256"], figures=results.get("figures", []),
                adjustments=results.get("adjustments", []), weights=results.get("weights", {}),
                trainings=results.get("trainings", []),
            ),
            again,
        )  # fmt: skip

    def _decide(
        self, checks: list[Check], changes: dict[str, tuple[Any, Any]], kind: str, before: Grading
    ) -> set[str]:  # fmt: skip
        """Judge by the limits that have moved; returns the ids of what has to be graded again."""
        again: set[str] = set()
        moved = {key.rpartition(".")[0] for key in changes if is_decided(key)}
        for level, data in self.data.items():
            of_level = [check for check in checks if check.level == level]
            if f"samples.{data}" in moved and data in self.now.samples and data in before.samples:
                again |= decide_samples(of_level, self.now.samples[data])
                if self._can_be_compared(level, before) != self._can_be_compared(level, self.now):
                    again |= {check.id for check in of_level if ".loss." in check.id}
            overfits = next((check for check in of_level if check.id.endswith(OVERFITS)), None)
            if f"overfit.{kind}" in moved and overfits and decide_overfits(overfits, self.now.overfit[kind].share):
                again |= {check.id for check in of_level if re.fullmatch(OVERFIT, check.id)}
        return again

    def _can_be_compared(self, level: int, grading: Grading) -> bool:
        """Whether the reference passes the limit on its own samples, and so is one to compare losses with."""
        record = self.record(self.configs[level].stem)
        return record is not None and has_learnt(record.figures, grading.samples[self.data[level]].above_real)


def _check(values: dict[str, Any]) -> Check:
    names = {each.name for each in fields(Check)}
    found = Check(**{name: value for name, value in values.items() if name in names})
    found.measurements = dict(found.measurements)
    return found


def merge(rescored: Results, graded: dict[str, Any]) -> Results:
    """With the checks that were graded again in their places."""
    of = {check.id: check for check in rescored.checks} | {c["id"]: _check(c) for c in graded["checks"]}
    figures = {figure["file"]: figure for figure in (*rescored.figures, *graded["figures"])}
    return replace(
        rescored, checks=[of[name] for name in check_ids() if name in of], figures=list(figures.values()),
        information=rescored.information | graded["information"],
    )  # fmt: skip
