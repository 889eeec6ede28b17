"""Points of each check and student in one table."""

from collections.abc import Callable, Iterable
from typing import Any

from grader.classroom.stored import Student
from grader.exports.graded_class import GradedClass


def points(graded: GradedClass, name: Callable[[Student], str], *, groups: bool) -> Iterable[list[Any]]:
    """The header, what there was to get, and a row for each student; a check that was not judged has an empty cell.

    Args:
        name: as what a student is listed
        groups: whether to say who belongs together
    """
    results = {student.name: graded.results(student) for student in graded.students}
    most: dict[str, float] = {}
    for of in results.values():
        most |= {check["id"]: check["max_points"] for check in (of["checks"] if of else [])}
    yield ["student", *(["group"] if groups else []), "points", *most]
    yield ["points to get", *([""] if groups else []), round(sum(most.values()), 6), *most.values()]
    for student in graded.students:
        of = results[student.name]
        got = {c["id"]: c["points"] for c in of["checks"] if c["verdict"] != "not_judged"} if of else {}
        points = "" if student.points is None else student.points
        yield [name(student), *([student.group] if groups else []), points, *(got.get(check, "") for check in most)]
