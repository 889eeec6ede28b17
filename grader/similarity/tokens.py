"""A program as a row of tokens in which renaming, comments, docstrings and layout make no difference.

Names that the file gives itself become one and the same token. Those of libraries stay (`.randn_like`, `.sqrt`), as
nobody can rename them. A lexer of our own, because it has to take whatever was handed in: programs that don't parse,
too, alike in every version of Python, and in time that grows with the length alone.
"""

import builtins
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

MOST = 10_000  # words of a file that are looked at; the longest right answer of the bank has 1,000
TOKEN = re.compile(  # whatever a string begins with matches, ended or not: nothing is read twice
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
KEPT = {*keyword.kwlist, *dir(builtins)}
LAYOUT = set("(),:;]}")  # what formatting adds and takes away
PLAIN = {"string": "S", "number": "0"}
OPEN, CLOSED = set("([{"), set(")]}")


Word = tuple[str, str, int]  # kind, text, line


@dataclass(frozen=True)
class Token:
    text: str
    line: int  # from 1
    statement: int  # how many have ended before


def tokens(source: bytes) -> list[Token]:
    """The first MOST of a file, normalised."""
    words = _words(source.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n"))
    owners, own = _attributes(words)
    found, statement, depth = [], 0, 0
    for k, (kind, text, line) in enumerate(words):
        if kind == "newline":
            statement += depth == 0
            continue
        depth = max(0, depth + (text in OPEN) - (text in CLOSED))
        statement += depth == 0 and text == ";"
        if kind == "string" and _stands_alone(words, k):
            continue
        if kind == "name":
            of = words[k - 2][1] if k > 1 and words[k - 1][1] == "." else ""
            is_own = of in owners and text in own if of else text not in KEPT
            found.append(Token("N" if is_own else text, line, statement))
        elif text not in LAYOUT:
            found.append(Token(PLAIN.get(kind, text), line, statement))
    return found


def _words(text: str) -> list[Word]:
    """All but spaces and comments, with the lines on which they begin."""

    def read() -> Iterator[Word]:
        line = 1
        for match in TOKEN.finditer(text):
            kind = match.lastgroup or ""
            if kind not in ("space", "comment"):
                yield kind, match[0], line
            line += match[0].count("\n")

    return list(islice(read(), MOST))


def _attributes(words: list[Word]) -> tuple[set[str], set[str]]:
    """Whose attributes the file assigns, such as `self`; and the names of these, and of what it defines."""
    texts = [text for _, text, _ in words]
    own = {name for before, name in pairwise(texts) if before in ("def", "class")}
    owners = {"self", "cls"}
    for of, dot, name, sign in zip(texts, texts[1:], texts[2:], texts[3:], strict=False):
        if dot == "." and sign in ("=", ":"):
            owners.add(of)
            own.add(name)
    return owners, own


def _stands_alone(words: list[Word], k: int) -> bool:
    """Whether a string is all of its line: a docstring, or a comment by another name."""
    begins = k == 0 or words[k - 1][0] == "newline"
    return begins and (k + 1 == len(words) or words[k + 1][0] == "newline")
