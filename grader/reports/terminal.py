"""The score table in the terminal: check, verdict, points; at the end, the first failure in full."""

from textwrap import indent, wrap

from grader.reports.wording import MARKS, adjustments, one_line, partial, printable, score_line, word
from grader.results import Check, Results, to_look_at

WIDTH = 110
OUTPUT_LINES = 20
FIRST = "First to look at: "


def render(results: Results) -> str:
    """The whole report as text."""
    lines = []
    for level in sorted({check.level for check in results.checks}):
        checks = [check for check in results.checks if check.level == level]
        got, most = sum(c.points for c in checks), sum(c.max_points for c in checks)
        lines += ["", f"Level {level}{f'{got:g} of {most:g} points':>{WIDTH - 7}}", "─" * WIDTH]
        lines += [row(check) for check in checks]
    lines += ["─" * WIDTH, f"{'Score':<20}{f'{results.score:g} of {results.max_score:g} points':>{WIDTH - 20}}"]
    if results.adjustments:
        about = {"score": results.score, "max_score": results.max_score, "adjustments": results.adjustments}
        lines += ["", score_line(about), *(f"  {line}" for line in adjustments(about))]
    if results.information:
        lines += ["", *(f"  {one_line(f'{name}: {value}')}" for name, value in results.information.items())]
    if results.environment.get("advisory"):
        lines += ["", f"Advisory only: {results.environment['advisory']}."]
    for first in to_look_at([check.verdict for check in results.checks])[:1]:
        lines += ["", FIRST + details(results.checks[first])]
    return printable("\n".join(lines))


def row(check: Check) -> str:
    mark = MARKS.get(check.verdict, "✗")
    name = check.id.split(".", 1)[1]
    points = f"{check.points:g}/{check.max_points:g}"
    says = one_line(partial(check.to_json()) or (check.claim if check.verdict == "passed" else check.message))
    room = WIDTH - 34 - 15 - len(points)
    short = says if len(says) <= room else says[: room - 1] + "…"
    return f"{mark} {name:<32}{word(check.verdict):<14}{short:<{room}} {points}"


def details(check: Check) -> str:
    """One check in full: claim, message, the student's lines, the output, and the hint last."""
    lines = [check.id, f"  {check.claim}", *_filled(f"{word(check.verdict)}: {check.message}")]
    if earns := partial(check.to_json()):
        lines += _filled(f"points: {earns}")
    if check.trace:
        lines.append(indent(check.trace, "  "))
    if check.output:
        printed = check.output.rstrip().splitlines()
        more = [f"  … and {len(printed) - OUTPUT_LINES} lines more"] if len(printed) > OUTPUT_LINES else []
        lines += ["  printed:", *(f"  | {line[:WIDTH]}" for line in printed[:OUTPUT_LINES]), *more]
    if check.hint:
        lines += _filled(f"hint: {check.hint}")
    return printable("\n".join(lines))


def _filled(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
