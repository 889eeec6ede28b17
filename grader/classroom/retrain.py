"""Train part of a class from its code, and see whether the losses handed in are plausible: `class --retrain 5%`.

Who is trained follows from the course's secret: the same ones when the command resumes, and nobody can know. What is
compared are the losses that level 2 measures, of the weights handed in and of those that the code has now learnt.
How far apart honest trainings end is measured by `python -m tests.proof.trained_again`.
"""

import hmac
import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import OmegaConf

from assignment.ddpm.config import UNREADABLE, load_config
from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from grader.classroom.jobs import RESULTS, Grading
from grader.submission import weights_files
from grader.submission.sources import read_sources
from grader.submission.weights_files import HANDED_IN

FOLDER = "retrained"  # in a student's folder
LOSS = "level2.loss.beats_reference"
LARGEST = 64 << 10  # bytes of a configuration
THEIRS = ("training.epochs", "training.learning_rate", "training.ema_decay", "training.seed", "data.batch_size")
# Of the loss. Of 30 trainings (three networks, ten seeds each) none was lower than another of the same code by more
# than 6.1 %; where they scatter most, by 2.1 %, a normal distribution puts 0.4 % of honest ones beyond 8 %.
MARGIN = 0.08


def chosen(students: list[str], share: float, secret: bytes) -> list[str]:
    """This share of the students."""
    by_chance = sorted(students, key=lambda student: hmac.digest(secret, b"retrain" + student.encode(), "sha256"))
    return by_chance[: how_many(len(students), share)]


def how_many(students: int, share: float) -> int:
    """Rounded up, so that it is somebody."""
    return math.ceil(share * students)


def handed_in_on(results: dict[str, Any], config: str) -> bool:
    """Whether these are results of weights that a student has handed in."""
    of = results.get("weights", {}).get(config, {})
    return of.get("from") == HANDED_IN and "problem" not in of


@dataclass(frozen=True)
class Retraining:
    """A task for jobs.py: train and judge level 2 on a copy of the code without its weights."""

    arguments: tuple[str, ...]  # the grader's, with --train
    config: Path  # of level 2
    check_ids: frozenset[str]  # of level 2
    name: ClassVar[str] = "retraining"

    def words(self, folder: Path) -> list[str]:
        place = folder / FOLDER
        shutil.rmtree(place / "submission", ignore_errors=True)
        for name, source in read_sources(folder / "submission").items():
            with replacing(place / "submission" / name) as temporary:
                temporary.write_bytes(source)
        own = settings_of(folder / "submission", self.config)
        return ["grade", str(place / "submission"), "--output", str(place), *self.arguments, *own]

    def done(self, folder: Path) -> bool:
        """Whether this code has been trained and judged."""
        if read_sources(folder / "submission") != read_sources(folder / FOLDER / "submission"):
            return False
        return Grading((), self.check_ids).done(folder / FOLDER)


def settings_of(submission: Path, config: Path) -> list[str]:
    """How long, how fast and from which seed a student says to have trained, if the grader takes these numbers."""
    file = weights_files.place(submission, config.stem, weights_files.CONFIG)
    try:
        if file.is_symlink() or file.stat().st_size > LARGEST:
            return []
        given: Any = OmegaConf.to_container(OmegaConf.load(file))
        values = {key: given[section][name] for key in THEIRS for section, name in [key.split(".")]}
        words = [f"{key}={value}" for key, value in values.items() if isinstance(value, (int, float))]
        load_config(config, words)
    except (OSError, KeyError, TypeError, UserError, *UNREADABLE):
        return []  # then as the configuration says
    return words


@dataclass(frozen=True)
class Finding:
    """What came of training a student's code."""

    verdict: str  # plausible, implausible, unclear
    says: str


def finding(folder: Path) -> Finding:
    """Compare what was handed in with what the code has learnt."""
    handed_in, again = (json.loads((place / RESULTS).read_text()) for place in (folder, folder / FOLDER))
    theirs, ours = _loss(handed_in), _loss(again)
    trained = again.get("trainings", [])
    if theirs is None:
        return Finding("unclear", "the weights handed in have no loss on level 2")
    if ours is None:
        why = trained[0]["says"] if trained else "there was no training"
        return Finding("unclear", f"loss {theirs:.4f} handed in, and none trained again: {why}")
    more = theirs / ours - 1
    says = f"loss {theirs:.4f} handed in, {ours:.4f} trained again ({more:+.1%})"
    if -more <= MARGIN:
        return Finding("plausible", says)
    if told := _cut_off(trained):
        return Finding("unclear", f"{says}; {told}, so it may have got further")
    return Finding("implausible", f"{says}: lower by more than {MARGIN:.0%}")


def _loss(results: dict[str, Any]) -> float | None:
    """The validation loss that level 2 has measured."""
    (check,) = [check for check in results["checks"] if check["id"] == LOSS]
    value = check["measurements"].get("loss")
    return float(value) if isinstance(value, (int, float)) else None


def _cut_off(trained: list[dict[str, Any]]) -> str:
    return next((of["says"] for of in trained if of["state"] == "cut off"), "")
