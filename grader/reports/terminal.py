"""The results in the terminal: a row for each check; then the first to look at, the levels, and one next step."""

from pathlib import Path

from grader.reports.columns import cells, clipped, filled, indented, width, wrapped
from grader.reports.next_step import closest, next_step
from grader.reports.rows import ROOM, Paint, Rows, plain
from grader.reports.wording import adjustments, counts, one_line, partial, printable, score_line, title, word
from grader.results import Check, Results, level_of, to_look_at

OUTPUT_LINES = 20
FIRST = "First to look at: "
BAR = 20  # cells of a level's bar


def render(results: Results, columns: int | None = None) -> str:
    """The whole report as text."""
    columns = columns or width()
    rows = Rows(
        [check.id for check in results.checks], columns,
        environment=results.environment, submission=results.submission,
    )  # fmt: skip
    lines = [line for check in in_order(results.checks) for line in rows.of(check)]
    return printable("\n".join([*lines, *rows.end(), *summary(results, columns)]))


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
    for i in to_look_at([(c.id, c.verdict, c.message) for c in results.checks])[:1]:
        check = results.checks[i]
        if check.verdict != "not_judged":  # else its row says why, and the next step what to do about it
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
    return [*lines, *(paint(f"  {line}", bold=True) for line in command.splitlines())]


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
        told = f"{points} · {counts(check.verdict for check in checks)}" if checks else points
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
        lines += indented(earns, columns)
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
