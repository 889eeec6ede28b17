"""The roster of a class: read as Excel, Canvas and people write it, and matched with what was handed in.

All rows are matched at once: a row's name and numbers have to be whole words of a hand-in's name, what matches in more
letters goes first, and where two are equal nobody gets anything.
"""

import csv
import io
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from assignment.ddpm.errors import UserError
from grader.errors import file_meant

STUDENT = "student"
NAMES = (STUDENT, "name", "full name", "student name")  # the first that a row has is the one shown
LAST, FIRST = ("last name", "surname", "family name"), ("first name", "given name")
NUMBERS = {
    "id", "student id", "id number", "student number", "matriculation number", "identifier", "sis user id",
    "sis login id", "login id", "login", "username", "user name", "github username", "email", "e mail",
    "email address",
}  # fmt: skip
GROUPS = ("group", "group name", "team")  # whose rows hand in one work; Moodle has the first
PARTICIPANT = re.compile(r"participant (\d+)", re.IGNORECASE)  # Moodle's identifier; its folders have the number
WORKBOOKS = (b"PK\3\4", b"\xd0\xcf\x11\xe0")  # how .xlsx and .xls begin
NOBODY = {"points possible"}  # the second row of Canvas's grade book
DELIMITERS = ",;\t"
ADDED = ("late", "final", "submission", "assignment", "homework", "hw", "ddpm")  # to names, by people and platforms
DATE = re.compile(r"(?:19|20)\d\d-\d\d-\d\d")
WHOLE = 1_000_000  # letters that a match of the whole name is worth


@dataclass(frozen=True)
class Row:
    student: str
    numbers: tuple[str, ...]  # user names, addresses, and what else tells students apart
    about: dict[str, str]  # all columns but `student`
    group: str = ""  # of those who hand in one work


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
        raise UserError(f"{file} is an Excel workbook; save it as CSV UTF-8")
    table, delimiter = _table(file, content)
    header = _unique(table[0]) if table else []
    if not {plain_title(title) for title in header} & {*NAMES, *LAST, *NUMBERS}:
        found = ", ".join(filter(None, header)) or "an empty file"
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
    last, first = (next((by_title[t] for t in titles if by_title.get(t)), "") for titles in (LAST, FIRST))
    names = [*(by_title.get(title, "") for title in NAMES), ", ".join(filter(None, (last, first)))]
    keys = [*names, *(value for title, value in by_title.items() if title in NUMBERS)]
    student, *numbers = dict.fromkeys(filter(None, keys)) or [""]
    if not student or student.casefold() in NOBODY:
        return None
    if participant := PARTICIPANT.fullmatch(by_title.get("identifier", "")):
        numbers.append(participant[1])
    group = next((by_title[title] for title in GROUPS if by_title.get(title)), "")
    if group:
        numbers.append(f"{group}-{student}")  # as Moodle names what groups hand in
    about = {title: value for title, value in cells.items() if title and plain_title(title) != STUDENT}
    return Row(student, tuple(numbers), about, group)


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


@dataclass
class Matching:
    """By positions in the roster and names of hand-ins; what is in neither list has found nothing."""

    found: dict[int, str] = field(default_factory=dict)
    unclear_rows: dict[int, list[str]] = field(default_factory=dict)  # a row that fits several hand-ins
    unclear_names: dict[str, list[int]] = field(default_factory=dict)  # a hand-in that fits several rows


def match(rows: list[Row], names: Iterable[str]) -> Matching:
    """Whose is what? The pairs that agree in most letters first; a row or a hand-in with two equal ones is left out."""
    folded = {name: fold(name) for name in names}
    words = [plain.split() for plain in folded.values()]
    # GitHub Classroom begins all names with that of the assignment
    shared = (
        [same[0] for same in takewhile(lambda at: len(set(at)) == 1, zip(*words, strict=False))] if words[1:] else []
    )
    added = {*ADDED, *shared}
    pairs: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for k, row in enumerate(rows):
        own_names, numbers = _keys(row)
        for name, plain in folded.items():
            exact = name in (row.student, *row.numbers)
            if letters := 2 * WHOLE if exact else agreement(own_names, numbers, plain, added):
                pairs[letters].append((k, name))
    matching = Matching()
    for letters in sorted(pairs, reverse=True):
        done = matching.found.keys() | matching.unclear_rows.keys()
        gone = {*matching.found.values(), *matching.unclear_names}
        free = [(k, name) for k, name in pairs[letters] if k not in done and name not in gone]
        of_row, of_name = Counter(k for k, _ in free), Counter(name for _, name in free)
        for k, name in free:
            if of_row[k] == of_name[name] == 1:
                matching.found[k] = name
            else:
                matching.unclear_rows.setdefault(k, []).append(name)
                matching.unclear_names.setdefault(name, []).append(k)
    return matching


def agreement(names: list[str], numbers: set[str], plain: str, added: set[str]) -> int:
    """How many letters of a row are in the name of a hand-in, as whole words, beside words of nobody's name."""
    if not plain:
        return 0
    if plain in names or plain in numbers:
        return WHOLE
    bare = plain.lstrip("0")  # as Excel writes numbers
    if bare.isdigit() and bare in {number.lstrip("0") for number in (*names, *numbers)}:
        return WHOLE - 1
    by_name = max(_letters(name, plain, added) for name in names)
    return by_name + sum(_letters(number, plain, added) for number in numbers)


def _keys(row: Row) -> tuple[list[str], set[str]]:
    """The ways to write a row's name, and whatever else it has, folded."""
    names = ways(row.student)
    return names, {way for number in row.numbers for way in ways(number)} - set(names)


def ways(name: str) -> list[str]:
    """`Lee, Ann` is `Ann Lee`, too."""
    last, comma, first = name.partition(",")
    return [fold(name), *([fold(f"{first} {last}")] if comma else [])]


def fold(name: str) -> str:
    """Letters and digits as Unicode compares them without case; a space within a name, `_` between its parts."""
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", DATE.sub("_", name)).casefold())
    kinds = [unicodedata.category(c) for c in plain]
    signs = [
        c if kind[0] in "LMN" else "" if kind == "Cf" else " " if c.isspace() or c in "-'’.," else "_"
        for c, kind in zip(plain, kinds, strict=True)
    ]
    return " ".join("".join(signs).split())


def _letters(key: str, plain: str, added: set[str]) -> int:
    """The length of a key, if it is there from delimiter to delimiter: `ab1` in `ab1_late`, not in `ab12_late`.

    Part of a name is no match: `ann lee` is not in `ann lee smith`, but in `ann lee_12` and `ann lee late`.
    """
    words = key.replace("_", " ").split()
    if not words or any(word not in plain for word in words):
        return 0
    pattern = rf"(?<![^ _]){'[ _]*'.join(map(re.escape, words))}(?![^ _])"  # Canvas leaves the spaces out
    for found in re.finditer(pattern, plain):
        before = plain[: found.start()].rpartition("_")[2].split()
        after = plain[found.end() :].partition("_")[0].split()
        beside = [*before[-1:], *after[:1]]  # in the same part of the name
        if re.search(r"\d", key) or all(word in added or re.search(r"\d", word) for word in beside):
            return len("".join(words))
    return 0
