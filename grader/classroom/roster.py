"""The roster of a class, read as Excel, Canvas, Moodle, Blackboard, Gradescope and people write it."""

import csv
import io
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from assignment.ddpm.errors import UserError
from grader.errors import file_meant

STUDENT = "student"
NAMES = (STUDENT, "name", "full name", "student name")  # the first that a row has is the one shown
LAST, FIRST = ("last name", "surname", "family name"), ("first name", "given name")
NUMBERS = {
    "id", "student id", "id number", "student number", "matriculation number", "identifier", "sis user id",
    "sis login id", "login id", "login", "username", "user name", "github username", "email", "e mail",
    "email address", "sid", "net id", "netid",
}  # fmt: skip
GROUPS = ("group", "group name", "team", "groups")  # whose rows hand in one work; Moodle has the first
PARTICIPANT = re.compile(r"participant (\d+)", re.IGNORECASE)  # Moodle's identifier; its folders have the number
AS_FRACTION = re.compile(r"(\d+)\.0")  # how pandas writes a number in a column with gaps
WORKBOOKS = (b"PK\3\4", b"\xd0\xcf\x11\xe0")  # how .xlsx and .xls begin
OF_CANVAS = {"sis user id", "sis login id"}  # titles of its grade book, where `ID` is Canvas's own
NOBODY = {"points possible", "student, test", "test student"}  # rows of Canvas's grade book
DELIMITERS = ",;\t"
LONGEST = 30  # letters of a title that is shown


@dataclass(frozen=True)
class Row:
    student: str
    numbers: tuple[str, ...]  # user names, addresses, and what else tells students apart
    about: dict[str, str]  # all columns but `student`
    group: str = ""  # of those who hand in one work
    canvas: str = ""  # the number that Canvas names hand-ins by, if it is known
    is_canvas: bool = False  # whether it is known
    moodle: str = ""  # the number that Moodle names hand-ins by


@dataclass(frozen=True)
class Sheet:
    """A roster as it is: the cells of each line, and whose line it is."""

    titles: list[str]
    lines: list[list[str]]
    whose: list[Row | None]  # of each line; None for those of nobody
    delimiter: str


def read_roster(file: Path) -> list[Row]:
    """The students. Raises UserError as `read_sheet`."""
    return [row for row in read_sheet(file).whose if row]


def read_sheet(file: Path) -> Sheet:
    """Raises UserError if it is no table with a line of titles, of which one says where the names or numbers are."""
    try:
        content = file.read_bytes()
    except OSError as error:
        says = f"{file}: can't be read ({error.strerror}); expected a CSV file{file_meant(file)}"
        raise UserError(says) from error
    if content.startswith(WORKBOOKS):
        raise UserError(f"{file} is a workbook of Excel or another spreadsheet; save it as CSV UTF-8")
    table, delimiter = _table(file, content)
    header = _unique(table[0]) if table else []
    if not {plain_title(title) for title in header} & {*NAMES, *LAST, *NUMBERS}:
        shown = (title if len(title) <= LONGEST else "a long text" for title in header if title)  # it may be a secret
        found = ", ".join(shown) or "an empty file"
        raise UserError(f"{file}: expected a column `student`, `name` or `ID`, named in the first line; found {found}")
    whose = [_row(dict(zip(header, cells, strict=False))) for cells in table[1:]]
    if not any(whose):
        raise UserError(f"{file}: expected a line for each student, found titles only")
    return Sheet(table[0], table[1:], whose, delimiter)


def _table(file: Path, content: bytes) -> tuple[list[list[str]], str]:
    """All lines that are not blank, and what stands between their cells."""
    table, begun, delimiter = [], 1, ","
    try:
        lines = list(io.StringIO(_decoded(content), newline=""))
        if lines and lines[0].casefold().startswith("sep="):  # Excel's, which says what the delimiter is
            lines[0] = "\n"
        delimiter = _delimiter(lines)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        for cells in reader:
            table.append([cell.strip() for cell in cells])
            begun = reader.line_num + 1
    except (UnicodeError, csv.Error) as error:
        where = f"{file}, from line {begun} on"
        raise UserError(f"{where}: expected a CSV file, such as Excel and Canvas write: {error}") from error
    return [row for row in table if any(row)], delimiter


def _row(cells: dict[str, str]) -> Row | None:
    """None if it is nobody's, such as a line of Canvas's grade book with the points of each task."""
    by_title = {plain_title(title): " ".join(value.split()) for title, value in cells.items()}
    by_title |= {t: _whole(value) for t, value in by_title.items() if t in NUMBERS}
    last, first = (next((by_title[t] for t in titles if by_title.get(t)), "") for titles in (LAST, FIRST))
    names = [*(by_title.get(title, "") for title in NAMES), ", ".join(filter(None, (last, first)))]
    keys = [*names, *(value for title, value in by_title.items() if title in NUMBERS)]
    student, *numbers = dict.fromkeys(filter(None, keys)) or [""]
    if not student or student.casefold() in NOBODY:
        return None
    participant = PARTICIPANT.fullmatch(by_title.get("identifier", ""))
    if participant:
        numbers.append(participant[1])
    group = next((by_title[title] for title in GROUPS if by_title.get(title)), "")
    if group:
        numbers += dict.fromkeys((f"{group}-{student}", f"{group}-{f'{first} {last}'.strip() or student}"))  # as Moodle
    about = {title: value for title, value in cells.items() if title and plain_title(title) != STUDENT}
    return Row(
        student, tuple(numbers), about, group,
        canvas=by_title.get("id", ""), is_canvas=bool(by_title.get("id") and OF_CANVAS & by_title.keys()),
        moodle=participant[1] if participant else "",
    )  # fmt: skip


def _whole(value: str) -> str:
    """117.0 → 117"""
    number = AS_FRACTION.fullmatch(value)
    return number[1] if number else value


def plain_title(title: str) -> str:
    """GitHub_Username → github username"""
    return " ".join(re.split(r"[\s_-]+", title.casefold())).strip()


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", "replace")  # Excel's, where it is not told to write UTF-8
    return unicodedata.normalize("NFC", text.replace("\0", ""))  # which are at the end if a disk was full


def _delimiter(lines: list[str]) -> str:
    """The one that stands most often in the header, outside quotes."""
    header = re.sub(r'"[^"]*"', "", next((line for line in lines if line.strip()), ""))
    return max(DELIMITERS, key=header.count)


def _unique(titles: list[str]) -> list[str]:
    """Section, Section → Section, Section 2"""
    seen: Counter[str] = Counter()
    unique = []
    for title in titles:
        seen[title] += 1
        unique.append(f"{title} {seen[title]}" if title and seen[title] > 1 else title)
    return unique
