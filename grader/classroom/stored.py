"""students.json: who is in a class, for the commands that come after the grading."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assignment.ddpm.errors import UserError
from grader.classroom.adjustments import final
from grader.classroom.outcome import ClassOutcome

FILE = "students.json"
ROSTER = "roster.csv"  # a copy, as it came
SCHEMA = "no-confusion-diffusion/class/v1"


@dataclass(frozen=True)
class Student:
    """`points` are those for a grade book; None if there are no results, of which `problem` says why."""

    name: str
    folder: str
    points: float | None
    max_points: float | None
    problem: str = ""
    handed_in: tuple[str, ...] = ()  # names of folders and files, as the platform gave them
    group: str = ""
    same_as: str = ""
    row: int | None = None  # of the roster
    adjustments: tuple[dict[str, Any], ...] | None = None  # points and reason; None: as the results have them


def students_json(of: ClassOutcome) -> str:
    """Its content; points are the final ones, with adjustments."""
    students = []
    for work in of.handed_in:
        results = of.graded.get(work.student)
        theirs = of.adjustments.get(work.student, [])
        points = final(results, theirs) if results or theirs else None
        most = float(results["max_score"]) if results else None
        names = tuple(place.name for place in work.places)
        problem = of.problems.get(work.student, "")
        made = tuple(each.to_json() for each in theirs)
        students.append(
            Student(work.student, work.folder, points, most, problem, names, work.group, work.same_as, work.row, made)
        )
    page = {"schema": SCHEMA, "students": [asdict(student) for student in students]}
    return json.dumps(page, indent=1, ensure_ascii=False) + "\n"


def read_students(output: Path) -> list[Student]:
    """Of a graded class. Raises UserError if it is none."""
    file = output / FILE
    try:
        page = json.loads(file.read_bytes())
        if page["schema"] != SCHEMA:
            raise ValueError(f"expected schema {SCHEMA!r}, got {page['schema']!r}")
        return [_student(values) for values in page["students"]]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{output} holds no graded class: there is no {FILE}; grade it by `class` first") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file}: can't be read: {error}; grade the class again, which repeats nothing") from error


def _student(values: dict[str, Any]) -> Student:
    tupled: dict[str, Any] = {key: tuple(of) if isinstance(of, list) else of for key, of in values.items()}
    return Student(**tupled)
