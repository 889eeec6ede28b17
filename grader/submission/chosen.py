"""Which of the files in a hand-in are model.py and sampler.py: those that can only be meant, or else none.

The course's own files beside them, an untouched starter, and the same file twice do not make a choice.
"""

import codecs
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from assignment.ddpm.errors import UserError
from grader.submission.contents import Contents
from grader.submission.sources import FILES, is_starter

# model (1).py, Model.py, model-1.py, model copy.py, Copy of model.py, model.py.txt: as browsers and systems rename it
RENAMED = r"(?: ?\(\d+\)|[-_ ]\d{1,2}_?|(?: -|-)? ?\(?(?:copy|kopie)\)?(?: ?\(?\d+\)?)?)?"
MEANT = re.compile(rf"(?:copy of |kopie von )?(?P<stem>model|sampler){RENAMED}\.py(?:\.txt)?")
# leeann_115_5015_model.py: student, their number, the upload's number; hw_2026_11_ann.zip is not from there.
# leeann_115_text.html was typed into Canvas, and anon_a1B2c_5015_model.py hides the student
CANVAS = re.compile(
    r"(?P<who>.+?)(?:_late)?_(?!(?:19|20)\d\d_\d\d?_)(?P<id>\d+|(?:(?<=^anon_)|(?<=^anon_late_))[a-z0-9]{5})"
    r"_(?:(?P<upload>\d+)_(?P<file>.+)|(?:text|link)\.html)",
    re.IGNORECASE,
)
OURS = ("grader", "tests", "configs", "docs")  # beside assignment/ in a clone; reference/ is never a student's
TOP = {"assignment", "main.py", "reference", *OURS}
NAMED = 3  # files named in a message


def meant(name: str) -> str:
    """Which of the two a file's name means: `Model (1).py` is model.py; empty if neither."""
    plain = unicodedata.normalize("NFC", name).casefold().strip()
    inside = CANVAS.fullmatch(plain)
    found = MEANT.fullmatch(plain) or (inside and MEANT.fullmatch(inside["file"] or ""))
    return f"{found['stem']}.py" if found else ""


def split_prefix(name: str) -> tuple[str, str]:
    """`ann_model.py` → ann, model.py: a loose file's owner, and which file it is; ('', '') if it is neither."""
    for delimiter in re.finditer(r"[\s_.-]+", name):
        if wanted := meant(name[delimiter.end() :]):
            return name[: delimiter.start()], wanted
    return "", ""


@dataclass(frozen=True)
class Candidate:
    file: str  # which of the two
    path: PurePosixPath
    source: bytes

    @property
    def program(self) -> bytes:
        """Without what is different where Windows has written the same."""
        return b"\n".join(self.source.removeprefix(codecs.BOM_UTF8).splitlines())

    @property
    def not_begun(self) -> str:
        """Why it is nobody's work; empty if it is."""
        if not self.source.strip():
            return "is empty"
        return "is the untouched starter" if is_starter(self.source) else ""


def choose(contents: Contents, which: Callable[[PurePosixPath], str]) -> tuple[list[Candidate], list[str]]:
    """What was meant by each file, and remarks on what a person should know.

    Raises:
        UserError: there is neither, or more than one of them, or something that may be one can't be read
    """
    projects = find_projects(all_paths(contents))
    for path, why in contents.unreadable:
        if not is_ours(path, projects):
            raise UserError(why)
    candidates = [Candidate(which(path), path, source) for path, source in contents.wanted]
    theirs = [each for each in candidates if not is_ours(each.path, projects)]
    chosen = [_only(mine, projects) for file in FILES if (mine := [each for each in theirs if each.file == file])]
    others = [*contents.others, *(each.path for each in candidates if each not in theirs)]
    if not chosen:
        raise UserError(
            "; ".join([_found_neither(others), *contents.closed[:NAMED], _advice(others, contents.leads_out)])
        )
    missing = [file for file in FILES if file not in {each.file for each in chosen}]
    if missing and contents.closed:
        told = "; ".join(contents.closed[:NAMED])
        raise UserError(f"found {chosen[0].file} but no {missing[0]}, and {told}; hand in both files, or a zip of them")
    remarks = [f"there is no {file}{_instead(file, others)}" for file in missing]
    remarks += [f"{each.file} {each.not_begun}" for each in chosen if each.not_begun]
    programs = {each.program for each in chosen}
    if beside := [each.path for each in theirs if each.program not in programs and not each.not_begun]:
        remarks.append(f"not taken: {listed(beside)}")
    return chosen, remarks + contents.closed[:NAMED]


def all_paths(contents: Contents) -> list[PurePosixPath]:
    return [*(path for path, _ in contents.wanted), *(each.path for each in contents.large), *contents.others]


def find_projects(paths: Iterable[PurePosixPath]) -> set[tuple[str, ...]]:
    """The folders of this project's copies, told by what lies in them, whole or in part."""
    inside: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for path in paths:
        for depth in range(len(path.parts)):
            inside[path.parts[:depth]].add(path.parts[depth])
    return {
        folder for folder, names in list(inside.items())
        if (names & {"assignment", "grader", "reference"} and len(names & TOP) > 1)
        or ("assignment" in names and "ddpm" in inside[*folder, "assignment"])
    }  # fmt: skip


def is_ours(path: PurePosixPath, projects: set[tuple[str, ...]]) -> bool:
    """Whether a file belongs to the course: the reference's wherever it is, all other given code in a copy."""
    below = [path.parts[len(folder) :] for folder in projects if path.parts[: len(folder)] == folder]
    return "reference" in path.parts[:-1] or any(
        parts[0] in OURS or parts[:2] in (("assignment", "ddpm"), ("assignment", "digits")) for parts in below
    )


def _only(candidates: list[Candidate], projects: set[tuple[str, ...]]) -> Candidate:
    """The one that is meant. Raises UserError if several differ."""
    written = [each for each in candidates if not each.not_begun] or candidates
    for folder in projects:
        home = (*folder, "assignment")
        if any(each.path.parent.parts == home for each in written):
            written = [e for e in written if e.path.parent.parts == home or e.path.parts[: len(folder)] != folder]
    exact = sorted(written, key=lambda each: (each.path.name != each.file, len(each.path.parts), str(each.path)))
    if len({each.program for each in written}) > 1:
        first, second = exact[0], next(each for each in exact if each.program != exact[0].program)
        raise UserError(
            f"{first.file} is there {len(written)} times: {first.path} and {second.path}, which differ; hand in one"
        )
    return exact[0]


def _found_neither(others: list[PurePosixPath]) -> str:
    expected = f"expected {' or '.join(FILES)}, found neither"
    return f"{expected}, only {listed(others)}" if others else expected


def _advice(others: list[PurePosixPath], leads_out: bool) -> str:
    endings = {path.suffix.casefold() for path in others}
    if named := [path for path in others if meant(path.name)]:
        if any("reference" in path.parts[:-1] for path in named):
            return "reference/ is the course's, so put your own into assignment/, or at the top"
        if leads_out:
            return "their paths lead out of the archive, so pack the folder that they lie in"
    if ".ipynb" in endings:
        return f"copy the notebook's code into {' and '.join(FILES)}"
    return "give the right file its name" if ".py" in endings else "hand in the two files, or a zip of them"


def _instead(file: str, others: list[PurePosixPath]) -> str:
    """What may have been meant by a file that is not there."""
    stem = file.removesuffix(".py")
    near = [path for path in others if path.suffix.casefold() == ".ipynb" or stem in path.name.casefold()]
    return f", but {listed(near)}" if near else ""


def listed(paths: list[PurePosixPath]) -> str:
    """Those nearest to the top first: a.py, b.pdf and 3 more."""
    first = sorted(paths, key=lambda path: (len(path.parts), path.suffix not in (".py", ".ipynb"), str(path)))[:NAMED]
    names, more = ", ".join(map(str, first)), len(paths) - len(first)
    return f"{names} and {more:,} more" if more else names
