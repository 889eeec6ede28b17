"""The score table in the terminal: check, verdict, points; last, all about the first failure."""

import re
from textwrap import indent, wrap

from grader.results import Check, Results

WIDTH = 110
MARKS = {"passed": "✓", "not_judged": "–"}
WORDS = {"out_of_memory": "out of memory", "not_judged": "not judged"}
OUTPUT_LINES = 20
JOINER = "\N{WORD JOINER}"  # is not seen, and parts what a runner takes for a command


def render(results: Results) -> str:
    """The whole report as text."""
    lines = []
    for level in sorted({check.level for check in results.checks}):
        checks = [check for check in results.checks if check.level == level]
        got, most = sum(c.points for c in checks), sum(c.max_points for c in checks)
        lines += ["", f"Level {level}{f'{got:g} of {most:g} points':>{WIDTH - 7}}", "─" * WIDTH]
        lines += [row(check) for check in checks]
    lines += ["─" * WIDTH, f"{'Score':<20}{f'{results.score:g} of {results.max_score:g} points':>{WIDTH - 20}}"]
    if results.information:
        lines += ["", *(f"  {one_line(f'{name}: {value}')}" for name, value in results.information.items())]
    if results.environment.get("advisory"):
        lines += ["", f"Advisory only: {results.environment['advisory']}."]
    first = next((c for c in results.checks if c.verdict not in ("passed", "not_judged")), None)
    first = first or next((c for c in results.checks if c.verdict == "not_judged"), None)
    if first:
        lines += ["", details(first)]
    return printable("\n".join(lines))


def printable(text: str) -> str:
    """Without control characters, which could paint over the table, and without commands to a GitHub runner."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return re.sub(r"^(\s*):(?=:)|##(?=\[)", rf"\g<0>{JOINER}", shown, flags=re.MULTILINE)


def one_line(text: str) -> str:
    """Who breaks the line could add a row of his own to the table."""
    return " ".join(text.split())


def row(check: Check) -> str:
    mark = MARKS.get(check.verdict, "✗")
    name = check.id.split(".", 1)[1]
    points = f"{check.points:g}/{check.max_points:g}"
    says = one_line(check.claim if check.verdict == "passed" else check.message)
    room = WIDTH - 34 - 15 - len(points)
    short = says if len(says) <= room else says[: room - 1] + "…"
    return f"{mark} {name:<32}{WORDS.get(check.verdict, check.verdict):<14}{short:<{room}} {points}"


def details(check: Check) -> str:
    """One check in full: claim, message, the student's lines, what was printed, and the hint last."""
    lines = [f"First to look at: {check.id}", f"  {check.claim}", *_filled(f"{_word(check)}: {check.message}")]
    if check.trace:
        lines.append(indent(check.trace, "  "))
    if check.output:
        printed = check.output.rstrip().splitlines()
        more = [f"  … and {len(printed) - OUTPUT_LINES} lines more"] if len(printed) > OUTPUT_LINES else []
        lines += ["  printed:", *(f"  | {line[:WIDTH]}" for line in printed[:OUTPUT_LINES]), *more]
    if check.hint:
        lines += _filled(f"hint: {check.hint}")
    return printable("\n".join(lines))


def _word(check: Check) -> str:
    return WORDS.get(check.verdict, check.verdict)


def _filled(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
