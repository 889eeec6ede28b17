"""Ids in the place of names: drawn once, and kept in a file of their own, so that a later export has the same."""

import csv
import io
import secrets
from pathlib import Path

from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from grader.classroom.stored import Student

FILE = "anonymous.csv"  # in the folder of the class; it stays with the course
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
LENGTH = 8
TITLES = ["student", "id"]


def ids(output: Path, students: list[Student]) -> dict[str, str]:
    """Student → id; those who are new get one. Drawn, so that no name can be tried out on them.

    Raises:
        UserError: the file is damaged: with other ids, what was exported before could not be told apart from it
    """
    file, known = output / FILE, {}
    if file.exists():
        try:
            rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"), newline=""), strict=True))
            if rows[:1] != [TITLES]:
                raise ValueError(f"found {'other titles' if rows else 'nothing'}")
            known = {student: drawn for student, drawn in rows[1:]}
        except (OSError, ValueError, csv.Error) as error:
            raise UserError(f"{file}: can't be read: {error}; expected two columns, student and id") from error
    for student in students:
        while student.name not in known:
            drawn = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
            known |= {student.name: drawn} if drawn not in known.values() else {}
    page = io.StringIO()
    csv.writer(page).writerows([TITLES, *known.items()])
    with replacing(file) as temporary:
        temporary.write_bytes(page.getvalue().encode("utf-8", "replace"))
    file.chmod(0o600)
    return known
