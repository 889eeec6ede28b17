"""The results in the terminal: a row for each check; then the first to look at, the levels, and one next step."""

from collections import Counter
from pathlib import Path
from typing import Protocol

from grader.check_ids import name_of
from grader.reports.columns import cells, clipped, filled, indented, width, wrapped
from grader.reports.next_step import closest, next_step
from grader.reports.wording import MARKS, adjustments, one_line, partial, printable, score_line, title, word
from grader.results import WAITS, Check, Results, level_of, to_look_at

OUTPUT_LINES = 20
FIRST = "First to look at: "
BAR = 20  # cells of a level's bar
ROOM = 24  # columns that a row's text needs at least, to stand beside the name
REPEATED = 40  # characters of a message from which it is said once only
COLOURS = {"passed": "green", "not_judged": "yellow"}


class Paint(Protocol):
    """Text in colour, as pytest's TerminalWriter.markup: paint("✓", green=True)."""

    def __call__(self, text: str, **markup: bool) -> str: ...


def plain(text: str, **markup: bool) -> str:
    return text


class Rows:
    """The table's rows: mark, name, what there is to say and the points, exactly as wide as the terminal."""

    def __init__(self, ids: list[str], columns: int, paint: Paint = plain) -> None:
        self.columns, self.paint = columns, paint
        self.names = max((len(name_of(check_id)) for check_id in ids), default=0)
        self.level = 0  # of the row before
        self.reasons: set[str] = set()  # all messages of this level so far
        self.said: dict[str, str] = {}  # message → the check that has said it

    def of(self, check: Check) -> list[str]:
        """A check's lines; before a level's first one those of its heading."""
        heading = []
        if check.level != self.level:
            heading = ["", *heading_of(check.level, self.columns, self.paint)]
            self.level, self.reasons, self.said = check.level, set(), {}
        name, points = name_of(check.id), f"{check.points:g}/{check.max_points:g}"
        mark = self._painted(MARKS.get(check.verdict, "✗"), check)
        text = self._text(check)
        room = self.columns - self.names - len(points) - 6
        if room < ROOM:  # the text gets lines of its own
            first = f"{filled(name, self.columns - len(points) - 3)} {points}"
            return [*heading, f"{mark} {first}", *indented(text, self.columns, "    ")]
        first, *others = wrapped(text, room)
        lines = [f"{mark} {filled(name, self.names)}  {self._verdict_in(filled(first, room), check)}  {points}"]
        return [*heading, *lines, *(f"{'':{self.names + 4}}{line}" for line in others)]

    def _text(self, check: Check) -> str:
        if check.verdict == "passed":
            return one_line(partial(check.to_json()) or check.claim)
        message, name = self._short(one_line(partial(check.to_json()) or check.message)), name_of(check.id)
        before = self.said.setdefault(f"{check.verdict} {message}", name)
        again = before != name and len(message) > REPEATED
        return f"{word(check.verdict)}, as {before}" if again else f"{word(check.verdict)}: {message}"

    def _short(self, message: str) -> str:
        """Of `waits for X: why` only the first half, where a row has said why."""
        what, _, why = message.partition(": ")
        self.reasons.add(message)
        return what if message.startswith(WAITS) and why in self.reasons else message

    def _painted(self, text: str, check: Check) -> str:
        return self.paint(text, **{COLOURS.get(check.verdict, "red"): True})

    def _verdict_in(self, line: str, check: Check) -> str:
        """A row's first line with the verdict's word in colour."""
        says = word(check.verdict)
        return self._painted(says, check) + line[len(says) :] if line.startswith(says) and says != "passed" else line


def heading_of(level: int, columns: int, paint: Paint = plain) -> list[str]:
    return [paint(f"{title(level)} ", bold=True) + "─" * (columns - cells(title(level)) - 1)]


def render(results: Results, columns: int | None = None) -> str:
    """The whole report as text."""
    columns = columns or width()
    rows = Rows([check.id for check in results.checks], columns)
    lines = [line for check in in_order(results.checks) for line in rows.of(check)]
    return printable("\n".join([*lines, *summary(results, columns)]))


def in_order(checks: list[Check]) -> list[Check]:
    return sorted(checks, key=lambda check: check.level)


def summary(
    results: Results, columns: int, paint: Paint = plain, *, submission: Path | None = None
) -> list[str]:  # fmt: skip
    """What follows the rows: the most useful last.

    Args:
        submission: see `next_step`
    """
    lines = []
    if results.information:
        lines += ["", *(line for about in results.information.items() for line in indented(_said(*about), columns))]
    for first in to_look_at([check.verdict for check in results.checks])[:1]:
        check = results.checks[first]
        lines += ["", FIRST + paint(check.id, bold=True), *details(check, columns).splitlines()[1:]]
    lines += ["", *_bars(results, columns, paint)]
    if results.adjustments:
        about = {"score": results.score, "max_score": results.max_score, "adjustments": results.adjustments}
        lines += ["", *wrapped(score_line(about), columns)]
        lines += [line for one in adjustments(about) for line in indented(one, columns)]
    if results.environment.get("advisory"):
        lines += ["", *wrapped(f"Advisory only: {one_line(results.environment['advisory'])}.", columns)]
    lines += ["", *wrapped(nearest, columns)] if (nearest := closest(results)) else [""]
    says, command = next_step(results, submission)
    lines += [paint(line, bold=True) for line in wrapped(says, columns)]
    return [*lines, *([paint(f"  {command}", bold=True)] if command else [])]


def _said(name: str, value: object) -> str:
    return one_line(f"{name}: {value}")


def _bars(results: Results, columns: int, paint: Paint) -> list[str]:
    """A level to a line, and the score: how much of its points there is, as a bar and in numbers."""
    levels = {level_of(check.id) for check in results.checks}
    parts = [(title(level), [c for c in results.checks if c.level == level]) for level in sorted(levels)]
    parts += [("Score", results.checks)] if len(levels) != 1 else []
    names = max(cells(name) for name, _ in parts)
    lines = []
    for name, checks in parts:
        got, most = sum(c.points for c in checks), sum(c.max_points for c in checks)
        full = int(BAR * got / most + 1e-9) if most else 0  # full only where all points are there
        bar = paint("█" * full, green=True) + "░" * (BAR - full)
        points = f"{got:g} of {most:g} points"
        counted = Counter(word(check.verdict) for check in checks)
        told = " · ".join([points, *(f"{n} {says}" for says, n in counted.items())])
        shown = f"{filled(name, names)}  {bar}  "
        room = columns - names - BAR - 4
        first, *others = wrapped(told, room) if room >= ROOM else [""]
        lines += [shown + first, *(f"{'':{names + BAR + 4}}{line}" for line in others)]
        if room < ROOM:
            lines += indented(told, columns)
    return lines


def details(check: Check, columns: int | None = None) -> str:
    """One check in full: claim, message, the student's lines, the output, and the hint last."""
    columns = columns or width()
    lines = [check.id, *indented(check.claim, columns, then="  ")]
    lines += indented(f"{word(check.verdict)}: {check.message}", columns)
    if earns := partial(check.to_json()):
        lines += indented(f"points: {earns}", columns)
    lines += [line for frame in check.trace.splitlines() for line in indented(frame, columns, "    ", "      ")]
    if check.output:
        printed = check.output.rstrip().splitlines()
        more = [f"  … and {len(printed) - OUTPUT_LINES} lines more"] if len(printed) > OUTPUT_LINES else []
        lines += ["  printed:", *(f"  | {_cut(line, columns - 4)}" for line in printed[:OUTPUT_LINES]), *more]
    if check.hint:
        lines += indented(f"hint: {check.hint}", columns)
    return printable("\n".join(lines))


def _cut(line: str, room: int) -> str:
    return line if cells(line) <= room else f"{clipped(line, room - 1)}…"
