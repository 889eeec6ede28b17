"""A student's results without what is nobody else's business: paths of the machine, its name, other students' names."""

import os
import platform
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from grader import ROOT
from grader.classroom.stored import Student
from grader.exports.graded_class import GradedClass

PATH = re.compile(r"(?<![\w.:/])~?/(?:[\w.+@=-]+/)*(?P<last>[\w.+@=-]+)")  # absolute; of each its last part is kept
THEIR_OWN = ("output", "trace", "message", "location")  # where a submission may say what it likes
SHORTEST, FEWEST_DIGITS = 3, 5  # letters of a name, and digits of a number, that is looked for
SOMEBODY = "[a student]"


def for_one(results: Mapping[str, Any], student: Student, shown_as: str, graded: GradedClass) -> dict[str, Any]:
    """The results as this student gets them.

    Args:
        shown_as: the name, or an id in its place
    """
    page: dict[str, Any] = _each_text(results, _placeless(student, graded))
    page["submission"]["path"] = shown_as
    nameless = partial(_without_names, names=_names(graded, student, shown_as))
    for check in page["checks"]:
        check |= {key: nameless(check[key]) for key in THEIR_OWN}
    page["information"] = _each_text(page["information"], nameless)
    return page


def problem_for_one(student: Student, shown_as: str, graded: GradedClass) -> str:
    """Why there are no results, in a sentence, and what a person has given all the same, as this student gets it."""
    why = _without_names(_placeless(student, graded)(student.problem), _names(graded, student, shown_as))
    made = [f"{each['points']:+g} points: {each['reason']}\n" for each in student.adjustments or ()]
    return "".join([f"This work could not be graded: {why}\n", *made])


def _placeless(student: Student, graded: GradedClass) -> Callable[[str], str]:
    own, output = graded.folder(student).resolve(), graded.output.resolve()
    return partial(_without_places, own=own, output=output, hidden={*graded.hosts, platform.node()})


def _each_text(value: Any, change: Any) -> Any:
    """A copy in which every text has been changed; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _each_text(each, change) for key, each in value.items()}
    return [_each_text(each, change) for each in value] if isinstance(value, list) else value


def _without_places(text: str, *, own: Path, output: Path, hidden: Iterable[str]) -> str:
    for place in (own / "submission", own, output, ROOT, Path.home()):
        text = text.replace(f"{place}{os.sep}", "").replace(str(place), place.name)
    text = PATH.sub(lambda path: path["last"], text)
    for host in hidden:
        text = re.sub(rf"(?<!\w){re.escape(host)}(?!\w)", "the machine", text) if host else text
    return text


def _ways(graded: GradedClass, student: Student) -> set[str]:
    """How somebody may be called: `Lee, Ann` is `Ann Lee`, too, and has a user name. Few digits tell nobody apart."""
    known = {*graded.known_as(student), *(() if student.same_as else (student.folder,))}
    for name in list(known):
        last, comma, first = name.partition(", ")
        known |= {f"{first} {last}"} if comma else set()
    return {name for name in known if len(name) >= (FEWEST_DIGITS if name.isdigit() else SHORTEST)}


def _names(graded: GradedClass, student: Student, shown_as: str) -> set[str]:
    """Everybody else's, and the student's own where an id stands for the name."""
    names = {name for each in graded.students if each is not student for name in _ways(graded, each)}
    return names - _ways(graded, student) if shown_as == student.name else names | _ways(graded, student)


def _without_names(text: str, names: set[str]) -> str:
    """Without those that are whole words in it, the longest first."""
    found = sorted((name for name in names if name in text), key=len, reverse=True)  # few, of hundreds
    return re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, found))})(?!\w)", SOMEBODY, text) if found else text
