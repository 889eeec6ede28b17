"""Text in the columns of a terminal: how wide it is there, and where its lines break."""

import os
import unicodedata
from collections.abc import Iterator

LOG = 110  # columns where there is no terminal, as in a file or a CI's log
LEAST = 40  # columns; a narrower terminal breaks the lines itself


def width(file: int = 1) -> int:
    """The columns of the terminal: COLUMNS, else those of the open file, else LOG where that is no terminal."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return max(LEAST, int(given))
    try:
        return max(LEAST, os.get_terminal_size(file).columns or LOG)
    except (OSError, ValueError):
        return LOG


def cells(text: str) -> int:
    """Columns that a text takes: an East Asian character takes two, a combining one none."""
    if text.isascii():
        return len(text)
    return sum(_cell(c) for c in text)


def _cell(c: str) -> int:
    if unicodedata.category(c) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


def filled(text: str, room: int) -> str:
    """The text with spaces up to so many columns."""
    return text + " " * (room - cells(text))


def wrapped(text: str, room: int) -> list[str]:
    """The text in lines of at most so many columns, at least one: broken at spaces, and in words that are longer."""
    lines, line = [], ""
    for word in _words(text, room):
        longer = f"{line} {word}" if line else word
        if cells(longer) <= room:
            line = longer
        else:
            lines.append(line)
            line = word
    return [*lines, line]


def _words(text: str, room: int) -> Iterator[str]:
    """The words, and pieces of those that are longer than a line."""
    for word in text.split():
        while (piece := clipped(word, room)) != word:
            yield piece
            word = word[len(piece) :]
        yield word


def clipped(text: str, room: int) -> str:
    """As much of the text's beginning as fits into so many columns, and at least a character."""
    used = 0
    for i, c in enumerate(text):
        used += _cell(c)
        if used > room and i:
            return text[:i]
    return text


def indented(text: str, room: int, first: str = "  ", then: str = "    ") -> list[str]:
    """A paragraph of at most so many columns, with something before its first line and before the others."""
    lines = wrapped(text, room - cells(then))
    return [f"{then if i else first}{line}" for i, line in enumerate(lines)]
