"""Points in the grade book that a platform has exported, so that it takes the file back as it came.

What each importer wants is taken from its source: Canvas's lib/gradebook_importer.rb, and Moodle's
mod/assign/feedback/offline/importgradeslib.php (the grading worksheet) and grade/import/csv/classes/load_data.php.
"""

import csv
import difflib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assignment.ddpm.errors import UserError
from grader.classroom.roster import Sheet, plain_title
from grader.classroom.stored import Student

POINTS_POSSIBLE, READ_ONLY = "Points Possible", "(read only)"
CANVAS_ASSIGNMENT = re.compile(r"(?P<title>.+) \((?P<id>\d+)\)")
# Canvas's columns up to Section, where its importer expects them; one of yours among them, such as `group`, is left out
OF_CANVAS = (
    "Student", "LastName", "FirstName", "ID", "SIS User ID", "SIS Login ID", "Integration ID", "Root Account",
    "Section",
)  # fmt: skip
WORKSHEET = ("Identifier", "Grade", "Last modified (grade)")  # without any of them Moodle refuses the file
COMMENTS, MOST = "Feedback comments", "Maximum Grade"
WHO = ("email address", "email", "e mail", "id number", "username")  # by which Moodle's import finds a user
NAMES = ("first name", "last name", "full name", "name", "student")


@dataclass(frozen=True)
class Book:
    """A file to import, and what a person should know of it."""

    lines: list[list[str]]
    delimiter: str
    remarks: list[str] = field(default_factory=list)

    def text(self) -> str:
        page = io.StringIO()
        csv.writer(page, delimiter=self.delimiter).writerows(self.lines)
        return page.getvalue()


def number(points: float) -> str:
    return f"{round(points, 4):g}"


def canvas(file: Path, sheet: Sheet, whose: Mapping[int, Student], assignment: str | None) -> Book:
    """Students' columns as they came, and the one of the assignment: what is not there can't be overwritten.

    A cell whose student has no points stays as it is, as an empty one would delete a grade.

    Raises:
        UserError: it is no grade book of Canvas, or it is not clear which assignment is meant
    """
    titles = sheet.titles
    if "Section" not in titles or not titles[0].endswith(("Student", "LastName")) or "ID" not in titles:
        missing = next((title for title in ("Student", "ID", "Section") if title not in titles), "Student at the left")
        raise UserError(f"{file}: no column {missing}; expected the file that Canvas writes by Grades → Export")
    about = titles.index("Section") + 1
    possible = next((line for line in sheet.lines if POINTS_POSSIBLE in line[0]), [])
    column = _assignment(file, sheet, about, possible, assignment)
    own = [k for k, title in enumerate(titles[:about]) if title.removeprefix("\ufeff") in OF_CANVAS]
    lines = [[*(titles[k] for k in own), titles[column]]]
    for k, line in enumerate(sheet.lines):
        cells = [*line, *[""] * (len(titles) - len(line))]
        lines.append([*(cells[k] for k in own), _cell(whose.get(k), cells[column])])
    remarks = _scale(possible[column] if column < len(possible) else "", titles[column], whose.values())
    return Book(lines, sheet.delimiter, remarks)


def _assignment(file: Path, sheet: Sheet, about: int, possible: Sequence[str], wanted: str | None) -> int:
    """The column that is meant."""
    found = {
        k: named for k, title in enumerate(sheet.titles)
        if k >= about and (named := CANVAS_ASSIGNMENT.fullmatch(title))
        and READ_ONLY not in (possible[k] if k < len(possible) else "").casefold()
    }  # fmt: skip
    names = [named[0] for named in found.values()]
    if not found:
        raise UserError(
            f"{file}: no assignment's column, such as `DDPM (4711)`; create it in Canvas, then export again"
        )
    if wanted is None:
        if len(found) > 1:
            raise UserError(f"{file}: expected --assignment, one of: {', '.join(names)}")
        return next(iter(found))
    meant = [k for k, named in found.items() if wanted in (named[0], named["title"], named["id"])]
    if len(meant) != 1:
        near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.0)[0]
        several = "there are several of that name" if meant else "no such assignment"
        raise UserError(f"--assignment {wanted}: {several} in {file}; did you mean {near}?")
    return meant[0]


def moodle(file: Path, sheet: Sheet, whose: Mapping[int, Student], comments: Mapping[str, str]) -> Book:
    """The grading worksheet of an assignment with grades and comments; of another roster, a file for the grade book.

    Args:
        comments: student → feedback for the worksheet; what somebody has written there stays
    Raises:
        UserError: a column is missing without which Moodle takes no grades
    """
    if WORKSHEET[0] not in sheet.titles:
        return _moodle_import(file, sheet, whose)
    if missing := [title for title in WORKSHEET if title not in sheet.titles]:
        raise UserError(
            f"{file}: no column {missing[0]}, without which Moodle refuses a worksheet; "
            "download it again, with Moodle in English"
        )
    titles = sheet.titles
    grade, lines = titles.index("Grade"), [titles]
    for k, line in enumerate(sheet.lines):
        cells, student = [*line, *[""] * (len(titles) - len(line))], whose.get(k)
        cells[grade] = _cell(student, cells[grade])
        if student and COMMENTS in titles and not cells[titles.index(COMMENTS)]:
            cells[titles.index(COMMENTS)] = comments.get(student.name, "")
        lines.append(cells)
    most = {line[titles.index(MOST)] for line in sheet.lines if line} if MOST in titles else set()
    remarks = _scale(max(most, default=""), "the assignment", whose.values())
    return Book(lines, sheet.delimiter, remarks)


def _moodle_import(file: Path, sheet: Sheet, whose: Mapping[int, Student]) -> Book:
    """Only those with points: one unknown user, and Moodle imports nothing; an empty grade, and it deletes one."""
    plain = [plain_title(title) for title in sheet.titles]
    who = [k for k, title in enumerate(plain) if title in WHO]
    if not who:
        raise UserError(
            f"{file}: no column by which Moodle finds users; expected Identifier (a grading worksheet), "
            "Email address, ID number or Username"
        )
    filled = [([*line, *[""] * (len(sheet.titles) - len(line))], whose.get(k)) for k, line in enumerate(sheet.lines)]
    scored = [(cells, student) for cells, student in filled if student and student.points is not None]
    best = max(who, key=lambda k: sum(bool(cells[k]) for cells, _ in scored))  # an empty cell, and nothing is imported
    full = [k for k in who if all(cells[k] for cells, _ in scored if cells[best])]
    kept = [k for k, title in enumerate(plain) if title in NAMES] + full
    lines = [[*(sheet.titles[k] for k in kept), "Grade"]]
    lines += [[*(cells[k] for k in kept), number(student.points or 0.0)] for cells, student in scored if cells[best]]
    without = [student.name for cells, student in scored if not cells[best]]
    by = " or ".join(sheet.titles[k] for k in full)
    remarks = [f"import it by Grades → Import → CSV file, with Map from and Map to: {by}"]
    remarks += [f"left out, as {sheet.titles[best]} is empty: {', '.join(without)}"] if without else []
    return Book(lines, sheet.delimiter, remarks)


def _cell(student: Student | None, before: str) -> str:
    return number(student.points) if student and student.points is not None else before


def _scale(possible: str, of: str, students: Any) -> list[str]:
    """What to do where the platform's points are not ours."""
    most = {student.max_points for student in students if student.max_points is not None}
    try:
        theirs = float(possible.replace(",", "."))
    except ValueError:
        return []
    if not most or most == {theirs}:
        return []
    ours = number(max(most))
    return [f"{of} has {number(theirs)} points there, and {ours} here: set it to {ours}, as grades are not rescaled"]
