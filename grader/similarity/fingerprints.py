"""What is compared of a file: hashes of its passages and of its statements.

Passages are runs of PASSAGE tokens, of which winnowing keeps one in each window, always the same ones: whatever two
files share of PASSAGE + WINDOW - 1 tokens in a row is found (Schleimer, Wilkerson & Aiken 2003, the algorithm of
MOSS). Statements are found where others were put in between. Both without what students were given.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import blake2b
from itertools import groupby

from grader.similarity.tokens import Token, tokens

PASSAGE, WINDOW = 10, 4  # tokens; passages
STATEMENT = 6  # tokens, at least: `x = x + 1` says nothing of whose it is


@dataclass(frozen=True)
class Place:
    """Where a fingerprint is: so many tokens from this one on."""

    start: int
    length: int


@dataclass(frozen=True)
class Fingerprints:
    """Of one file; each where it is found first."""

    lines: tuple[int, ...]  # on which each token begins
    passages: dict[bytes, Place]
    statements: dict[bytes, Place]

    @cached_property
    def places(self) -> dict[bytes, Place]:
        return self.passages | self.statements


def fingerprints(source: bytes, given: frozenset[bytes] = frozenset()) -> Fingerprints:
    """Of a file, but for the `hashes` that are given."""
    row = tokens(source)
    passages = {digest: place for digest, place in _winnowed(_passages(row)) if digest not in given}
    statements = {digest: place for digest, place in _statements(row) if digest not in given}
    return Fingerprints(tuple(token.line for token in row), passages, statements)


def hashes(sources: Iterable[bytes]) -> frozenset[bytes]:
    """All that is in files which everybody has: to be left out of others."""
    return frozenset().union(*map(_hashes, sources))


@cache
def _hashes(source: bytes) -> frozenset[bytes]:
    row = tokens(source)
    return frozenset(digest for found in (_passages(row), _statements(row)) for digest, _ in found)


Found = list[tuple[bytes, Place]]


def _passages(row: list[Token]) -> Found:
    texts = [token.text for token in row]
    starts = range(len(texts) - PASSAGE + 1)
    return [(_hash("passage", texts[start : start + PASSAGE]), Place(start, PASSAGE)) for start in starts]


def _winnowed(passages: Found) -> Found:
    """The least hash of each window, the last of equal ones; in the order of the file, backwards, so that of a
    fingerprint that is there twice the first place is kept."""
    kept = set()
    for start in range(max(1, len(passages) - WINDOW + 1)):
        if window := passages[start : start + WINDOW]:
            kept.add(start + min(range(len(window)), key=lambda k: (window[k][0], -k)))
    return [passages[k] for k in sorted(kept, reverse=True)]


def _statements(row: list[Token]) -> Found:
    found: Found = []
    for _, group in groupby(range(len(row)), key=lambda k: row[k].statement):
        places = list(group)
        if len(places) >= STATEMENT:
            found.append((_hash("statement", [row[k].text for k in places]), Place(places[0], len(places))))
    return found[::-1]


def _hash(kind: str, texts: list[str]) -> bytes:
    return blake2b(" ".join([kind, *texts]).encode(), digest_size=8).digest()
