"""What is known of a class when its tables and its page are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grader.classroom.adjustments import Adjustments
from grader.classroom.groups import graded_alone
from grader.classroom.hand_ins import NOTHING, HandedIn
from grader.classroom.retrain import Finding
from grader.submission.handed_in import Taken


@dataclass(frozen=True)
class ClassOutcome:
    """Everything is of students by name, as `handed_in` lists them.

    `graded` are results; whoever has none has no score, rather than one of 0, and `problems` says why. `audited` is
    what differed in a second grading, `retrained` what came of training their code again.
    """

    handed_in: Sequence[HandedIn]
    graded: Mapping[str, dict[str, Any]]
    problems: Mapping[str, str] = field(default_factory=dict)
    taken: Mapping[str, Taken] = field(default_factory=dict)
    audited: Mapping[str, list[str]] = field(default_factory=dict)
    retrained: Mapping[str, Finding] = field(default_factory=dict)
    adjustments: Adjustments = field(default_factory=dict)

    @property
    def alone(self) -> list[HandedIn]:
        """Each work once: without those for whom somebody else of their group has handed in."""
        return graded_alone(self.handed_in)

    @property
    def graded_once(self) -> dict[str, dict[str, Any]]:
        return {work.student: self.graded[work.student] for work in self.alone if work.student in self.graded}

    @property
    def levels(self) -> list[int]:
        return sorted({check["level"] for results in self.graded.values() for check in results["checks"]})

    @property
    def differ(self) -> dict[str, list[str]]:
        """Of those audited, whose verdicts do not stand."""
        return {who: lines for who, lines in self.audited.items() if lines}

    @property
    def missing(self) -> list[str]:
        """Who has handed nothing in."""
        return [work.student for work in self.handed_in if work.problem == NOTHING]
