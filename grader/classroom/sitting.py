"""One call of the command: work on the folders of a class, by one executor, with progress and ETA."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assignment.ddpm.progress import progress_bar
from grader.classroom import audit, training_costs
from grader.classroom.jobs import RESULTS, Executor, Grading, Jobs, Outcome, Task
from grader.classroom.local_executor import LocalExecutor
from grader.classroom.resources import Resources
from grader.classroom.retrain import Finding, Retraining, finding
from grader.classroom.training_costs import Estimating
from grader.grading_options import GradingOptions
from grader.reports.wording import duration


class Sitting:
    """Resumes where an earlier one was stopped."""

    def __init__(self, output: Path, resources: Resources) -> None:
        """Raises UserError if the executor is not available."""
        self.resources, self.executor = resources, _executor(resources, output)

    def grade(self, folders: dict[str, Path], arguments: list[str], check_ids: set[str]) -> dict[str, Outcome]:
        """Student → outcome, from student → folder; `arguments` are the grader's."""
        return self._work(Grading(tuple(arguments), frozenset(check_ids)), folders, "grading", _points)

    def grade_some(self, task: Task, folders: dict[str, Path]) -> dict[str, Outcome]:
        """The same, for another task: some of the checks."""
        return self._work(task, folders, "grading again", lambda folder: "graded again") if folders else {}

    def audit(self, folders: dict[str, Path], secret: Path | None) -> dict[str, list[str]]:
        """Student → differences found by a second grading, or why there was none."""
        outcomes = self._work(
            audit.Audit(secret), folders, "auditing",
            lambda folder: "; ".join(audit.read(folder)) or "every verdict stands",
        )  # fmt: skip
        return {
            student: [f"not audited: {outcome.problem}"] if outcome.problem else audit.read(outcome.folder)
            for student, outcome in outcomes.items()
        }

    def retrain(self, folders: dict[str, Path], task: Retraining) -> dict[str, Finding]:
        """Student → what training their code again says of what they have handed in."""
        outcomes = self._work(task, folders, "training again", lambda folder: finding(folder).says)
        return {
            student: Finding("unclear", f"not trained again: {outcome.problem}") if outcome.problem
            else finding(outcome.folder) for student, outcome in outcomes.items()
        }  # fmt: skip

    def estimate(self, folders: dict[str, Path], wanted: dict[str, list[str]], options: GradingOptions) -> str:
        """What training them will cost, in words, from student → folder, and → the configurations to train on."""
        outcomes = self._work(
            Estimating.by(options), folders, "measuring",
            lambda folder: "; ".join(_hours(of) for of in training_costs.read(folder).values()),
        )  # fmt: skip
        found = {
            who: {config: of for config, of in training_costs.read(outcome.folder).items() if config in wanted[who]}
            for who, outcome in outcomes.items() if not outcome.problem
        }  # fmt: skip
        return training_costs.in_words(found, options.minutes or math.inf, self.resources)

    def _work(
        self, task: Task, folders: dict[str, Path], doing: str, says: Callable[[Path], str]
    ) -> dict[str, Outcome]:
        names = {folder: student for student, folder in folders.items()}
        jobs, outcomes = Jobs(self.executor, self.resources, task), {}
        with progress_bar(len(names), "submissions", doing) as bar:
            try:
                for outcome in jobs.run(list(names)):
                    student = names[outcome.folder]
                    outcomes[student] = outcome
                    words = f"NOT DONE: {outcome.problem}" if outcome.problem else says(outcome.folder)
                    how = "done before" if outcome.again else f"{outcome.seconds:.0f} s"
                    bar.write(f"{student}: {words}, {how}", file=sys.stderr)
                    bar.update()
            except BaseException:
                self.executor.cancel()
                raise
        return outcomes


def _points(folder: Path) -> str:
    results = json.loads((folder / RESULTS).read_text())
    return f"{results['score']:g} of {results['max_score']:g} points"


def _executor(resources: Resources, output: Path) -> Executor:
    if resources.executor == "slurm":
        from grader.classroom.slurm_executor import SlurmExecutor  # imports submitit

        return SlurmExecutor(resources, output / "jobs", output / "queue.txt")
    return LocalExecutor(resources)


def _hours(estimate: dict[str, Any]) -> str:
    return str(estimate["problem"]) if "problem" in estimate else f"{duration(3600 * estimate['hours'])} of training"
