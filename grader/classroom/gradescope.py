"""What Gradescope's export says of who has handed in: its folders are numbered, and a file names the submitters."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from assignment.ddpm.errors import UserError
from grader.classroom.matching import Matching, fold, ways
from grader.classroom.roster import Row

METADATA = "submission_metadata.yml"


@dataclass(frozen=True)
class Submitter:
    name: str
    numbers: tuple[str, ...]  # student's number and address, as far as they are given


def submitters(file: Path) -> dict[str, list[Submitter]]:
    """Folder → who has handed in together. Raises UserError if it can't be read, or is something else."""
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return {
            str(folder): [_submitter(each) for each in about.get(":submitters") or []]
            for folder, about in found.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, RecursionError, yaml.YAMLError) as error:
        says = " ".join(str(error).split())
        raise UserError(f"{file}: can't be read as what Gradescope writes beside its submissions: {says}") from error


def _submitter(about: Mapping[str, object]) -> Submitter:
    name, *numbers = (" ".join(str(about.get(key) or "").split()) for key in (":name", ":sid", ":email"))
    return Submitter(name or " ".join(numbers), tuple(filter(None, numbers)))


def in_words(people: list[Submitter]) -> str:
    return " and ".join(each.name for each in people)


def match_submitters(rows: list[Row], people: Mapping[str, list[Submitter]]) -> tuple[list[Row], Matching]:
    """Whose is what, by number or address, else by name; those who have handed in together become a group.

    Args:
        people: the name of a hand-in → its submitters
    """
    rows, matching = list(rows), Matching()
    numbers = [{way for number in (row.student, *row.numbers) for way in ways(number)} for row in rows]
    names = [set(ways(row.student)) for row in rows]
    whose: dict[int, list[str]] = {}
    for name, together in people.items():
        found = [k for each in together if (k := _row_of(each, numbers, names)) is not None]
        for k in found[:1]:
            whose.setdefault(k, []).append(name)
        for k in found if len(together) > 1 else ():
            rows[k] = replace(rows[k], group=name)
    for k, of in whose.items():
        if len(of) == 1:
            matching.found[k] = of[0]
        else:
            matching.unclear_rows[k] = of
            matching.unclear_names |= {name: [k] for name in of}
    return rows, matching


def _row_of(person: Submitter, numbers: list[set[str]], names: list[set[str]]) -> int | None:
    """The row that most of a person's numbers speak of, else their name; None if it is none, or several."""
    counts = Counter(k for number in person.numbers for k, own in enumerate(numbers) if fold(number) in own)
    if not counts:
        counts = Counter(k for k, own in enumerate(names) if fold(person.name) in own)
    best = [k for k, count in counts.items() if count == max(counts.values())]
    return best[0] if len(best) == 1 else None
