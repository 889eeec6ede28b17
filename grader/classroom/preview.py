"""What a class would be graded on, and what that takes: `class --dry-run`, which grades and writes nothing."""

import argparse
import json
import statistics
import tempfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assignment.ddpm.config import load_config
from grader import ROOT
from grader.check_ids import config_file, needs_training
from grader.classroom.hand_ins import NOTHING, STUDENTS, HandedIn, strangers
from grader.classroom.jobs import HISTORY, RESULTS, Grading, is_complete
from grader.classroom.rescoring import Stored, find_stale, foresee
from grader.classroom.resources import Resources
from grader.classroom.retrain import how_many
from grader.classroom.sitting import Sitting
from grader.classroom.weights import NO_WEIGHTS
from grader.grading_config import load_grading
from grader.grading_options import GradingOptions
from grader.reports.wording import duration
from grader.submission.contents import ARCHIVE
from grader.submission.handed_in import Taken, printable, read, take
from grader.submission.programs import change
from grader.submission.weights_files import HANDED_IN, WEIGHTS, about, about_file, runs_of

TO_BE_TRAINED = "to be trained"
NOT_TAKEN = "none that can be taken"


@dataclass(frozen=True)
class Plan:
    """For one student."""

    work: HandedIn
    taken: Taken
    done: bool  # graded before, and the same files
    weights: dict[str, str]  # configuration → which weights; empty if there are none

    def __str__(self) -> str:
        remarks = [text for text in (self.work.remark, self.taken.remark) if text]
        if self.work.same_as:
            return f"{self.work.student}: {'; '.join(remarks)}"
        if self.taken.problem:
            return f"{self.work.student}: NOT GRADED: {'; '.join([self.taken.problem, *remarks])}"
        files = [
            name if path.rpartition("/")[2] == name == path else f"{name} from {path}"
            for name, path in self.taken.origins.items()
        ]
        parts = [", ".join(files) + self._where()]
        parts += [f"weights of {config}: {which or 'none'}" for config, which in self.weights.items()]
        parts += remarks
        parts += ["graded before"] if self.done else []
        return f"{self.work.student}: {'; '.join(parts)}"

    def _where(self) -> str:
        """The folder or archive, unless it is named as the student is: whoever reads this sees whose work is taken."""
        places = [place for place in self.work.places if place.is_dir() or ARCHIVE.search(place.name)]
        others = [printable(place.name) for place in places if ARCHIVE.sub("", place.name) != self.work.student]
        return f", in {' and '.join(others)}" if others else ""


def show(
    args: argparse.Namespace, options: GradingOptions, handed_in: list[HandedIn], check_ids: set[str],
    resources: Resources,
) -> int:  # fmt: skip
    """Print a line for each student, then the sums; exit code 1 if somebody could not be graded.

    Args:
        args: the command's; those of `again` would be graded again, whatever there is
    """
    output, again = args.output, {work.same_as or work.student for work in args.again}
    plans = [plan(work, output, options, check_ids, work.student in again) for work in handed_in]
    print(*plans, sep="\n")
    missing = sum(each.work.problem == NOTHING for each in plans)
    failed = sum(bool(each.taken.problem) for each in plans) - missing
    alone = [each for each in plans if not each.work.same_as]
    stale = stale_results(alone, output, check_ids, again) if output and args.rescore else {}
    to_grade = [
        each for each in alone if not each.taken.problem and not each.done and each.work.student not in stale
    ]  # fmt: skip
    before = sum(each.done or each.work.student in stale for each in alone)
    print(
        f"\n{len(to_grade)} would be graded, {before} {'was' if before == 1 else 'were'} graded before, "
        f"{missing} handed nothing in, {failed} could not be graded{_with_groups(len(plans) - len(alone))}"
    )
    if unknown := strangers(handed_in):
        print(unknown)
    again_too = foresee(output, stale, options, check_ids) if output and args.rescore else 0
    print(cost(len(to_grade) + again_too, output, resources))
    if to_train := [each for each in to_grade if TO_BE_TRAINED in each.weights.values()]:
        print(training(to_train, options, resources))
    if args.retrain:
        print(training_again(alone, args.retrain, config_file(2, options.config).stem, resources))
    if says := untrained(plans, check_ids):
        print(says)
    print("nothing was graded or written")
    return 1 if failed else 0


def _with_groups(count: int) -> str:
    return f", {count} {'is' if count == 1 else 'are'} graded with the rest of a group" if count else ""


def training_again(plans: list[Plan], share: float, config: str, resources: Resources) -> str:
    """How many `--retrain` would train, and how long that may take."""
    handed_in = sum(each.weights.get(config, "").startswith(HANDED_IN) for each in plans)
    count = how_many(handed_in, share)
    rounds = -(-count // resources.slots)
    return (
        f"training again: {count} of {handed_in} who handed in weights of {config}, chosen by the secret: "
        f"at most {duration(60 * rounds * resources.minutes)} more"
    )


def stale_results(plans: list[Plan], output: Path, check_ids: set[str], again: Collection[str]) -> Stored:
    """Student → results of what they have handed in, by another grading.yaml."""
    there = {each.work.student: each for each in plans if not each.taken.problem and each.work.student not in again}
    folders = {who: output / STUDENTS / each.work.folder for who, each in there.items()}
    return find_stale(folders, {who: each.taken.digests for who, each in there.items()}, check_ids)


def plan(
    work: HandedIn, output: Path | None, options: GradingOptions, check_ids: set[str], again: bool = False
) -> Plan:  # fmt: skip
    configs = list(options.trained_configs())
    taken = Taken(problem=work.problem) if work.problem or work.same_as else read(*work.places, configs=configs)
    folder = output.resolve() / STUDENTS / work.folder if output else None
    done = folder is not None and not taken.problem and not again and was_graded(folder, taken, check_ids)
    return Plan(work, taken, done, weights(taken, folder, options))


def was_graded(folder: Path, taken: Taken, check_ids: set[str]) -> bool:
    """Whether the class would leave it as it is: complete results of these files."""
    return is_complete(folder / RESULTS, taken.digests, frozenset(check_ids))


def weights(taken: Taken, folder: Path | None, options: GradingOptions) -> dict[str, str]:
    """Configuration → where a student's weights are, or that they will be trained; empty where there are none."""
    source = taken.sources.get("model.py")
    if source is None:
        return {}
    return {
        config.stem: _weights(config, source, taken, folder, options) for config in options.trained_configs().values()
    }


def _weights(config: Path, source: bytes, taken: Taken, folder: Path | None, options: GradingOptions) -> str:
    if large := taken.weights.files.get(f"{config.stem}{WEIGHTS}"):
        changed = change(about(large.start) or {}, source)
        return f"{HANDED_IN}, {taken.weights.describe(config.stem)}" + (
            f"; code changed since: {changed}" if changed else ""
        )
    if config.stem in taken.weights.refused and not options.train:
        return NOT_TAKEN
    runs = ROOT / load_config(config, options.overrides).output_dir
    if options.train:
        runs = runs_of(folder or Path(), source)
    file = runs / f"{config.stem}-student" / "weights.safetensors"
    told = about_file(file) or {}
    is_there = "code" in told and not change(told, source)
    will_be = options.train and config.stem in options.configs_to_train()
    return str(file) if is_there else TO_BE_TRAINED if will_be else ""


def untrained(plans: list[Plan], check_ids: set[str]) -> str:
    """What could not be judged for lack of weights; empty if all could be."""
    without = [each for each in plans if not each.taken.problem and {"", NOT_TAKEN} & {*each.weights.values()}]
    asked = {check: value for check, value in load_grading().points.items() if check in check_ids}
    points = sum(value for check, value in asked.items() if needs_training(check))
    if not without or not points:
        return ""
    return (
        f"NOT A FULL GRADE: up to {points:g} of {sum(asked.values()):g} points could not be judged for {len(without)} "
        f"{'student' if len(without) == 1 else 'students'}, as there are no trained weights of theirs: "
        f"{NO_WEIGHTS}"
    )


def cost(count: int, output: Path | None, resources: Resources) -> str:
    """How many jobs, and how long they may take."""
    rounds = -(-count // resources.slots)
    words = f"cost: {_several(count, 'job')} ({resources.executor}), {min(resources.slots, max(count, 1))} at a time, "
    words += f"each with {_several(resources.cpus, 'CPU core')}, {_several(resources.gpus, 'GPU')} and at most "
    words += f"{_several(resources.minutes, 'minute')}: at most {duration(60 * rounds * resources.minutes)}"
    words += " if each ran into its limit"
    seconds = [job["seconds"] for job in history(output) if job["task"] == Grading.name and job["exit_code"] == 0]
    if seconds:
        typical = statistics.median(seconds)
        return (
            f"{words}, or {duration(typical * rounds)} if each takes {duration(typical)}, as earlier ones of this class"
        )
    return f"{words}; how long one really takes is told once the first of this class have ended" if count else words


def training(plans: list[Plan], options: GradingOptions, resources: Resources) -> str:
    """What the trainings would cost, measured here and now."""
    if resources.executor == "slurm":
        return "training: the cost is measured by the first jobs, and told before the trainings begin"
    with tempfile.TemporaryDirectory() as home:
        folders = {each.work.student: Path(home) / str(k) for k, each in enumerate(plans)}
        for each in plans:
            take(list(each.work.places), folders[each.work.student] / "submission")
        wanted = {
            each.work.student: [config for config, which in each.weights.items() if which == TO_BE_TRAINED]
            for each in plans
        }
        return Sitting(Path(home), resources).estimate(folders, wanted, options)


def history(output: Path | None) -> list[dict[str, Any]]:
    """The jobs of this class that have ended."""
    found = []
    for file in sorted(output.glob(f"{STUDENTS}/*/{HISTORY}")) if output else []:
        with suppress(ValueError):  # killed while it was written
            found += [json.loads(line) for line in file.read_text().splitlines()]
    return found


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
