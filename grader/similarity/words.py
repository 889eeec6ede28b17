"""A lexer that takes whatever was handed in: programs that don't parse, too, alike in every version of Python.

Its time grows with the length alone: what begins a string matches, ended or not, so that nothing is read twice.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

MOST = 10_000  # words of a file that are looked at; the longest right answer of the bank has 1,000
WORD = re.compile(
    r"""(?P<string>(?i:[rbuft]{0,2})(?:\"{3}(?:[^\\]|\\.)*?(?:\"{3}|\\?\Z)|'{3}(?:[^\\]|\\.)*?(?:'{3}|\\?\Z)
        |"(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?))
    |(?P<comment>\#[^\n]*)
    |(?P<name>[^\W\d]\w*)
    |(?P<number>\.?\d(?:[eE][+-]|[\w.])*)
    |(?P<newline>\n)
    |(?P<space>[^\S\n]+|\\\n)
    |(?P<operator>\*\*=?|//=?|->|:=|[=!<>]=|<<|>>|[-+*/%@&|^]=|.)""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
OPEN, CLOSED = set("([{"), set(")]}")


class Word(NamedTuple):
    kind: str
    text: str
    line: int  # from 1, on which it begins


def statements(source: bytes) -> Iterator[list[Word]]:
    """The words of each logical line, but for comments; of a file that closes no bracket, all to its end."""
    statement: list[Word] = []
    depth = 0
    for word in islice(_words(source.decode("utf-8", "replace")), MOST):
        depth = max(0, depth + (word.text in OPEN) - (word.text in CLOSED))
        if depth == 0 and (word.kind == "newline" or word.text == ";"):
            if statement:
                yield statement
            statement = []
        elif word.kind != "newline":
            statement.append(word)
    if statement:
        yield statement


def _words(text: str) -> Iterator[Word]:
    line = 1
    for match in WORD.finditer(text.replace("\r\n", "\n").replace("\r", "\n")):
        kind = match.lastgroup or ""
        if kind not in ("space", "comment"):
            yield Word(kind, match[0], line)
        line += match[0].count("\n")


def nested(words: Iterable[Word]) -> Iterator[tuple[int, Word]]:
    """Each word and how many brackets are open before it."""
    depth = 0
    for word in words:
        depth = max(0, depth - (word.text in CLOSED))
        yield depth, word
        depth += word.text in OPEN
