"""Points that a person adds or takes away, with a reason: read from a CSV file, kept with the class, shown in reports.

The checks' points stay what they are; the final points are theirs and the adjustments', at least 0.
"""

import difflib
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from grader.classroom.hand_ins import HandedIn, canvas_owner
from grader.classroom.history import save
from grader.classroom.matching import Mark, fold, match, ways, without_zeros
from grader.classroom.roster import NUMBERS, Row, plain_title, read_roster
from grader.reports.reading import complete, from_json
from grader.results import final_points

FILE = "adjustments.csv"  # of the class: what was given last
LINES = 10  # of complaints
POINTS, REASON = "points", "reason"


@dataclass(frozen=True)
class Adjustment:
    points: float
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"points": self.points, "reason": self.reason}


Adjustments = Mapping[str, list[Adjustment]]  # student, as tables show them → theirs
NO_ADJUSTMENTS: Adjustments = MappingProxyType({})


def adjusted(output: Path, given: Path | None, handed_in: list[HandedIn]) -> Adjustments:
    """Those of the file given, which is kept in `output`; without one, of the file that was given last.

    Raises:
        UserError: the file can't be read, or names somebody unknown, no number or no reason; nothing is kept then
    """
    file = given or output / FILE
    if given is None and not file.exists():
        return {}
    found = read_adjustments(file, handed_in)
    if given is not None and given.resolve() != (output / FILE).resolve():
        with replacing(output / FILE) as temporary:
            temporary.write_bytes(given.read_bytes())
    return found


def read_adjustments(file: Path, handed_in: list[HandedIn]) -> Adjustments:
    """Raises UserError, with a line for each mistake."""
    rows = read_roster(file)
    titles = {plain_title(title) for row in rows for title in row.about}
    if missing := [name for name in (POINTS, REASON) if name not in titles]:
        raise UserError(f"{file}: expected columns student, points and reason; there is no {' and no '.join(missing)}")
    found: dict[str, list[Adjustment]] = defaultdict(list)
    wrong = []
    for row, student in zip(rows, find_students(rows, handed_in), strict=True):
        cells = {plain_title(title): value for title, value in row.about.items()}
        points, reason = _points(cells[POINTS]), " ".join(cells[REASON].split())
        if not isinstance(student, HandedIn):
            wrong.append(f"{row.student}: {student}")
        elif points is None:
            wrong.append(f"{row.student}: points: expected a number such as 2 or -1.5, got {cells[POINTS]!r}")
        elif not reason:
            wrong.append(f"{row.student}: reason: missing; the student will read it")
        elif Adjustment(points, reason) in found[student.student]:
            wrong.append(f"{row.student}: {points:g} points for the same reason are there twice: keep one of them")
        else:
            found[student.student].append(Adjustment(points, reason))
    if wrong:
        more = [f"and {len(wrong) - LINES} more"] if wrong[LINES:] else []
        raise UserError("\n".join(f"{file}: {line}" for line in wrong[:LINES] + more))
    return dict(found)


def in_words(adjustments: Adjustments) -> str:
    """How many there are; those who are named more than once, as their points add up."""
    more = sum(each.points for of in adjustments.values() for each in of)
    twice = [f"{student} ({len(of)} times)" for student, of in adjustments.items() if of[1:]]
    says = (
        f"adjustments: {len(adjustments)} {'student' if len(adjustments) == 1 else 'students'}, {more:+g} points in all"
    )
    return says + (f"; they add up for {'; '.join(twice)}" if twice else "")


def _points(text: str) -> float | None:
    """+2 → 2.0; 1,5, as many countries write it → 1.5; None if it is no number."""
    plain = text.strip().replace("−", "-")
    try:
        number = float(plain.replace(",", ".") if plain.count(",") == 1 and "." not in plain else plain)
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) <= 1e6 and not re.search("[_a-z]", plain, re.I) else None


def find_students(rows: list[Row], handed_in: list[HandedIn]) -> list[HandedIn | str]:
    """Whose each row is, by name, folder, number or address, as a roster's rows are matched; or why it is nobody's."""
    keys: dict[str, set[int]] = defaultdict(set)
    for k, work in enumerate(handed_in):
        numbers = [value for title, value in work.about.items() if plain_title(title) in NUMBERS]
        places = [name for place in work.places for name in (place.name, place.stem, canvas_owner(place))]
        folder = "" if work.same_as else work.folder  # else it is that of who has handed in for the group
        for way in _all_ways(work.student, folder, *numbers, *places):
            keys[way].add(k)
    works = {work.student: work for work in handed_in}
    exact = [
        set.union(set(), *(keys[way] for way in _all_ways(row.student, *row.numbers) if way in keys)) for row in rows
    ]
    others = [k for k, fits in enumerate(exact) if not fits]
    by_name = match([rows[k] for k in others], {name: Mark(name, own=True) for name in works}).found if others else {}
    found: list[HandedIn | str] = [_one_of([handed_in[k] for k in sorted(fits)]) for fits in exact]
    for place, k in enumerate(others):
        near = difflib.get_close_matches(without_zeros(fold(rows[k].student)), keys, n=1)
        nobody = "there is no such student"
        if near:
            nobody += f"; did you mean {' or '.join(handed_in[k].student for k in sorted(keys[near[0]]))}?"
        found[k] = works[by_name[place]] if place in by_name else nobody
    return found


def _all_ways(*names: str) -> set[str]:
    """How each may be written: `Lee, Ann` is `Ann Lee`, too, and Excel writes numbers without the zeros in front."""
    return {without_zeros(way) for name in names if name for way in ways(name)}


def _one_of(works: list[HandedIn]) -> HandedIn | str:
    return works[0] if len(works) == 1 else f"may be {' or '.join(work.student for work in works)}: give a number, too"


def find_student(name: str, handed_in: list[HandedIn]) -> HandedIn:
    """Raises UserError if there is nobody, or more than one."""
    [found] = find_students([Row(name, (), {})], handed_in)
    if isinstance(found, str):
        raise UserError(f"--again {name}: {found}")
    return found


def write(folder: Path, results: dict[str, Any], adjustments: list[Adjustment]) -> dict[str, Any]:
    """A student's results with their adjustments: also in their folder and its report, where others were there."""
    wanted = [each.to_json() for each in adjustments]
    if results.get("adjustments", []) == wanted:
        return results
    changed = from_json(complete(results) | {"adjustments": wanted})
    save(folder, changed)
    return changed.to_json()


def shared(works: Sequence[HandedIn], adjustments: Adjustments) -> Adjustments:
    """Of each work that is graded, the adjustments that all who have handed it in together have."""
    of: dict[str, list[list[Adjustment]]] = defaultdict(list)
    for work in works:
        of[work.same_as or work.student].append(adjustments.get(work.student, []))
    return {
        who: [each for each in first if all(each in others for others in more)] for who, (first, *more) in of.items()
    }


def with_own(results: Mapping[str, dict[str, Any]], adjustments: Adjustments) -> dict[str, dict[str, Any]]:
    """Each student's results with their own adjustments, whatever those of the group share."""
    return {
        who: {**of, "adjustments": [each.to_json() for each in adjustments.get(who, [])]} for who, of in results.items()
    }


def final(results: dict[str, Any] | None, adjustments: list[Adjustment]) -> float:
    """Points with the adjustments, also of somebody who has no score."""
    made = [each.to_json() for each in adjustments]
    return final_points({"score": results["score"] if results else 0.0, "adjustments": made})
