"""The pairs of students whose files are more similar than those of independent right work: for people to look at.

A score is the share of the shorter file that is in the other: the mean of that of its passages and that of its
statements, after what everybody was given is left out. How far apart copies and independent work lie is measured by
`python -m tests.proof.similarity`; no points depend on it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from grader.similarity.fingerprints import Fingerprints, fingerprints, hashes
from grader.submission.sources import FILES

LIMIT = 0.5  # of the score, from which a pair is listed; see docs/evidence.md
LEAST = 10  # fingerprints in common
LONGEST = 200  # characters of a line that is shown


@dataclass(frozen=True)
class Line:
    """A line of the one that matches a line of the other."""

    left: int
    left_text: str
    right: int
    right_text: str
    gap: bool  # whether the line before this one does not match, though an earlier one does


@dataclass(frozen=True)
class Handed:
    """One content of a file, and all who have handed it in: identical files are listed as such."""

    students: tuple[str, ...]
    source: bytes
    prints: Fingerprints


@dataclass(frozen=True)
class Pair:
    file: str
    left: Handed
    right: Handed
    score: float
    shared: int  # fingerprints

    @cached_property
    def lines(self) -> list[Line]:
        """Lines of the one beside those of the other: for each the one with which it has most tokens in common."""
        votes: dict[int, Counter[int]] = defaultdict(Counter)
        a, b = self.left.prints, self.right.prints
        for digest in a.places.keys() & b.places.keys():
            here, there = a.places[digest], b.places[digest]
            for k in range(here.length):
                votes[a.lines[here.start + k]][b.lines[there.start + k]] += 1
        ours, theirs = _texts(self.left.source), _texts(self.right.source)
        found: list[Line] = []
        for line, counts in sorted(votes.items()):
            other = min(counts.items(), key=lambda item: (-item[1], item[0]))[0]
            gap = bool(found) and line != found[-1].left + 1
            found.append(Line(line, ours[line - 1], other, theirs[other - 1], gap))
        return found


def similar(sources: Mapping[str, Mapping[str, bytes]], given: Mapping[str, Iterable[bytes]]) -> list[Pair]:
    """The most similar first.

    Args:
        sources: student → file → source, whatever it is
        given: file → what everybody has, and what therefore does not count
    """
    found = []
    for file in FILES:
        known = hashes(given[file])
        handed = [Handed(who, source, fingerprints(source, known)) for who, source in _by_content(sources, file)]
        scores, shared = _scores(handed)
        for a, b in zip(*np.nonzero(np.triu((scores >= LIMIT) & (shared >= LEAST), k=1)), strict=True):
            found.append(Pair(file, handed[a], handed[b], float(scores[a, b]), int(shared[a, b])))
    return sorted(found, key=lambda of: (-of.score, -of.shared, of.file, of.left.students, of.right.students))


def compare(sources: list[bytes], given: Iterable[bytes]) -> Any:
    """The score of each two versions of a file, as a matrix."""
    known = hashes(given)
    return _scores([Handed((), source, fingerprints(source, known)) for source in sources])[0]


def _by_content(sources: Mapping[str, Mapping[str, bytes]], file: str) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """Each content once, with all of its owners."""
    owners: dict[bytes, list[str]] = defaultdict(list)
    for student, files in sources.items():
        if file in files:
            owners[files[file]].append(student)
    for source, who in owners.items():
        yield tuple(who), source


def _scores(handed: list[Handed]) -> tuple[Any, Any]:
    """For each two files their score, and how many fingerprints they share."""
    score, shared = np.zeros((len(handed), len(handed))), np.zeros((len(handed), len(handed)), dtype=int)
    for kind in ("passages", "statements"):
        sets: list[dict[bytes, Any]] = [getattr(each.prints, kind) for each in handed]
        common = _in_common(sets)
        sizes = np.array([max(1, len(each)) for each in sets])
        score += common / np.minimum(sizes[:, None], sizes[None, :]) / 2
        shared += common
    return score, shared


def _in_common(sets: list[dict[bytes, Any]]) -> Any:
    """How many each two have in common, by an index of what several have."""
    counts = Counter(digest for each in sets for digest in each)
    index = {digest: k for k, digest in enumerate(digest for digest, n in counts.items() if n > 1)}
    rows, columns = [], []
    for row, each in enumerate(sets):
        mine = [index[digest] for digest in each if digest in index]
        rows += [row] * len(mine)
        columns += mine
    shape = (len(sets), max(1, len(index)))
    table = csr_array((np.ones(len(rows), dtype=np.int64), (rows, columns)), shape=shape)
    return (table @ table.T).toarray()


def _texts(source: bytes) -> list[str]:
    text = source.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return [line if len(line) <= LONGEST else f"{line[:LONGEST]}…" for line in text.expandtabs(4).split("\n")]
