"""One call of the command: work on the folders of a class, by one executor, with progress and ETA."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from assignment.ddpm.errors import UserError
from assignment.ddpm.progress import progress_bar
from grader.classroom import audit
from grader.classroom.jobs import RESULTS, Grading, Jobs, Outcome, Queue, Resources, Task, executor_for


class Sitting:
    """Resumes where an earlier one was stopped."""

    def __init__(self, output: Path, resources: Resources) -> None:
        """Raises UserError if the executor is not available."""
        self.output, self.resources = output, resources
        try:
            self.executor = executor_for(resources, output / "jobs")
        except RuntimeError as error:
            raise UserError(f"--executor {resources.executor}: {error}") from error
        self.queue = Queue(output / "queue.txt") if resources.executor == "slurm" else None
        if self.queue:
            self.queue.clear()

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

    def _work(
        self, task: Task, folders: dict[str, Path], doing: str, says: Callable[[Path], str]
    ) -> dict[str, Outcome]:
        names = {folder: student for student, folder in folders.items()}
        jobs, outcomes = Jobs(self.executor, self.resources, task, self.queue), {}
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
                jobs.cancel()
                raise
        return outcomes


def _points(folder: Path) -> str:
    results = json.loads((folder / RESULTS).read_text())
    return f"{results['score']:g} of {results['max_score']:g} points"
