"""Whose is what: the rows of a roster, matched with the names of what was handed in.

All are matched at once. A hand-in's name has to say the row's name or number, in whole words. What agrees as a whole
goes before what agrees in part, and what says more before what says less; where several students may be meant, nobody
gets it. A number that a platform has added is compared with that platform's column, and with no other.
"""

import functools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from grader.classroom.roster import Row

ADDED = ("late", "final", "submission", "assignment", "homework", "hw", "ddpm")  # to names, by people and platforms
DATE = re.compile(r"(?:19|20)\d\d-\d\d-\d\d(?:[-_T ]\d\d[-:._]\d\d(?:[-:._]\d\d)?)?")
DIGITS = 5  # a shorter number counts as the whole name, or beside the student's: it may be a date's, or a version
EXACT, FOLDED, BARE, NUMBER = 4, 3, 2, 1  # how a whole name agrees: to the letter; folded; without ADDED; 007 as 7


@dataclass(frozen=True)
class Mark:
    """What the name of a hand-in says of its student."""

    text: str
    platform: str = ""  # canvas or moodle, which has added …
    number: str = ""  # … this one
    own: bool = False  # whether all numbers in the text are the student's, as it is no name of a file


@dataclass(frozen=True)
class Evidence:
    """How a hand-in's name speaks of a row."""

    level: int = 0  # of a whole name; 0: only a part of it is the row's
    spans: frozenset[tuple[int, int]] = frozenset()  # where that part stands
    keys: frozenset[str] = frozenset()  # what of the row it says

    def __bool__(self) -> bool:
        return bool(self.level or self.spans)

    def says_more_than(self, other: "Evidence") -> bool:
        """Of the same hand-in's name: it covers what the other does, and more."""
        if self.level != other.level or self.level:
            return self.level > other.level
        within = all(any(a <= c and d <= b for a, b in self.spans) for c, d in other.spans)
        return within and self.spans != other.spans

    def names_better_than(self, other: "Evidence") -> bool:
        """Of the same row, by the name of another hand-in."""
        return self.level > other.level or (self.level == other.level and self.keys > other.keys)


@dataclass
class Matching:
    """By positions in the roster and names of hand-ins; what is in no list has found nothing."""

    found: dict[int, str] = field(default_factory=dict)
    unclear_rows: dict[int, list[str]] = field(default_factory=dict)  # a row that fits several hand-ins
    unclear_names: dict[str, list[int]] = field(default_factory=dict)  # a hand-in that fits several rows
    second: dict[str, int] = field(default_factory=dict)  # a hand-in of a row that another fits better


def match(rows: list[Row], names: Iterable[str] | Mapping[str, Mark], also_added: Iterable[str] = ()) -> Matching:
    """Whose is what?

    Args:
        also_added: words that are in nobody's name
    """
    marks = names if isinstance(names, Mapping) else {name: Mark(name) for name in names}
    keys = [{way for own in (row.student, *row.numbers) for way in ways(own)} - {""} for row in rows]
    names_of_rows = [_words(way) for row in rows for way in ways(row.student)]
    added = {*ADDED, *also_added, *shared_words([mark.text for mark in marks.values()], names_of_rows)}
    claims: dict[int, dict[str, Evidence]] = defaultdict(dict)
    matching = Matching()
    for name, mark in marks.items():
        readings = [replace(mark, text=text) for text in _readings(mark.text)]
        fits: dict[int, Evidence] = {}
        for k, row in enumerate(rows):
            if found := next(filter(None, (evidence(row, keys[k], reading, added) for reading in readings)), None):
                fits[k] = found
        said = set(fits.values())
        most = {found for found in said if not any(other.says_more_than(found) for other in said)}
        best = [k for k, found in fits.items() if found in most]
        if len(best) == 1:
            claims[best[0]][name] = fits[best[0]]
        elif best:
            matching.unclear_names[name] = best
    for k, claim in claims.items():
        if best_name := _best(claim):
            matching.found[k] = best_name
            matching.second |= {name: k for name in claim if name != best_name}
        else:
            matching.unclear_rows[k] = list(claim)
            matching.unclear_names |= {name: [k] for name in claim}
    for name, unclear in matching.unclear_names.items():
        for k in unclear:
            if k not in matching.found and name not in matching.unclear_rows.setdefault(k, []):
                matching.unclear_rows[k].append(name)
    return matching


def _best(claim: Mapping[str, Evidence]) -> str:
    """The hand-in that names a row better than all others do; empty if there is none."""
    for name, found in claim.items():
        if all(found.names_better_than(other) for rival, other in claim.items() if rival != name):
            return name
    return ""


def evidence(row: Row, keys: set[str], mark: Mark, added: set[str]) -> Evidence:
    """What the name of a hand-in says of a row.

    Args:
        keys: the ways to write its name and numbers, folded
        added: words of nobody's name
    """
    by_text = _by_text(row, keys, mark, added)
    if not mark.platform:
        return by_text
    theirs, is_known = (row.moodle, bool(row.moodle)) if mark.platform == "moodle" else (row.canvas, row.is_canvas)
    if mark.number == theirs and (is_known or by_text or len(theirs) >= DIGITS):
        # of a roster that is not the platform's, the number alone may be another one
        return Evidence(EXACT if is_known or by_text else BARE, keys=by_text.keys | {theirs})
    return Evidence() if is_known else by_text  # another student of this name


def _by_text(row: Row, keys: set[str], mark: Mark, added: set[str]) -> Evidence:
    """The same, of the text alone."""
    plain = fold(mark.text)
    rest = [word for word in _words(plain) if word not in added]
    if mark.text in (row.student, *row.numbers):
        return Evidence(EXACT, keys=frozenset({mark.text}))
    if plain in keys:
        return Evidence(FOLDED, keys=frozenset({plain}))
    for key in keys:
        own = _words(key)
        if own and (own == rest or ("".join(own) == "".join(rest) and not re.search(r"\d", key))):
            return Evidence(BARE, keys=frozenset({key}))
    if mark.platform == "canvas":  # which writes leeann, of a roster that may have Ann Lee
        for way in ways(row.student):
            own = _words(way)
            if plain in {"".join(own[k:] + own[:k]) for k in range(len(own))}:
                return Evidence(BARE, keys=frozenset({way}))
    if len(rest) == 1 and rest[0].isdigit() and rest[0].strip("0"):
        for key in keys:
            if without_zeros(key) == without_zeros(rest[0]):
                return Evidence(NUMBER, keys=frozenset({key}))
    by_people = any(c.isspace() for c in mark.text)
    spans = {key: span for key in keys if (span := _span(key, plain, added, by_people))}
    if not mark.own and all(key.isdigit() and len(key) < DIGITS for key in spans):
        return Evidence()
    return Evidence(0, frozenset(spans.values()), frozenset(spans))


def _readings(name: str) -> list[str]:
    """The name of a hand-in, and with `Lee, Ann` as `Ann Lee`, if it has one comma."""
    turned = re.sub(r"([^_,]+),([^_,]+)", r"\2 \1", name)
    return [name, turned] if name.count(",") == 1 and turned != name else [name]


def ways(name: str) -> list[str]:
    """`Lee, Ann` is `Ann Lee`, too."""
    last, comma, first = name.partition(",")
    return [fold(name), *([fold(f"{first} {last}")] if comma else [])]


@functools.cache
def fold(name: str) -> str:
    """Letters and digits as Unicode compares them without case; a space within a name, `_` between its parts."""
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", DATE.sub("_", name)).casefold())
    kinds = [unicodedata.category(c) for c in plain]
    signs = [
        c if kind[0] in "LMN" else "" if kind == "Cf" else " " if c.isspace() or c in "-'’.," else "_"
        for c, kind in zip(plain, kinds, strict=True)
    ]
    return " ".join("".join(signs).split())


def without_zeros(folded: str) -> str:
    """Of a number, without those in front, which Excel takes away."""
    return folded.lstrip("0") or folded if folded.isdigit() else folded


def _words(plain: str) -> list[str]:
    return plain.replace("_", " ").split()


def shared_words(texts: list[str], names: list[list[str]]) -> set[str]:
    """The words that most names begin or end with, as GitHub Classroom's and `_hw1` do; none if they are somebody's.

    Names with spaces do not count: people write Ann Lee, and GitHub ann-lee.
    """
    words = [_words(fold(text)) for text in texts if not any(c.isspace() for c in text)]
    ends = [_beginning(words), _beginning([of[::-1] for of in words])]
    return {word for end in ends for word in end if not any(name and set(name) <= set(end) for name in names)}


def _beginning(words: list[list[str]]) -> list[str]:
    """What more than half of these begin with, and at least two."""
    found: list[str] = []
    while True:
        nexts = Counter(of[len(found)] for of in words if len(of) > len(found) + 1 and of[: len(found)] == found)
        word, count = next(iter(nexts.most_common(1)), ("", 0))
        if count < 2 or 2 * count <= len(words):
            return found
        found.append(word)


def _span(key: str, plain: str, added: set[str], by_people: bool) -> tuple[int, int] | None:
    """Where a key stands, if it does so from delimiter to delimiter: `ab1` in `ab1_late`, not in `ab12_late`.

    Part of a name is no match: `ann lee` is not in `ann lee smith`, but in `ann lee_12` and `ann lee late`. A long
    number may stand beside any word, and a login with digits where people, who write spaces, have put it.
    """
    words = _words(key)
    if not words or any(word not in plain for word in words):
        return None
    pattern = rf"(?<![^ _]){'[ _]*'.join(map(re.escape, words))}(?![^ _])"  # Canvas leaves the spaces out
    for found in re.finditer(pattern, plain):
        before = plain[: found.start()].rpartition("_")[2].split()
        after = plain[found.end() :].partition("_")[0].split()
        beside = [*before[-1:], *after[:1]]  # in the same part of the name
        if key.isdigit() and len(key) >= DIGITS:
            fits = not any(word.isdigit() for word in beside)
        elif re.search(r"\d", key) and by_people:
            fits = True
        else:
            fits = all(word in added or re.search(r"\d", word) for word in beside)
        if fits:
            return found.span()
    return None
