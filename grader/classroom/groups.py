"""Students who hand in one work: it is graded once, and all of its group get the points; or it is told why not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from grader.classroom.hand_ins import NOTHING, HandedIn
from grader.submission.handed_in import Taken, read

Of = TypeVar("Of")


def share(works: Sequence[HandedIn]) -> list[HandedIn]:
    """Everybody, those of a group with its one hand-in; if theirs differ, it is the problem of all of them."""
    members: dict[str, list[HandedIn]] = defaultdict(list)
    for work in works:
        if work.group:
            members[work.group].append(work)
    together = {work.student: work for group, of in members.items() for work in _together(group, of)}
    return [together.get(work.student, work) for work in works]


def _together(group: str, members: list[HandedIn]) -> list[HandedIn]:
    handed_in = [work for work in members if work.places and not work.problem]
    if not handed_in or len(members) == 1:
        return members
    first = handed_in[0]
    if len(handed_in) > 1 and (why := _differ(handed_in)):
        told = f"group {group}: {why}; keep the one that counts, and nobody else's"
        return [replace(work, problem=told) for work in members]
    return [work if work is first else _with(first, work) for work in members]


def _with(first: HandedIn, work: HandedIn) -> HandedIn:
    own = work.problem if work.problem != NOTHING else ""
    remark = "; ".join(filter(None, (f"handed in by {first.student} for group {work.group}", own, work.remark)))
    return replace(work, places=(), problem="", remark=remark, same_as=first.student, folder=first.folder)


def _differ(handed_in: list[HandedIn]) -> str:
    """Whose files are not those of the first, or can't be read; empty if all are the same."""
    first, *others = [(work.student, read(*work.places)) for work in handed_in]
    for who, taken in (first, *others):
        if taken.problem:
            return f"what {who} has handed in can't be compared with the others' ({taken.problem})"
    different = [who for who, taken in others if _programs(taken) != _programs(first[1])]
    return f"{', '.join([first[0], *different])} have handed in different work" if different else ""


def _programs(taken: Taken) -> dict[str, list[bytes]]:
    """Line by line, as Windows ends lines otherwise."""
    return {name: source.splitlines() for name, source in taken.sources.items()}


def graded_alone(works: Sequence[HandedIn]) -> list[HandedIn]:
    """Without those for whom somebody else has handed in."""
    return [work for work in works if not work.same_as]


def for_all(works: Sequence[HandedIn], found: Mapping[str, Of]) -> dict[str, Of]:
    """Student → what was found of their group's hand-in, from that of those who handed it in."""
    of = {work.student: work.same_as or work.student for work in works}
    return {student: found[who] for student, who in of.items() if who in found}
