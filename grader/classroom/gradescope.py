"""What Gradescope's export says of who has handed in: its folders are numbered, and a file names the submitters."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from assignment.ddpm.errors import UserError
from grader.classroom.matching import Matching, fold, ways, without_zeros
from grader.classroom.roster import Row

METADATA = "submission_metadata.yml"


@dataclass(frozen=True)
class Submitter:
    name: str
    numbers: tuple[str, ...]  # student's number and address, as far as they are given


def submitters(file: Path) -> dict[str, list[Submitter]]:
    """Folder → who has handed in together. Raises UserError if it can't be read, or is something else."""
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CBaseLoader", yaml.BaseLoader))
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
    keys = [{without_zeros(way) for own in (row.student, *row.numbers) for way in ways(own)} for row in rows]
    of = {name: [_row_of(each, rows, keys) for each in together] for name, together in people.items()}
    by_number = {k for found in of.values() for k, sure in found if sure}
    whose: dict[int, list[str]] = {}
    for name, found in of.items():
        theirs = [k for k, sure in found if k is not None and (sure or k not in by_number)]
        for k in theirs[:1]:
            whose.setdefault(k, []).append(name)
        for k in theirs if len(found) > 1 else ():
            rows[k] = replace(rows[k], group=name)
    for k, names in whose.items():
        if len(names) == 1:
            matching.found[k] = names[0]
        else:
            matching.unclear_rows[k] = names
            matching.unclear_names |= {name: [k] for name in names}
    return rows, matching


def _row_of(person: Submitter, rows: list[Row], keys: list[set[str]]) -> tuple[int | None, bool]:
    """The row that most of a person's numbers speak of, else their name; and whether it is by number.

    None if it is none, or several. A name counts only where no number, and no address, contradicts it.
    """
    counts = Counter(k for number in person.numbers for k, own in enumerate(keys) if without_zeros(fold(number)) in own)
    sure = bool(counts)
    if not sure:
        named = [k for k, own in enumerate(keys) if without_zeros(fold(person.name)) in own]
        counts = Counter(k for k in named if not _kinds(person.numbers) & _kinds(rows[k].numbers))
    best = [k for k, count in counts.items() if count == max(counts.values())]
    return (best[0], sure) if len(best) == 1 else (None, sure)


def _kinds(numbers: tuple[str, ...]) -> set[str]:
    """What can be compared: addresses with addresses, and plain numbers with plain numbers."""
    return {"address" if "@" in number else "number" for number in numbers if "@" in number or number.isdigit()}
