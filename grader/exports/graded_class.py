"""A graded class, read from its folder."""

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from assignment.ddpm.errors import UserError
from grader.classroom.hand_ins import STUDENTS
from grader.classroom.jobs import HISTORY, RESULTS
from grader.classroom.matching import Mark, match
from grader.classroom.roster import Row, Sheet, read_sheet
from grader.classroom.stored import FILE, ROSTER, Student, read_students
from grader.reports.reading import load
from grader.results import final_points
from grader.submission.chosen import CANVAS

AGAIN = "run `class` with the same options again, which repeats nothing"


@dataclass(frozen=True)
class GradedClass:
    output: Path

    @cached_property
    def students(self) -> list[Student]:
        """Raises UserError if there is no class."""
        return read_students(self.output)

    def folder(self, student: Student) -> Path:
        return self.output / STUDENTS / student.folder

    def results(self, student: Student) -> dict[str, Any] | None:
        """With this student's adjustments; None if there are none.

        Raises:
            UserError: they can't be read, or are not those that students.json tells of
        """
        if student.max_points is None:
            return None
        file = self.folder(student) / RESULTS
        try:
            found = load(file)
            if student.adjustments is not None:
                found["adjustments"] = list(student.adjustments)
        except UserError as error:
            raise UserError(f"{error}; {AGAIN}") from error
        if final_points(found) != student.points:
            says = f"{final_points(found):g} points, and {FILE} of the class says {student.points:g}"
            raise UserError(f"{file}: {says}: a grading was stopped before its end; {AGAIN}")
        return found

    def refuse_unfinished(self) -> None:
        """Raises UserError if a student's results are not those that students.json tells of."""
        for student in self.students:
            self.results(student)

    @cached_property
    def hosts(self) -> set[str]:
        """Names of the machines that have graded it."""
        found = set()
        for file in self.output.glob(f"{STUDENTS}/*/{HISTORY}"):
            for line in file.read_text(errors="replace").splitlines():
                with suppress(ValueError, KeyError, TypeError):  # killed while it was written
                    found.add(str(json.loads(line)["host"]))
        return found

    def sheet(self, given: Path | None) -> tuple[Path, Sheet, dict[int, Student], list[str]]:
        """The file to fill in, what it says, whose each of its lines is, and students who fit several of them.

        Args:
            given: a grade book as the platform writes it; None for the roster of the class
        Raises:
            UserError: there is neither, or it can't be read
        """
        file = given or self.output / ROSTER
        if not (given or file.is_file()):
            raise UserError(f"{self.output} was graded without a roster; expected --roster, the platform's grade book")
        sheet = read_sheet(file)
        lines = [k for k, row in enumerate(sheet.whose) if row]
        if given is None:
            of_row = {student.row: student for student in self.students if student.row is not None}
            return file, sheet, {line: of_row[k] for k, line in enumerate(lines) if k in of_row}, []
        rows = whole = [row for row in sheet.whose if row]
        students = {student.name: student for student in self.students}
        if not any(row.is_canvas for row in self._rows):  # then no number of ours is Canvas's
            rows = [
                replace(row, numbers=tuple(n for n in row.numbers if not row.is_canvas or n != row.canvas))
                for row in rows
            ]
        marks = {name: Mark("_".join(self._own(student)), own=True) for name, student in students.items()}
        matching = match(rows, marks)
        found, unclear = matching.found, [*matching.unclear_names, *matching.second]
        # who is in no roster is known by the names of what they have handed in
        left = [k for k in range(len(rows)) if k not in found]
        done = {*found.values(), *unclear}
        others = {name: _by_work(students[name]) for name in students if name not in done}
        found |= {left[k]: name for k, name in match([whole[k] for k in left], others).found.items()}
        return file, sheet, {lines[k]: students[name] for k, name in found.items()}, unclear

    def known_as(self, student: Student) -> list[str]:
        """A student's name and numbers, and the names of what they have handed in."""
        return list(dict.fromkeys([student.name, *self._numbers(student), *student.handed_in]))

    def _own(self, student: Student) -> list[str]:
        """Name and numbers; the name as the roster has it, where namesakes have got no number from us."""
        known = student.row is not None and student.row < len(self._rows)
        return [self._rows[student.row or 0].student if known else student.name, *self._numbers(student)]

    def _numbers(self, student: Student) -> tuple[str, ...]:
        """As the roster of the class has them."""
        rows = self._rows
        return rows[student.row].numbers if student.row is not None and student.row < len(rows) else ()

    @cached_property
    def _rows(self) -> list[Row]:
        own = self.output / ROSTER
        return [row for row in read_sheet(own).whose if row] if own.is_file() else []


def _by_work(student: Student) -> Mark:
    """What the names of their work say."""
    canvas = next((found for name in student.handed_in if (found := CANVAS.fullmatch(name))), None)
    return Mark(canvas["who"], "canvas", canvas["id"]) if canvas else Mark("_".join(student.handed_in))
