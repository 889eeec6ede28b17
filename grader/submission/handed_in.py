"""A student's work as it was handed in, in folders, archives or loose files: the two files are taken from it.

The one way in for a single grading, for a class and for platforms. Nothing that was handed in can stop it: whatever is
wrong becomes the problem of that hand-in, in one line.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from grader.submission.chosen import choose, meant, split_prefix
from grader.submission.contents import look_into
from grader.submission.sources import FILES, read_sources


@dataclass(frozen=True)
class Taken:
    """The files, or the reason why there are none."""

    sources: dict[str, bytes] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)  # model.py → project.zip/assignment/Model.py
    remark: str = ""  # what a person should know all the same, such as that one of the two is missing
    problem: str = ""


def read(*places: Path) -> Taken:
    """The two files of one student, from all places that are theirs."""
    loose = {place.name for place in places if not place.is_dir()}

    def which(path: PurePosixPath) -> str:
        return meant(path.name) or (split_prefix(path.name)[1] if path.name in loose else "")

    try:
        chosen, remarks = choose(look_into(list(places), lambda path: bool(which(path))), which)
    except UserError as error:
        return Taken(problem=printable(str(error)))
    except Exception as error:  # a hand-in that we did not think of is a problem of its own, not of the class
        return Taken(problem=printable(f"it can't be read: {type(error).__name__}: {error}"))
    return Taken(
        {each.file: each.source for each in chosen}, {each.file: printable(str(each.path)) for each in chosen},
        printable("; ".join(remarks)),
    )  # fmt: skip


def take(places: list[Path], target: Path) -> Taken:
    """Copy the two files into `target`, which then holds nothing else; it is left alone if there is a problem."""
    taken = read(*places)
    if not taken.problem and not (target.is_dir() and read_sources(target) == taken.sources):
        shutil.rmtree(target, ignore_errors=True)  # but not if it is the same: a job of before may be reading it
        for name, source in taken.sources.items():
            with replacing(target / name) as temporary:
                temporary.write_bytes(source)
    return taken


def holds_the_files(folder: Path) -> bool:
    """Whether at least one of the two lies directly in a folder: then it is a submission as it is."""
    return any((folder / name).exists() or (folder / name).is_symlink() for name in FILES)


def printable(text: str) -> str:
    """In one line, and without what could overwrite others."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
