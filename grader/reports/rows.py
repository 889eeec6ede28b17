"""The table in the terminal: a heading for each level, a row for each check, and one for all that wait for the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from grader import ROOT
from grader.check_ids import name_of
from grader.reports.columns import cells, filled, indented, wrapped
from grader.reports.repeats import Repeats, folded
from grader.reports.wording import MARKS, heading, one_line, partial, printable, word
from grader.results import WAITS, Check

ROOM = 24  # columns that a row's text needs at least, to stand beside the name
COLOURS = {"passed": "green", "not_judged": "yellow"}


class Paint(Protocol):
    """Text in colour, as pytest's TerminalWriter.markup: paint("✓", green=True)."""

    def __call__(self, text: str, **markup: bool) -> str: ...


def plain(text: str, **markup: bool) -> str:
    return text


class Rows:
    """The table's rows: mark, name, what there is to say and the points, exactly as wide as the terminal.

    A check that says nothing new, as it waits for another or fails with the same message, is kept back until its level
    ends: then there is a row for all of one kind.
    """

    def __init__(
        self, ids: list[str], columns: int, paint: Paint = plain, *, environment: Mapping[str, Any] | None = None,
        submission: Path | None = None,
    ) -> None:  # fmt: skip
        """`environment` of the results, and the folder that was graded: for the headings."""
        self.columns, self.paint = columns, paint
        self.environment, self.submission = environment or {}, submission
        self.names = max((len(name_of(check_id)) for check_id in ids), default=0)
        self.level = 0  # of the row before
        self.repeats = Repeats()  # of this level
        self.kept: dict[str, list[Check]] = {}  # what there is to say of several checks → those checks

    def of(self, check: Check) -> list[str]:
        """The lines to print now: none if it is kept back; before a level's first ones those of its heading."""
        before = []
        if check.level != self.level:
            before = [*self.end(), "", *self._heading(check.level)]
            self.level, self.repeats = check.level, Repeats()
        if again := self.repeats.of(name_of(check.id), check.verdict, check.message):
            self.kept.setdefault(again, []).append(check)
            return before
        return [*before, *self._row(check, self._text(check))]

    def end(self) -> list[str]:
        """The rows of what was kept back."""
        kept, self.kept = self.kept, {}
        return [line for says, checks in kept.items() for line in self._folded(says, checks)]

    def _heading(self, level: int) -> list[str]:
        says = heading(level, self.environment, shown(self.submission))
        if cells(says) > self.columns - 2:
            return [self.paint(line, bold=True) for line in wrapped(says, self.columns)]
        return [self.paint(f"{says} ", bold=True) + "─" * (self.columns - cells(says) - 1)]

    def _folded(self, says: str, checks: list[Check]) -> list[str]:
        if len(checks) == 1:
            text = f"{word(checks[0].verdict)}: {says}" if says.startswith(WAITS) else says
            return self._row(checks[0], text)
        got, most = (sum(getattr(check, which) for check in checks) for which in ("points", "max_points"))
        points = f"{got:g}/{most:g}"
        room = self.columns - cells(points) - 4
        first, *others = wrapped(folded(says, [name_of(check.id) for check in checks]), room)
        return [f"{self._mark(checks[0])} {filled(first, room)}  {points}", *(f"    {line}" for line in others)]

    def _row(self, check: Check, text: str) -> list[str]:
        name, points, mark = name_of(check.id), f"{check.points:g}/{check.max_points:g}", self._mark(check)
        room = self.columns - self.names - len(points) - 6
        if room < ROOM:  # the text gets lines of its own
            return [f"{mark} {filled(name, self.columns - len(points) - 3)} {points}",
                    *indented(text, self.columns, "    ")]  # fmt: skip
        first, *others = wrapped(text, room)
        line = f"{mark} {filled(name, self.names)}  {self._verdict_in(filled(first, room), check)}  {points}"
        return [line, *(f"{'':{self.names + 4}}{line}" for line in others)]

    def _text(self, check: Check) -> str:
        earns = partial(check.to_json())
        if check.verdict == "passed":
            return one_line(earns or check.claim)
        message = f"{word(check.verdict)}: {one_line(check.message)}"
        return f"{message}. {one_line(earns).capitalize()}" if earns and check.points else message

    def _mark(self, check: Check) -> str:
        return self._painted(MARKS.get(check.verdict, "✗"), check)

    def _painted(self, text: str, check: Check) -> str:
        return self.paint(text, **{COLOURS.get(check.verdict, "red"): True})

    def _verdict_in(self, line: str, check: Check) -> str:
        """A row's first line with the verdict's word in colour."""
        says = word(check.verdict)
        return self._painted(says, check) + line[len(says) :] if line.startswith(says) and says != "passed" else line


def shown(folder: Path | None) -> str:
    """A folder with a slash behind it: within the project from its root, else by its name alone."""
    if folder is None:
        return ""
    place = folder.resolve()
    return printable(f"{place.relative_to(ROOT) if place.is_relative_to(ROOT) else place.name}/").replace("\n", " ")
