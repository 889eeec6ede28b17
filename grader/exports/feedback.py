"""What students get back: a zip file for each, and one for all, laid out as the platform wants it uploaded.

Moodle ("Upload multiple feedback files in a zip") wants a folder `Full name_PARTICIPANT_assignsubmission_file` each, as
it exports them (its mod/assign/feedback/file/importziplib.php). Canvas ("Upload Submissions") wants files named as it
has exported them, and shows each under the name of the student's own upload (infer_comment_context_from_filename in its
app/models/abstract_assignment.rb): so where that was a zip it gets the zip, and for a program the report as text.
"""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assignment.ddpm.files import replacing
from assignment.ddpm.progress import progress_bar
from grader.bundles.packing import LONG_AGO
from grader.classroom.hand_ins import MOODLE, folder_name
from grader.classroom.roster import PARTICIPANT
from grader.classroom.stored import Student
from grader.exports.for_one import for_one, problem_for_one
from grader.exports.graded_class import GradedClass
from grader.reports import html, terminal
from grader.reports.html import PNG
from grader.reports.reading import from_json
from grader.submission.chosen import CANVAS

MOST = 8 << 20  # bytes of a picture
FOR_ALL = "feedback.zip"
FOR_EACH = "students"
NOT_GRADED = "not graded.txt"


@dataclass
class Written:
    """What was written, and how it is laid out for the platforms."""

    for_all: Path
    count: int = 0
    layouts: Counter[str] = field(default_factory=Counter)
    without: list[str] = field(default_factory=list)  # students for whom the platform would take no file


def write(graded: GradedClass, target: Path, name: Callable[[Student], str], identifiers: Mapping[str, str]) -> Written:
    """Zip files of all who have results or adjustments, or who have handed in what could not be graded.

    Args:
        name: as what a student is shown: the name, or an id in its place
        identifiers: student → number of the participant, where the roster is Moodle's
    Raises:
        UserError: results can't be read
    """
    students = [
        each for each in graded.students
        if each.max_points is not None or (each.problem and each.handed_in) or each.adjustments
    ]  # fmt: skip
    shown = {student.name: name(student) for student in students}
    same = Counter(label.casefold() for label in shown.values())
    done = Written(target / FOR_ALL)
    with (
        replacing(done.for_all) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as everybodys,
        progress_bar(len(students), "students", "packing") as bar,
    ):  # fmt: skip
        for student in students:
            label = shown[student.name]
            files = contents(graded, student, label)
            own = _zip(files)
            folder = folder_name(label, same[label.casefold()] > 1)
            place = target / FOR_EACH / f"{folder}.zip"
            with replacing(place) as half:
                half.write_bytes(own)
            done.count += 1
            layout, laid_out = _laid_out(student, label, identifiers, folder, files, own)
            done.layouts[layout] += bool(laid_out)
            done.without += [] if laid_out else [student.name]
            for path, content in laid_out.items():
                _add(everybodys, path, content)
            bar.update()
    return done


def contents(graded: GradedClass, student: Student, label: str) -> dict[str, bytes]:
    """The page, the results, and the pictures that they name; or why there are none."""
    results = graded.results(student)
    if results is None:
        return {NOT_GRADED: _encoded(problem_for_one(student, label, graded))}
    page = for_one(results, student, label, graded)
    pictures = dict(_pictures(page, graded.folder(student)))
    page["figures"] = [figure for figure in page["figures"] if figure["file"] in pictures]
    written = json.dumps(page, indent=1, ensure_ascii=False) + "\n"
    shown = html.render(page, graded.folder(student))
    return {"report.html": _encoded(shown), "results.json": _encoded(written), **pictures}


def _pictures(page: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, bytes]]:
    for figure in page.get("figures", []):
        file = folder / Path(figure["file"]).name
        if file.is_file() and not file.is_symlink() and file.stat().st_size <= MOST:
            content = file.read_bytes()
            if content.startswith(PNG):
                yield figure["file"], content


def _laid_out(
    student: Student, label: str, identifiers: Mapping[str, str], folder: str, files: Mapping[str, bytes], own: bytes
) -> tuple[str, dict[str, bytes]]:
    """For which platform, and what it gets: path → content."""
    if label != student.name:
        return "folders", {f"{folder}/{name}": content for name, content in files.items()}
    if who := next((found["who"] for name in student.handed_in if (found := MOODLE.fullmatch(name))), ""):
        return "Moodle", {f"{who}_assignsubmission_file/{name}": content for name, content in files.items()}
    if participant := identifiers.get(student.name):
        who = f"{folder.replace('_', ' ')}_{participant}"
        return "Moodle", {f"{who}_assignsubmission_file/{name}": content for name, content in files.items()}
    uploads = [name for name in student.handed_in if (found := CANVAS.fullmatch(name)) and found["upload"]]
    if uploads:
        text = _as_text(files)
        programs = [name for name in uploads if name.casefold().endswith((".py", ".txt"))]
        packed = [name for name in uploads if name.casefold().endswith(".zip")]
        return "Canvas", {packed[0]: own} if packed else {programs[0]: text} if programs else {}
    return "folders", {f"{folder}/{name}": content for name, content in files.items()}


def _as_text(files: Mapping[str, bytes]) -> bytes:
    if NOT_GRADED in files:
        return files[NOT_GRADED]
    return _encoded(terminal.render(from_json(json.loads(files["results.json"]))).lstrip("\n") + "\n")


def participants(sheet_lines: Mapping[int, Student], titles: list[str], lines: list[list[str]]) -> dict[str, str]:
    """Student → number, from a worksheet's column Identifier."""
    if "Identifier" not in titles:
        return {}
    column = titles.index("Identifier")
    cells = {student.name: lines[k][column] for k, student in sheet_lines.items() if column < len(lines[k])}
    return {name: found[1] for name, cell in cells.items() if (found := PARTICIPANT.fullmatch(cell))}


def _zip(files: Mapping[str, bytes]) -> bytes:
    page = io.BytesIO()
    with zipfile.ZipFile(page, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            _add(archive, name, content)
    return page.getvalue()


def _add(archive: zipfile.ZipFile, path: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(path, LONG_AGO)
    entry.external_attr = 0o100644 << 16
    archive.writestr(entry, content, zipfile.ZIP_DEFLATED)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
