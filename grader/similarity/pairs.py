"""The pairs of students whose files are more similar than those of independent right work: for people to look at.

A score is the share of the shorter file that is in the other: the mean of that of its passages and that of its
statements, after what everybody was given is left out. How far apart copies and independent work lie is measured by
`python -m tests.proof.similarity`; no points depend on it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from scipy.sparse import csr_array, triu

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
        for (a, b), (score, shared) in _scores(handed).items():
            if score >= LIMIT and shared >= LEAST:
                found.append(Pair(file, handed[a], handed[b], score, shared))
    return sorted(found, key=lambda of: (-of.score, -of.shared, of.file, of.left.students, of.right.students))


def compare(sources: list[bytes], given: Iterable[bytes]) -> dict[tuple[int, int], float]:
    """The score of each two versions of a file, by their places in the list."""
    known = hashes(given)
    scores = _scores([Handed((), source, fingerprints(source, known)) for source in sources])
    return {pair: scores.get(pair, (0.0, 0))[0] for pair in combinations(range(len(sources)), 2)}


def _by_content(sources: Mapping[str, Mapping[str, bytes]], file: str) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """Each content once, with all of its owners."""
    owners: dict[bytes, list[str]] = defaultdict(list)
    for student, files in sources.items():
        if file in files:
            owners[files[file]].append(student)
    for source, who in owners.items():
        yield tuple(who), source


def _scores(handed: list[Handed]) -> dict[tuple[int, int], tuple[float, int]]:
    """For each two files that share anything their score, and how many fingerprints they share."""
    found: dict[tuple[int, int], tuple[float, int]] = {}
    for kind in ("passages", "statements"):
        sets: list[dict[bytes, Any]] = [getattr(each.prints, kind) for each in handed]
        for pair, common in _in_common(sets):
            score, shared = found.get(pair, (0.0, 0))
            found[pair] = score + common / min(len(sets[k]) for k in pair) / 2, shared + common
    return found


def _in_common(sets: list[dict[bytes, Any]]) -> Iterator[tuple[tuple[int, int], int]]:
    """How many each two have in common, by an index of what several have."""
    counts = Counter(digest for each in sets for digest in each)
    index = {digest: k for k, digest in enumerate(digest for digest, n in counts.items() if n > 1)}
    if index:
        cells = [(row, index[digest]) for row, each in enumerate(sets) for digest in each if digest in index]
        table = csr_array(([1] * len(cells), tuple(zip(*cells, strict=True))), shape=(len(sets), len(index)))
        both = triu(table @ table.T, k=1).tocoo()
        for a, b, common in zip(*(part.tolist() for part in (both.row, both.col, both.data)), strict=True):
            yield (a, b), common


def _texts(source: bytes) -> list[str]:
    text = source.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return [line if len(line) <= LONGEST else f"{line[:LONGEST]}…" for line in text.expandtabs(4).split("\n")]
