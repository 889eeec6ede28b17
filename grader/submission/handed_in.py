"""Submissions as they were handed in: one folder or zip file per student, named as platforms name them.

From each, only model.py and sampler.py are taken, wherever they are inside, provided that each is there only once.
"""

import csv
import shutil
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from grader.submission.sources import FILES, MOST, read_sources, why_missing

DEPTH = 4  # levels of nested folders that are searched
JUNK = ("__MACOSX",)


@dataclass(frozen=True)
class HandedIn:
    """One student's work. `problem` says why it can't be graded."""

    student: str
    place: Path
    problem: str = ""
    about: dict[str, str] = field(default_factory=dict)  # the roster's line


def find(folder: Path, roster: Path | None = None) -> list[HandedIn]:
    """All submissions in a folder, by name; with a roster, also students without one.

    Raises:
        UserError: the folder is missing or empty, or the roster can't be read
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected one with a folder or zip file for each student")
    places = sorted(
        place for place in folder.iterdir()
        if not place.name.startswith(".") and place.name not in JUNK and (place.is_dir() or place.suffix == ".zip")
    )  # fmt: skip
    found = {_name(place): place for place in places}
    if len(found) < len(places):
        twice = next(_name(place) for place in places if found[_name(place)] != place)
        raise UserError(f"{folder}: {twice} is there twice, as a folder and as a zip file")
    if not found:
        raise UserError(f"{folder}: expected a folder or zip file for each student, found none")
    if roster is None:
        return [HandedIn(student, place) for student, place in found.items()]
    return _by_roster(found, roster)


def _name(place: Path) -> str:
    return place.stem if place.suffix == ".zip" and place.is_file() else place.name


def _by_roster(found: dict[str, Path], roster: Path) -> list[HandedIn]:
    try:
        with roster.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{roster}: expected a CSV file in UTF-8: {error}") from error
    if not rows or "student" not in rows[0]:
        raise UserError(f"{roster}: expected a column `student` with the names of the folders, or parts of them")
    handed_in, left = [], dict(found)
    for row in rows:
        student = (row["student"] or "").strip()
        if student in ("", ".", "..") or "/" in student:
            raise UserError(f"{roster}: student {student!r}: expected the name of a folder")
        about = {k: v or "" for k, v in row.items() if k and k != "student"}
        # platforms add numbers and dates to names
        matching = [name for name in left if name == student] or [name for name in left if student in name]
        if len(matching) > 1:
            raise UserError(f"{roster}: {student} is part of {matching[0]} and of {matching[1]}; expected one of them")
        if matching:
            handed_in.append(HandedIn(student, left.pop(matching[0]), about=about))
        else:
            handed_in.append(HandedIn(student, Path(), "nothing handed in", about))
    return handed_in + [HandedIn(name, place, about={}) for name, place in left.items()]


def unpack(work: HandedIn, target: Path) -> str:
    """Copy the two files into `target`, which then holds nothing else; returns the reason if that fails, else ''."""
    if work.problem:
        return work.problem
    try:
        sources = _from_zip(work.place) if work.place.is_file() else _from_folder(work.place)
    except UserError as error:
        return str(error)
    if target.is_dir() and read_sources(target) == sources:
        return ""  # a job from an earlier sitting may be reading it
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name, source in sources.items():
        with replacing(target / name) as temporary:
            temporary.write_bytes(source)
    return ""


def find_assignment(place: Path) -> Path:
    """The folder with the files: `assignment/` of a checkout, or the top; otherwise they have to be searched for."""
    likely = (place / "assignment", place)
    return next((folder for folder in likely if any((folder / name).exists() for name in FILES)), place)


def take(place: Path, target: Path) -> str:
    """Copy them into `target`, a new folder; returns the reason if that fails, else ''."""
    sources = read_sources(find_assignment(place))
    if not sources:
        return unpack(HandedIn("", place), target)
    for name, source in sources.items():
        with replacing(target / name) as temporary:
            temporary.write_bytes(source)
    return ""


def _from_folder(folder: Path) -> dict[str, bytes]:
    places: dict[str, list[PurePosixPath]] = {name: [] for name in FILES}
    level = [folder]
    for _ in range(DEPTH):
        for name in FILES:
            places[name] += [PurePosixPath(f / name) for f in level if (f / name).exists() or (f / name).is_symlink()]
        level = [
            below for f in level for below in sorted(f.iterdir())
            if below.is_dir() and not below.is_symlink() and not below.name.startswith(".") and below.name not in JUNK
        ]  # fmt: skip
    sources = {}
    for name, place in _only(places).items():
        if why := why_missing(Path(place)):
            raise UserError(why)
        sources[name] = Path(place).read_bytes()
    return sources


def _from_zip(file: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(file) as opened:
            places: dict[str, list[PurePosixPath]] = {name: [] for name in FILES}
            for member in opened.infolist():
                path = PurePosixPath(member.filename.replace("\\", "/"))
                hidden = any(part in JUNK or part.startswith(".") for part in path.parts)
                if path.name in places and not member.is_dir() and not hidden and len(path.parts) <= DEPTH:
                    places[path.name].append(PurePosixPath(member.filename))
            sources = {}
            for name, place in _only(places).items():
                with opened.open(str(place)) as part:
                    source = part.read(MOST + 1)  # whatever size the archive claims
                if len(source) > MOST:
                    raise UserError(f"{name} has more than {MOST:,} bytes")
                sources[name] = source
            return sources
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError) as error:
        raise UserError(f"{file.name} is no zip file that can be read: {error}") from error


def _only(places: dict[str, list[PurePosixPath]]) -> dict[str, PurePosixPath]:
    """The one place of each file. Raises UserError if there are several, or no file at all."""
    for name, found in places.items():
        if len(found) > 1:
            raise UserError(f"{name} is there {len(found)} times: {found[0]} and {found[1]}; expected one")
    kept = {name: found[0] for name, found in places.items() if found}
    if not kept:
        raise UserError(f"expected {' or '.join(FILES)}, found neither")
    return kept
