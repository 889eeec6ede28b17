"""A student's work as it was handed in, in folders, archives or loose files: from it are taken the two files, and
trained weights of the configurations that are graded.

The one way in for a single grading, for a class and for platforms. Nothing that was handed in can stop it: whatever is
wrong becomes the problem of that hand-in, in one line.
"""

import difflib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from grader import ROOT
from grader.grading_config import load_grading
from grader.submission.chosen import choose, meant, split_prefix
from grader.submission.chosen_weights import ChosenWeights, WeightsNames, choose_weights
from grader.submission.contents import Contents, look_into
from grader.submission.sources import FILES, sha256
from grader.submission.weights_files import FOLDER, REFUSED, WEIGHTS, digest_of


@dataclass(frozen=True)
class Taken:
    """The files, or the reason why there are none."""

    sources: dict[str, bytes] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)  # model.py → project.zip/assignment/Model.py
    remark: str = ""  # what a person should know all the same, such as that one of the two is missing
    problem: str = ""
    weights: ChosenWeights = field(default_factory=ChosenWeights)

    def listed(self) -> list[str]:
        """Where everything was that was taken: the two files, and weights."""
        of = [str(large.path) for name, large in self.weights.files.items() if name.endswith(WEIGHTS)]
        return [*self.origins.values(), *map(printable, of)]

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of what is judged, as weights_files.digests has it of the folder."""
        found = {f"{FOLDER}/{name}": of.sha256 for name, of in self.weights.files.items() if name.endswith(WEIGHTS)}
        refused = {f"{FOLDER}/{config}{REFUSED}": why.encode() for config, why in self.weights.refused.items()}
        return sha256(self.sources) | found | sha256(refused)


def read(*places: Path, configs: Sequence[str] = ()) -> Taken:
    """The two files of one student, and which weights of these configurations, from all places that are theirs."""
    try:
        contents, names = _look(places, configs)
        chosen, remarks = choose(contents, lambda path: _which(path, places))
        weights = choose_weights(contents, names)
    except UserError as error:
        return Taken(problem=printable(str(error)))
    except Exception as error:  # a hand-in that we did not think of is a problem of its own, not of the class
        return Taken(problem=printable(f"it can't be read: {type(error).__name__}: {error}"))
    refused = {config: printable(why) for config, why in weights.refused.items()}
    remarks += [f"weights not taken: {why}" for why in refused.values()] + weights.remarks
    return Taken(
        {each.file: each.source for each in chosen}, {each.file: printable(str(each.path)) for each in chosen},
        printable("; ".join(remarks)), weights=ChosenWeights(weights.files, refused),
    )  # fmt: skip


def _look(
    places: Sequence[Path], configs: Sequence[str], copies: dict[PurePosixPath, Path] | None = None
) -> tuple[Contents, WeightsNames]:
    loose = frozenset(place.name for place in places if not place.is_dir())
    names, most = WeightsNames(configs, loose), load_grading().weights.bytes
    found = look_into(list(places), lambda path: bool(_which(path, places)), names.is_meant, most=most, copies=copies)
    return found, names


def _which(path: PurePosixPath, places: Sequence[Path]) -> str:
    """Which of the two files is meant by a path; empty if it is neither."""
    loose = any(place.name == path.name and not place.is_dir() for place in places)
    return meant(path.name) or (split_prefix(path.name)[1] if loose else "")


def take(places: list[Path], target: Path, configs: Sequence[str] = ()) -> Taken:
    """Copy what is graded into `target`, which then holds nothing else; it is left alone if there is a problem.

    Raises:
        OSError: the disk is full, or the hand-in is changed meanwhile
    """
    taken = read(*places, configs=configs)
    if not taken.problem and not _is_there(taken, target):
        shutil.rmtree(target, ignore_errors=True)  # but not if it is the same: a job of before may be reading it
        for name, source in taken.sources.items():
            with replacing(target / name) as temporary:
                temporary.write_bytes(source)
        _copy_weights(places, configs, taken.weights, target / FOLDER)
    return taken


def _is_there(taken: Taken, target: Path) -> bool:
    """Whether a folder holds just what was taken."""
    wanted = taken.digests | {f"{FOLDER}/{name}": of.sha256 for name, of in taken.weights.files.items()}
    files = [file for file in target.rglob("*") if file.is_file()]
    return wanted == {file.relative_to(target).as_posix(): digest_of(file) for file in files}


def _copy_weights(places: Sequence[Path], configs: Sequence[str], chosen: ChosenWeights, folder: Path) -> None:
    """In a second pass through the hand-in: nothing large is kept in memory, nor on disk before it is chosen."""
    for config, why in chosen.refused.items():
        with replacing(folder / f"{config}{REFUSED}") as temporary:
            temporary.write_text(why, encoding="utf-8")
    if not chosen.files:
        return
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: folder / f".{name}.half" for name in chosen.files}
    _look(places, configs, {of.path: half[name] for name, of in chosen.files.items()})
    for name, of in chosen.files.items():
        if not half[name].is_file() or digest_of(half[name]) != of.sha256:
            raise OSError(f"{of.path} could not be copied: is the disk full, or is the hand-in being changed?")
        half[name].replace(folder / name)


def holds_the_files(folder: Path) -> bool:
    """Whether at least one of the two lies directly in a folder: then it is a submission as it is."""
    return any((folder / name).exists() or (folder / name).is_symlink() for name in FILES)


def refuse_no_submission(folder: Path) -> None:
    """Raises UserError, with the folder that is meant, where neither of the two files lies directly in this one."""
    if not folder.is_dir():
        kind = "a file; expected the folder it lies in" if folder.exists() else "no such folder"
        raise UserError(f"{folder}: {kind}{_meant(folder)}")
    if not holds_the_files(folder):
        raise UserError(f"{folder}: expected {' or '.join(FILES)} in it, found neither{_meant(folder)}")


def _meant(folder: Path) -> str:
    """Where the files are: in it, beside it or above it, or else in the project's own assignment/."""
    here = [folder, *folder.parents[:1]]
    near = [place for place in here if place.is_dir()]
    found = [below for place in near for below in (place, *sorted(place.iterdir())) if below.is_dir()]
    found = [place for place in found if place != folder and holds_the_files(place)]
    names = {place.name: place for place in found}
    like = difflib.get_close_matches(folder.name, names, n=1)
    best = names[like[0]] if like else next(iter(found), None)
    own = Path(os.path.relpath(ROOT / "assignment"))
    return f"; did you mean {best or own}?"


def printable(text: str) -> str:
    """In one line, and without what could overwrite others."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
