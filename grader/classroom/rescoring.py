"""`class --rescore`: points anew after configs/grading.yaml has changed; only what no stored number decides is graded.

A student's results are replaced in one step, after the old ones have been kept, and name the grading.yaml that they are
by: whenever it is stopped, the same command does what is left.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from assignment.ddpm.progress import progress_bar
from grader import grading_config
from grader.classroom import changes, history
from grader.classroom.jobs import RESULTS, Outcome, Task, files_of, is_complete
from grader.grading_config import grading_digest
from grader.grading_options import GradingOptions
from grader.rescoring.rescore import Rescored, Rescorer, merge
from grader.results import level_of
from grader.submission.sources import read_sources
from grader.submission.weights_files import runs_of

GRADINGS = "gradings"  # every grading.yaml that a class was graded by, named by its digest
AGAIN = "again"  # in a student's folder: what is graded again, until it is merged
Stored = dict[str, dict[str, Any]]  # student → results


def keep_grading(output: Path) -> None:
    file = output / GRADINGS / f"{grading_digest()}.yaml"
    if not file.exists():
        with replacing(file) as temporary:
            temporary.write_bytes(grading_config.GRADING.read_bytes())


def refuse_another_grading(output: Path, folders: Iterable[Path]) -> None:
    """Raises UserError if results are there by another grading.yaml than that of now."""
    stored = [results for folder in folders if (results := history.read(folder / RESULTS))]
    if other := sum(_grading(results) != grading_digest() for results in stored):
        raise UserError(
            f"{output}: {other} of {len(stored)} results are by another configs/grading.yaml; expected --rescore, "
            "which computes points anew and grades again only what it has to, or a new --output"
        )


def find_stale(folders: dict[str, Path], files: dict[str, dict[str, str]], check_ids: set[str]) -> Stored:
    """Results of the files that are handed in, but by another grading.yaml or with other checks.

    Args:
        files: student → name → SHA-256 of what is handed in
    """
    found = {}
    for student, folder in folders.items():
        results = history.read(folder / RESULTS)
        if results and results["submission"]["sha256"] == files[student]:
            same = {check["id"] for check in results["checks"]} == check_ids
            if not same or _grading(results) != grading_digest():
                found[student] = results
    return found


def _grading(results: dict[str, Any]) -> str:
    return str(results["environment"].get("grading", ""))


def compute(output: Path, stale: Stored, options: GradingOptions, check_ids: set[str]) -> dict[str, Rescored]:
    """Each student's results by the grading.yaml of now, and what has to be graded again; says how much that is."""
    rescorer = Rescorer(output / GRADINGS, options.levels, options.config, options.overrides, check_ids)
    found = {}
    with progress_bar(len(stale), "submissions", "rescoring") as bar:
        for student, results in stale.items():
            found[student] = rescorer.rescore(results)
            bar.update()
    whole = sum(each.again == check_ids for each in found.values())
    some = [each.again for each in found.values() if each.again and each.again != check_ids]
    print(
        f"{len(stale)} to rescore: {len(stale) - whole - len(some)} from what is stored, {len(some)} with some checks "
        f"to grade again, {whole} to grade anew"
    )
    for check, count in sorted(Counter(check for again in some for check in again).items()):
        print(f"  {check}: to grade again for {count}")
    return found


@dataclass(frozen=True)
class Regrading:
    """A task for jobs.py: some checks of each submission, with the weights that are there."""

    options: GradingOptions
    checks: dict[Path, frozenset[str]]  # folder → ids
    name: ClassVar[str] = "grader-again"

    def words(self, folder: Path) -> list[str]:
        wanted = tuple(sorted(self.checks[folder]))
        levels = tuple(sorted({level_of(check) for check in wanted}))
        options = replace(self.options, train=False, minutes=None, checks=wanted, levels=levels)
        runs = [f"output_dir={run}" for run in trainings(folder)] if self.options.train else []
        return ["grade", str(folder / "submission"), "--output", str(folder / AGAIN), *options.words(), *runs]

    def done(self, folder: Path) -> bool:
        return is_complete(folder / AGAIN / RESULTS, files_of(folder), self.checks[folder])


def trainings(folder: Path) -> list[Path]:
    """The folder with the runs of the code that is handed in, where the course has trained it."""
    runs = runs_of(folder, read_sources(folder / "submission").get("model.py", b""))
    return [runs] if runs.is_dir() else []


def rescore(
    output: Path, folders: dict[str, Path], options: GradingOptions, check_ids: set[str],
    work: Callable[[Task, dict[str, Path]], dict[str, Outcome]],
) -> tuple[dict[str, str], Stored]:  # fmt: skip
    """Bring all results to the grading.yaml of now; prints what changes for whom.

    Args:
        folders: student → folder, with what is handed in
        work: does a task on some of them
    Returns:
        student → why checks of theirs could not be graded again; their old results stay
        student → old results of those who have to be graded anew, which is left to the caller
    """
    stale = find_stale(folders, {who: files_of(folder) for who, folder in folders.items()}, check_ids)
    if not stale:
        print("every result is by the grading.yaml of now")
        return {}, {}
    rescored = compute(output, stale, options, check_ids)
    whole = {who for who, each in rescored.items() if each.again == check_ids}
    for who in whole:  # graded with those who were not graded before
        history.set_aside(folders[who])
    some = {folders[who]: frozenset(each.again) for who, each in rescored.items() if each.again and who not in whole}
    outcomes = work(Regrading(options, some), {who: folders[who] for who in rescored if folders[who] in some})
    problems = {who: f"not rescored: {outcome.problem}" for who, outcome in outcomes.items() if outcome.problem}
    now = {
        who: finish(folders[who], each) for who, each in rescored.items() if who not in whole and who not in problems
    }
    differ = [who for who in now if changes.checks(stale[who], now[who])]
    for who in differ:
        print(changes.line(who, stale[who], now[who]))
    scored = sum(stale[who]["score"] != now[who]["score"] for who in differ)
    only = f", {len(differ) - scored} more other verdicts only" if len(differ) > scored else ""
    print(f"{len(now)} rescored: {scored} have other points{only}; all changes are in {changes.FILE}")
    return problems, {who: stale[who] for who in whole}


def finish(folder: Path, rescored: Rescored) -> dict[str, Any]:
    """Put new results in the place of the old ones, which are kept."""
    results = rescored.results
    if rescored.again:
        results = merge(results, json.loads((folder / AGAIN / RESULTS).read_text(encoding="utf-8")))
    history.keep(folder)
    for picture in (folder / AGAIN).glob("*.png"):
        shutil.copy2(picture, folder / picture.name)
    history.save(folder, results)
    shutil.rmtree(folder / AGAIN, ignore_errors=True)
    return results.to_json()


def foresee(output: Path, stale: Stored, options: GradingOptions, check_ids: set[str]) -> int:
    """What `rescore` would do, for `--dry-run`; returns how many would have something to grade."""
    rescored = compute(output, stale, options, check_ids)
    for who, each in rescored.items():
        if each.again != check_ids:
            more = f"; checks to grade again: {len(each.again)}" if each.again else ""
            print(changes.line(who, stale[who], each.results.to_json()) + more)
    return sum(bool(each.again) for each in rescored.values())
