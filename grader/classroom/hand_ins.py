"""A class as its platform exports it: who has handed in, and in which folders, archives and loose files."""

import hashlib
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from assignment.ddpm.errors import UserError
from grader.classroom.gradescope import METADATA, Submitter, in_words, match_submitters, submitters
from grader.classroom.matching import Mark, Matching, match, shared_words
from grader.classroom.roster import Row, read_roster
from grader.submission.chosen import CANVAS, TOP, meant, split_prefix
from grader.submission.chosen_weights import WeightsNames
from grader.submission.contents import ARCHIVE, JUNK
from grader.submission.handed_in import printable
from grader.submission.weights_files import known_configs

MOODLE = re.compile(r"(?P<who>.+_\d+)_assignsubmission_(?:file|onlinetext)(?:_.*)?", re.IGNORECASE)
# HW 1_alee_attempt_2026-11-25-10-00-00_model.py, and a .txt about the attempt
BLACKBOARD = re.compile(
    r"(?P<who>(?P<user>.+)_attempt_\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(?:_(?P<file>.+)|\.txt)", re.IGNORECASE
)
# what platforms and systems put beside the hand-ins
NO_WORK = {
    ".csv", ".xlsx", ".xls", ".ods", ".html", ".htm", ".json", ".yml", ".yaml", ".xml", ".log", ".db", ".ini",
}  # fmt: skip
# 397063-2557369 - Mary-Ann Smith - Sep 24, 2024 926 PM, of D2L Brightspace
D2L = re.compile(r"\d+-\d+ - (?P<who>.+?) ?- (?:\w+ \d+,? \d{4}|\d+ \w+,? \d{4}) \d+ [AP]M(?: - .*)?", re.IGNORECASE)
STUDENTS = "students"  # the folder with theirs, in that of the results
SETTINGS = "class.json"  # beside it, in that of the results
NAMED = 5  # students, in a line
MAX_NAME = 100  # bytes of a folder's name
NOTHING = "nothing handed in"
STRANGER = "not in the roster"
RENAME = "give the folder or file the student's whole name or number"
TWICE = "the roster has them more than once: keep one row, or give each of them a number in a column `ID`"


@dataclass(frozen=True)
class HandedIn:
    """One student's work. `problem` says why it can't be graded."""

    student: str  # as tables show it; no two are the same
    places: tuple[Path, ...] = ()
    problem: str = ""
    about: dict[str, str] = field(default_factory=dict)  # the roster's line
    remark: str = ""  # what a person should know all the same
    folder: str = ""  # below students/
    group: str = ""
    row: int | None = None  # of the roster, from 0
    same_as: str = ""  # the student of the group who has handed in for this one


def find(folder: Path, roster: Path | None = None, output: Path | None = None) -> tuple[list[HandedIn], list[str]]:
    """Everybody, and the names of what was left out; with a roster in its order, also those without work.

    Args:
        output: where results go; neither it nor the roster is a hand-in, should it be in the same folder
    Raises:
        UserError: the folder is missing or empty, or the roster can't be read
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(
            f"{folder} is a file; unpack what your platform gave you, and name the folder with the hand-ins"
        )
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected one with a folder or zip file for each student")
    if output and (says := not_for_results(output.resolve(), folder.resolve())):
        raise UserError(f"--output {output}: {says}; expected a folder that holds nothing else")
    ours = {place.resolve() for place in (roster, output) if place}
    places = sorted(place for place in folder.resolve().iterdir() if place not in ours)
    found = by_student([place for place in places if not is_no_work(place)])
    if not found:
        raise UserError(f"{folder}: expected a folder or zip file for each student, found none")
    people = submitters(folder / METADATA) if (folder / METADATA).is_file() else {}
    whose = {student: people[at[0].name] for student, at in found.items() if people.get(at[0].name)}
    names = [in_words(whose[student]) if student in whose else student for student in found]
    works = told_apart(_work(name, at) for name, at in zip(names, found.values(), strict=True))
    if roster:
        named = {work.student: whose[key] for work, key in zip(works, found, strict=True) if key in whose}
        works = told_apart(_by_roster({work.student: work for work in works}, read_roster(roster), named))
    return [_their_own(work) for work in works], [printable(place.name) for place in places if is_no_work(place)]


def strangers(works: Sequence[HandedIn]) -> str:
    """Whose work has found no row of the roster, in a line; empty if all has, or there is no roster."""
    names = [work.student for work in works if work.remark == STRANGER]
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if names[NAMED:] else ""
    says = f"{len(names)} not in the roster: {'; '.join(names[:NAMED])}{more}"
    if not any(work.row is not None and work.places for work in works):
        says += "; nobody who is in it was found among the hand-ins: is it the roster of this class?"
    return says


def one_level_too_high(works: Sequence[HandedIn]) -> str:
    """Whether the only hand-in looks like the folder of the class, as a question; empty if it does not."""
    places = [place for work in works for place in work.places]
    if len(places) != 1 or not _is_folder(places[0]):
        return ""
    try:
        inside = [place for place in places[0].iterdir() if not is_no_work(place)]
    except OSError:
        return ""
    works_too = [place for place in inside if _is_folder(place) or ARCHIVE.search(place.name)]
    if len(works_too) < 2 or any(meant(place.name) for place in inside) or TOP & {place.name for place in inside}:
        return ""
    return f"there is one hand-in, with {len(works_too)} folders and archives in it: is {places[0]} the class?"


def is_graded_class(folder: Path) -> bool:
    """Whether it is what `class` has written."""
    try:
        return (folder / SETTINGS).is_file() and (folder / STUDENTS).is_dir()
    except OSError:  # it can't be looked into, or is a link with an impossible name
        return False


def not_for_results(output: Path, hand_ins: Path) -> str:
    """Why a folder must not get the results: it holds work of students; empty if it may."""
    if output == hand_ins:
        return "the folder with the hand-ins"
    if hand_ins not in output.parents:
        return ""
    if output.parent != hand_ins:
        return "a folder within a hand-in"
    if not output.exists() or (output / SETTINGS).is_file():
        return ""
    return "a hand-in" if not output.is_dir() or any(output.glob("[!.]*")) else ""


def is_no_work(place: Path) -> bool:
    """Whether it is hidden, or a list or a page that a platform puts beside the hand-ins."""
    if place.name.startswith(".") or place.name.casefold() in JUNK or is_graded_class(place):
        return True
    of_student = _is_folder(place) or any(names.fullmatch(place.name) for names in (CANVAS, MOODLE, BLACKBOARD))
    return not of_student and (place.suffix.casefold() in NO_WORK or place.stem.casefold() == "readme")


def _is_folder(place: Path) -> bool:
    """Also of a link whose target can't be looked at, where Path.is_dir raises."""
    return os.path.isdir(place)


def by_student(places: list[Path]) -> dict[str, tuple[Path, ...]]:
    """Student → what is theirs: Canvas and Moodle export several files of one student side by side."""
    of_canvas: dict[str, list[Path]] = defaultdict(list)
    for place in places:
        if owner := canvas_owner(place):
            of_canvas[owner].append(place)
    several = len(of_canvas) > 1
    whose = {place: who for who, together in of_canvas.items() if _is_one(together, several) for place in together}
    found: dict[str, list[Path]] = defaultdict(list)
    for place in places:
        found[unicodedata.normalize("NFC", whose.get(place) or _owner(place))].append(place)
    return {student: tuple(places) for student, places in found.items()}


def _canvas(place: Path) -> re.Match[str] | None:
    other = _is_folder(place) or MOODLE.fullmatch(place.name) or BLACKBOARD.fullmatch(place.name)
    return None if other else CANVAS.fullmatch(place.name)


def canvas_owner(place: Path) -> str:
    """leeann_115 of leeann_115_5015_model.py; empty if Canvas has not named it."""
    named = _canvas(place)
    return f"{named['who']}_{named['id']}" if named else ""


def _is_one(places: list[Path], several: bool) -> bool:
    """Whether files that Canvas may have named can be one student's: no number and no kind of file is there twice.

    A kind may be, where there are `several` owners: not everybody's name begins with that of the same homework.
    """
    named = [match for place in places if (match := _canvas(place))]
    kinds = ["archive" if ARCHIVE.search(place.name) else meant(place.name) or place.name for place in places]
    return len({match["upload"] for match in named}) == len(places) and (several or len(set(kinds)) == len(places))


def _owner(place: Path) -> str:
    """The student that a name speaks of, as far as it can be told without a roster."""
    if moodle := MOODLE.fullmatch(place.name):
        return moodle["who"]
    if blackboard := BLACKBOARD.fullmatch(place.name):
        return blackboard["who"]
    if _is_folder(place):
        return place.name
    if ARCHIVE.search(place.name):
        return ARCHIVE.sub("", place.name)
    return split_prefix(place.name)[0] or WeightsNames(known_configs()).owner(place.name) or place.stem


def _work(student: str, places: tuple[Path, ...]) -> HandedIn:
    if meant(places[0].name) and not _is_folder(places[0]) and not _canvas(places[0]):
        return HandedIn(student, places, f"{printable(places[0].name)} is nobody's: put it into the student's folder")
    return HandedIn(printable(student), places)


def _their_own(work: HandedIn) -> HandedIn:
    """A link may lead to a student's home, but not to somebody else's hand-in."""
    for place in work.places:
        if place.is_symlink() and _is_folder(place) and place.parent in place.resolve().parents:
            says = f"{printable(place.name)} is a link to another hand-in: put the work itself there"
            return replace(work, problem=work.problem or says)
    return work


def _mark(work: HandedIn) -> Mark:
    """What the name of a hand-in says, without what its platform has added for itself."""
    place = work.places[0]
    if moodle := MOODLE.fullmatch(place.name):
        text, _, number = moodle["who"].rpartition("_")
        return Mark(text, "moodle", number)
    if blackboard := BLACKBOARD.fullmatch(place.name):
        return Mark(blackboard["user"])
    if d2l := D2L.fullmatch(place.name):
        return Mark(d2l["who"])
    canvas = _canvas(place)
    if canvas and work.student == printable(canvas_owner(place)):
        return Mark(canvas["who"], "canvas", canvas["id"])
    return Mark(work.student)


def _by_roster(works: dict[str, HandedIn], rows: list[Row], people: dict[str, list[Submitter]]) -> list[HandedIn]:
    """The roster's rows in its order, then what belongs to none of them.

    Args:
        people: the name of a hand-in → whose it is, where the platform has said so
    """
    names = [name for name, work in works.items() if not work.problem]
    rows, matching = match_submitters(rows, {name: people[name] for name in names if name in people})
    by_name = match(rows, {name: _mark(works[name]) for name in names if name not in people})
    matching.found = by_name.found | matching.found
    matching.unclear_rows = by_name.unclear_rows | matching.unclear_rows
    matching.unclear_names |= by_name.unclear_names
    matching.second = by_name.second
    _to_groups(matching, rows, names)
    rows_of = Counter((row.student, row.numbers) for row in rows)

    def advice(*unclear: int) -> str:
        if any(rows_of[rows[k].student, rows[k].numbers] > 1 for k in unclear):
            return TWICE
        several = any(len(matching.unclear_rows.get(k, ())) > 1 for k in unclear)
        return f"keep the one that counts, or {RENAME}" if several else RENAME

    listed = []
    for k, row in enumerate(rows):
        if k in matching.found:
            work = works[matching.found[k]]
            listed.append(replace(work, student=row.student, about=row.about, group=row.group, row=k))
        elif k in matching.unclear_rows:
            fits = " and of ".join(works[name].student for name in matching.unclear_rows[k])
            why = f"may be the student of {fits}: {advice(k)}"
            listed.append(HandedIn(row.student, (), why, row.about, group=row.group, row=k))
        else:
            listed.append(HandedIn(row.student, (), NOTHING, row.about, group=row.group, row=k))
    for name, work in works.items():
        if name in matching.unclear_names:
            unclear = matching.unclear_names[name]
            fits = " or ".join(dict.fromkeys(rows[k].student for k in unclear))
            listed.append(replace(work, problem=f"may be {fits}'s: {advice(*unclear)}"))
        elif name in matching.second:
            k = matching.second[name]
            listed.append(replace(work, remark=f"may be {rows[k].student}'s, of whom {matching.found[k]} is graded"))
        elif name not in matching.found.values():
            listed.append(replace(work, remark=STRANGER))
    return listed


def _to_groups(matching: Matching, rows: list[Row], names: list[str]) -> None:
    """What is named after a group, or after several of its members, goes to the first of them."""
    members: dict[str, list[int]] = defaultdict(list)
    for k, row in enumerate(rows):
        if row.group:
            members[row.group].append(k)
    for name, unclear in list(matching.unclear_names.items()):
        groups = {rows[k].group for k in unclear}
        if len(groups) == 1 and "" not in groups and all(matching.unclear_rows.get(k) == [name] for k in unclear):
            matching.found[unclear[0]] = name
            del matching.unclear_names[name]
            for k in unclear:
                del matching.unclear_rows[k]
    done = matching.found.keys() | matching.unclear_rows.keys()
    waiting = [group for group, of in members.items() if not done & set(of)]
    taken = {*matching.found.values(), *matching.unclear_names, *matching.second}
    left = [name for name in names if name not in taken]
    of_groups = match(
        [Row(group, (f"group {group}", f"team {group}"), {}) for group in waiting], left, shared_words(names, [])
    )
    matching.found |= {members[waiting[k]][0]: name for k, name in of_groups.found.items()}


def told_apart(works: Iterable[HandedIn]) -> list[HandedIn]:
    """No two students of one name, and for each a folder of their own, whatever the name.

    The folder depends on the name alone, so that it is found again: a name that can't be a folder's, or differs from
    another's only in case, gets a part of its hash.
    """
    named: dict[str, HandedIn] = {}
    for work in works:
        name, count = work.student, 1
        while name in named:
            count += 1
            name = f"{work.student} ({count})"
        named[name] = replace(work, student=name)
    same = Counter(name.casefold() for name in named)
    return [replace(work, folder=folder_name(name, same[name.casefold()] > 1)) for name, work in named.items()]


def folder_name(student: str, shared: bool) -> str:
    safe = re.sub(r"[^\w .,;@+()\[\]'&=~-]", "_", student).lstrip(".").strip()
    safe = safe.encode("utf-8", "replace")[:MAX_NAME].decode("utf-8", "ignore").strip()
    if safe == student and not shared:
        return safe
    return f"{safe}-{hashlib.sha256(student.encode('utf-8', 'replace')).hexdigest()[:8]}"
