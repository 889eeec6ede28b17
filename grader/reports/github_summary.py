"""A step summary for GitHub Actions, in Markdown: append it to the file $GITHUB_STEP_SUMMARY.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary (1 MiB at most)
"""

from typing import Any

from grader.reports.github import entities, inline
from grader.reports.wording import adjustments, checks_to_look_at, clean, partial, score_line, verdict, within

SIZE = 1_000_000  # bytes
MARKS = {"passed": "✅", "not_judged": "➖"}
CELL = 160  # characters


def render(results: dict[str, Any]) -> str:
    """The score, the first failure in full, and a table for each level."""
    return within(SIZE, lambda longest: _page(results, longest))


def _page(results: dict[str, Any], longest: int) -> str:
    blocks = [f"## {score_line(results)}"]
    blocks += [f"Adjusted by the course: {inline(line)}" for line in adjustments(results)]
    if advisory := results["environment"].get("advisory"):
        blocks.append(f"Advisory only: {inline(str(advisory))}")
    for first in checks_to_look_at(results["checks"])[:1]:
        blocks += _details(first, longest)
    for level in sorted({check["level"] for check in results["checks"]}):
        blocks.append(_table(level, [check for check in results["checks"] if check["level"] == level], longest))
    if results["information"]:
        told = results["information"].items()
        blocks.append("\n".join(f"- {inline(name, longest)}: {inline(str(value), longest)}" for name, value in told))
    return "\n\n".join(blocks) + "\n"


def _details(check: dict[str, Any], longest: int) -> list[str]:
    where = f" in {inline(check['location'])}" if check["location"] else ""
    blocks = [f"### First to look at: {inline(check['id'])}", inline(check["claim"], longest)]
    blocks.append(f"**{verdict(check)}**{where}: {inline(check['message'], longest)}")
    if earns := partial(check):
        blocks.append(inline(earns, longest))
    for name, text in (("In your code", check["trace"]), ("Printed", check["output"])):
        if text:
            blocks.append(f"{name}:\n\n<pre>{entities(clean(text, longest))}</pre>")
    if check["hint"]:
        blocks.append(f"Hint: {inline(check['hint'], longest)}")
    return blocks


def _table(level: int, checks: list[dict[str, Any]], longest: int) -> str:
    got, most = (sum(check[key] for check in checks) for key in ("points", "max_points"))
    lines = [
        f"### Level {level}: {got:g} of {most:g} points",
        "",
        "| | check | verdict | points | |",
        "|---|---|---|---:|---|",
    ]
    for check in checks:
        says = partial(check) or (check["claim"] if check["verdict"] == "passed" else check["message"])
        name, mark = check["id"].split(".", 1)[1], MARKS.get(check["verdict"], "❌")
        points = f"{check['points']:g}/{check['max_points']:g}"
        lines.append(f"| {mark} | {inline(name)} | {verdict(check)} | {points} | {inline(says, min(CELL, longest))} |")
    return "\n".join(lines)
