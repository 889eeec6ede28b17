"""What a class would be graded on, and what that takes: `class --dry-run`, which grades and writes nothing."""

import hashlib
import json
import statistics
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assignment.ddpm.config import load_config
from grader import ROOT
from grader.check_ids import config_file, needs_training
from grader.classroom.hand_ins import NOTHING, STUDENTS, HandedIn
from grader.classroom.jobs import HISTORY, RESULTS, Grading, Resources, is_complete
from grader.classroom.rescoring import Stored, find_stale, foresee
from grader.grading_config import load_grading
from grader.grading_options import GradingOptions
from grader.results import level_of
from grader.submission.handed_in import Taken, read
from grader.submission.sources import sha256

HEADER = 8  # bytes that say how long the header of a safetensors file is
MAX_HEADER = 1 << 20


@dataclass(frozen=True)
class Plan:
    """For one student."""

    work: HandedIn
    taken: Taken
    done: bool  # graded before, and the same files
    weights: dict[str, str]  # configuration → which weights; empty if there are none

    def __str__(self) -> str:
        remarks = [text for text in (self.work.remark, self.taken.remark) if text]
        if self.taken.problem:
            return f"{self.work.student}: NOT GRADED: {'; '.join([self.taken.problem, *remarks])}"
        files = [
            name if path.rpartition("/")[2] == name == path else f"{name} from {path}"
            for name, path in self.taken.origins.items()
        ]
        parts = [", ".join(files)]
        parts += [f"weights of {config}: {which or 'none'}" for config, which in self.weights.items()]
        parts += remarks
        parts += ["graded before"] if self.done else []
        return f"{self.work.student}: {'; '.join(parts)}"


def show(
    handed_in: list[HandedIn], output: Path | None, options: GradingOptions, check_ids: set[str], resources: Resources,
    rescore: bool = False, again: Collection[str] = (),
) -> int:  # fmt: skip
    """Print a line for each student, then the sums; exit code 1 if somebody could not be graded.

    Args:
        rescore: whether results by another grading.yaml would be rescored
        again: students who would be graded again, whatever there is
    """
    plans = [plan(work, output, options, check_ids, work.student in again) for work in handed_in]
    print(*plans, sep="\n")
    missing = sum(each.work.problem == NOTHING for each in plans)
    failed = sum(bool(each.taken.problem) for each in plans) - missing
    stale = stale_results(plans, output, check_ids, again) if output and rescore else {}
    to_grade = [
        each for each in plans if not each.taken.problem and not each.done and each.work.student not in stale
    ]  # fmt: skip
    before = sum(each.done for each in plans)
    print(
        f"\n{len(to_grade)} would be graded, {before} {'was' if before == 1 else 'were'} graded before, "
        f"{missing} handed nothing in, {failed} could not be graded"
    )
    if output and rescore:
        foresee(output, stale, options, check_ids)
    print(cost(len(to_grade), output, options, check_ids, resources))
    if says := untrained(plans, check_ids):
        print(says)
    print("nothing was graded or written")
    return 1 if failed else 0


def stale_results(plans: list[Plan], output: Path, check_ids: set[str], again: Collection[str]) -> Stored:
    """Student → results of what they have handed in, by another grading.yaml."""
    there = {each.work.student: each for each in plans if not each.taken.problem and each.work.student not in again}
    folders = {who: output / STUDENTS / each.work.folder for who, each in there.items()}
    return find_stale(folders, {who: sha256(each.taken.sources) for who, each in there.items()}, check_ids)


def plan(
    work: HandedIn, output: Path | None, options: GradingOptions, check_ids: set[str], again: bool = False
) -> Plan:  # fmt: skip
    taken = Taken(problem=work.problem) if work.problem else read(*work.places)
    folder = output.resolve() / STUDENTS / work.folder if output else None
    done = folder is not None and not taken.problem and not again and was_graded(folder, taken, check_ids)
    return Plan(work, taken, done, weights(taken, folder, options, check_ids))


def was_graded(folder: Path, taken: Taken, check_ids: set[str]) -> bool:
    """Whether the class would leave it as it is: complete results of these files."""
    return is_complete(folder / RESULTS, sha256(taken.sources), frozenset(check_ids))


def configs(options: GradingOptions, check_ids: set[str]) -> list[Path]:
    """The configurations of which trained weights are judged."""
    levels = sorted({level_of(check) for check in check_ids if needs_training(check)})
    return sorted({config_file(level, options.config) for level in levels})


def weights(taken: Taken, folder: Path | None, options: GradingOptions, check_ids: set[str]) -> dict[str, str]:
    """Configuration → where a student's weights are, or that they will be trained; empty where there are none."""
    if "model.py" not in taken.sources:
        return {}
    code, found = hashlib.sha256(taken.sources["model.py"]).hexdigest(), {}
    for config in configs(options, check_ids):
        runs = ROOT / load_config(config, options.overrides).output_dir
        if options.train:
            runs = (folder or Path()) / "trainings" / code[:16]
        file = runs / f"{config.stem}-student" / "weights.safetensors"
        is_there = file.is_file() and trained_code(file) == code
        found[config.stem] = str(file) if is_there else "to be trained" if options.train else ""
    return found


def trained_code(file: Path) -> str:
    """The SHA-256 of the model.py that weights were trained with, as their file's header says."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(HEADER), "little")
            return str(json.loads(opened.read(min(length, MAX_HEADER)))["__metadata__"]["code"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def untrained(plans: list[Plan], check_ids: set[str]) -> str:
    """What could not be judged for lack of weights; empty if all could be."""
    without = [each for each in plans if not each.taken.problem and "" in each.weights.values()]
    asked = {check: value for check, value in load_grading().points.items() if check in check_ids}
    points = sum(value for check, value in asked.items() if needs_training(check))
    if not without or not points:
        return ""
    return (
        f"NOT A FULL GRADE: up to {points:g} of {sum(asked.values()):g} points could not be judged for {len(without)} "
        f"{'student' if len(without) == 1 else 'students'}, as there are no trained weights of theirs: "
        "grade with --train, or read scores without them"
    )


def cost(count: int, output: Path | None, options: GradingOptions, check_ids: set[str], resources: Resources) -> str:
    """How many jobs, and how long they may take."""
    rounds = -(-count // resources.slots)
    words = f"cost: {_several(count, 'job')} ({resources.executor}), {min(resources.slots, max(count, 1))} at a time, "
    words += f"each with {_several(resources.cpus, 'CPU core')}, {_several(resources.gpus, 'GPU')} and at most "
    words += f"{_several(resources.minutes, 'minute')}: at most {_duration(60 * rounds * resources.minutes)}"
    seconds = [job["seconds"] for job in history(output) if job["task"] == Grading.name and job["exit_code"] == 0]
    if seconds:
        typical = statistics.median(seconds)
        words += f", or {_duration(typical * rounds)} if each takes {_duration(typical)}, as earlier ones of this class"
    if options.train and count:
        words += "".join(f"\ntraining on {c.stem}: {recorded(c, options)}" for c in configs(options, check_ids))
    return words


def history(output: Path | None) -> list[dict[str, Any]]:
    """The jobs of this class that have ended."""
    found = []
    for file in sorted(output.glob(f"{STUDENTS}/*/{HISTORY}")) if output else []:
        with suppress(ValueError):  # killed while it was written
            found += [json.loads(line) for line in file.read_text().splitlines()]
    return found


def recorded(config: Path, options: GradingOptions) -> str:
    """How long the reference took for as many epochs, which is a measure for other networks of its size."""
    epochs = load_config(config, options.overrides).training.epochs
    try:
        seed = json.loads((ROOT / "reference" / "results" / f"{config.stem}.json").read_text())["seeds"][0]
        seconds, device = seed["training_seconds"] / seed["epochs"] * epochs, seed["sittings"][0]["machine"]["device"]
    except (OSError, ValueError, KeyError, TypeError, IndexError, ZeroDivisionError):
        return f"{epochs} epochs each"
    return f"{epochs} epochs each; the reference takes {_duration(seconds)} for them ({device})"


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.1f} hours"
