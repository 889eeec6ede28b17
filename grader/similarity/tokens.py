"""A program as a row of tokens in which renaming, comments, docstrings, annotations and layout make no difference.

Names that the file gives itself become one and the same token. Those of libraries stay, however they are imported:
`torch.nn.functional.silu`, `F.silu` and `silu` are all `silu`, which nobody can rename.
"""

import builtins
import keyword
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from grader.similarity.words import Word, nested, statements

KEPT = {*keyword.kwlist, *dir(builtins)}
PLAIN = {"string": "S", "number": "0"}
OWN = "N"
LAYOUT = set("(),:;]}")  # what formatting adds and takes away


@dataclass(frozen=True)
class Token:
    text: str
    line: int  # from 1
    statement: int  # how many have ended before


@dataclass(frozen=True)
class _Names:
    """What the names of a file mean."""

    imported: dict[str, str]  # name → its name in the library
    owners: set[str]  # those whose attributes the file assigns, such as `self`
    own: set[str]  # these attributes, and what the file defines


def tokens(source: bytes) -> list[Token]:
    """Of the first words of a file, without its imports."""
    rows, imported = [], dict[str, str]()
    for row in statements(source):
        if row[0].text in ("import", "from"):
            imported |= _imported(row)
        elif any(word.kind != "string" for word in row):  # else it is a docstring, or a comment by another name
            rows.append(list(_without_annotations(row)))
    names = _Names(imported, *_attributes(rows))
    return [Token(text, line, k) for k, row in enumerate(rows) for text, line in _normalised(row, names)]


def _normalised(row: list[Word], names: _Names) -> Iterator[tuple[str, int]]:
    """Text and line of each token."""
    k = 0
    while k < len(row):
        kind, text, line = row[k]
        is_attribute = k > 0 and row[k - 1].text == "."
        if kind != "name":
            if text not in LAYOUT:
                yield PLAIN.get(kind, text), line
        elif is_attribute:
            is_own = k > 1 and row[k - 2].text in names.owners | names.own and text in names.own
            yield OWN if is_own else text, line
        elif text in names.imported:
            last = k
            while last + 2 < len(row) and row[last + 1].text == "." and row[last + 2].kind == "name":
                last += 2
            yield row[last].text if last > k else names.imported[text], line
            k = last
        else:
            yield text if text in KEPT else OWN, line
        k += 1


def _imported(row: list[Word]) -> dict[str, str]:
    """import a.b as c, d → {c: b, d: d}; from a import b as c, d → {c: b, d: d}"""
    texts = [word.text for word in row if word.text not in "()"]
    from_a_module = texts[0] == "from" and "import" in texts
    rest = texts[texts.index("import") + 1 :] if from_a_module else texts[1:]
    found = {}
    for part in " ".join(rest).split(","):
        dotted, _, given = part.partition(" as ")
        path = dotted.replace(" ", "").split(".")
        found[given.strip() or path[0]] = path[-1]
    return found


def _without_annotations(row: list[Word]) -> Iterator[Word]:
    """`def f(x: Tensor = 1) -> Tensor:` is `def f(x = 1):`, and `x: Tensor = 1` is `x = 1`."""
    header = row[0].text in ("def", "async")
    names = next((k for k, word in enumerate(row) if word.kind != "name" and word.text != "."), len(row))
    variable = names < len(row) and row[names].text == ":" and row[0].text not in KEPT
    since, done = None, not (header or variable)  # how deep the annotation stands that is being left out
    for depth, word in nested(row):
        ends = depth == 0 and word.text == ":"
        if since is not None:
            if depth < since or (depth == since and word.text in (",", "=", ":")):
                since, done = None, done or ends
        elif not done:
            if (word.text == ":" and depth == header) or (word.text == "->" and depth == 0):
                since = depth
            done = ends
        if since is None:
            yield word


def _attributes(rows: list[list[Word]]) -> tuple[set[str], set[str]]:
    """Whose attributes are assigned, and the names of these, and of functions and classes."""
    owners, own = {"self", "cls"}, set()
    for row in rows:
        texts = [word.text for word in row]
        own |= {name for before, name in pairwise(texts) if before in ("def", "class")}
        ends = [k for k, (depth, word) in enumerate(nested(row)) if depth == 0 and word.text == "="]
        targets = texts[: ends[-1] + 1] if ends else []
        for of, dot, name, sign in zip(targets, targets[1:], targets[2:], targets[3:], strict=False):
            if dot == "." and sign in ("=", ",", ")"):
                owners.add(of)
                own.add(name)
    return owners, own
