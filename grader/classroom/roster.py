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

STUDENT = "student"
NUMBERS = {"id", "student id", "id number", "sis user id", "sis login id", "login id", "username", "user name"}
NOBODY = {"points possible"}  # the second row of Canvas's grade book
DELIMITERS = ",;\t"
ADDED = ("late", "final", "submission", "assignment", "homework", "hw", "ddpm")  # to names, by people and platforms
DATE = re.compile(r"(?:19|20)\d\d-\d\d-\d\d")
WHOLE = 1_000_000  # letters that a match of the whole name is worth


@dataclass(frozen=True)
class Row:
    student: str
    numbers: tuple[str, ...]  # and user names
    about: dict[str, str]  # all other columns


def read_roster(file: Path) -> list[Row]:
    """Raises UserError if it is no table with a column `student`."""
    try:
        lines = list(io.StringIO(_decoded(file.read_bytes()), newline=""))
        if lines and lines[0].casefold().startswith("sep="):  # Excel's, which says what the delimiter is
            del lines[0]
        table = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=_delimiter(lines), strict=True)]
    except (OSError, UnicodeError, csv.Error) as error:
        raise UserError(f"{file}: expected a CSV file, such as Excel and Canvas write: {error}") from error
    table = [row for row in table if any(row)]
    header = _unique(table[0]) if table else []
    column = next((k for k, name in enumerate(header) if name.casefold() == STUDENT), None)
    if column is None:
        raise UserError(f"{file}: expected a column `student` with the names of the folders, or parts of them")
    rows: list[Row] = []
    for cells in table[1:]:
        row = dict(zip(header, cells + [""] * len(header), strict=False))
        name = " ".join(row.pop(header[column]).split())
        numbers = [value for title, value in row.items() if title.casefold() in NUMBERS and value]
        if name.casefold() not in NOBODY and (name or numbers):
            about = {title: value for title, value in row.items() if title}
            rows.append(Row(name or numbers[0], tuple(dict.fromkeys(numbers)), about))
    return rows


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")  # Excel's, where it is not told to write UTF-8


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
    pairs: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for k, row in enumerate(rows):
        own_names, numbers = _keys(row)
        for name, plain in folded.items():
            if letters := agreement(own_names, numbers, plain, {*ADDED, *shared}):
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
    if plain in names or plain in numbers:
        return WHOLE
    by_name = max(_letters(name, plain, added) for name in names)
    return by_name + sum(_letters(number, plain, added) for number in numbers)


def _keys(row: Row) -> tuple[list[str], set[str]]:
    """The ways to write a row's name, and its numbers, folded: `Lee, Ann` is `Ann Lee`, too."""
    last, comma, first = row.student.partition(",")
    names = [fold(name) for name in (row.student, *([f"{first} {last}"] if comma else []))]
    return names, {fold(number) for number in row.numbers} - set(names)


def fold(name: str) -> str:
    """Letters and digits as Unicode compares them without case; a space within a name, `_` between its parts."""
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", DATE.sub("_", name)).casefold())
    signs = [c if unicodedata.category(c)[0] in "LMN" else " " if c.isspace() or c in "-'’.," else "_" for c in plain]
    return " ".join("".join(signs).split())


def _letters(key: str, plain: str, added: set[str]) -> int:
    """The length of a key, if it is there from delimiter to delimiter: `ab1` in `ab1_late`, not in `ab12_late`.

    Part of a name is no match: `ann lee` is not in `ann lee smith`, but in `ann lee_12` and `ann lee late`.
    """
    words = key.replace("_", " ").split()
    if not words:
        return 0
    pattern = rf"(?<![^ _]){'[ _]*'.join(map(re.escape, words))}(?![^ _])"  # Canvas leaves the spaces out
    for found in re.finditer(pattern, plain):
        before = plain[: found.start()].rpartition("_")[2].split()
        after = plain[found.end() :].partition("_")[0].split()
        beside = [*before[-1:], *after[:1]]  # in the same part of the name
        if re.search(r"\d", key) or all(word in added or re.search(r"\d", word) for word in beside):
            return len("".join(words))
    return 0
