"""The class as one page of HTML: scores, how hard each check was, common mistakes, identical files."""

from string import Template
from typing import Any

from grader.classroom.handed_in import HandedIn
from grader.classroom.statistics import by_check, identical, mistakes, scores
from grader.reports.html import HERE, policy, text

BINS = 10  # of the histogram of scores
SHOWN = 15  # mistakes
NAMED = 8  # students with a mistake
EASY, TELLS_NOTHING = 0.95, 0.1  # from which share of passes, and below which discrimination, a check is pointed out


def render(handed_in: list[HandedIn], graded: dict[str, dict[str, Any]], problems: dict[str, str]) -> str:
    """The whole page; every word of a submission or of a roster is shown as text."""
    style = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "class.css"))
    return Template((HERE / "class.html").read_text(encoding="utf-8")).substitute(
        policy=policy(style), style=style, title=f"{len(graded)} of {len(handed_in)} graded", summary=summary(graded),
        histogram=histogram(graded), problems=problem_list(problems), students=student_rows(handed_in, graded),
        checks=check_rows(graded), mistakes=mistake_list(graded), identical=identical_list(graded),
    )  # fmt: skip


def summary(graded: dict[str, dict[str, Any]]) -> str:
    if not graded:
        return "<p>Nobody was graded.</p>"
    most = max(results["max_score"] for results in graded.values())
    figures = "".join(f"<div><dt>{name}</dt><dd>{value:.3g}</dd></div>" for name, value in scores(graded).items())
    return f'<dl class="figures-row">{figures}<div><dt>of</dt><dd>{most:g}</dd></div></dl>'


def histogram(graded: dict[str, dict[str, Any]]) -> str:
    """Bars, with their counts as text: how many students have which share of the points."""
    if not graded:
        return ""
    counts = [0] * BINS
    for results in graded.values():
        share = results["score"] / results["max_score"] if results["max_score"] else 0.0
        counts[min(BINS - 1, int(share * BINS))] += 1
    rows = "\n".join(
        f'<tr><th scope="row">{100 * k // BINS} – {100 * (k + 1) // BINS} %</th><td>{bar(count / max(counts))} {count}'
        "</td></tr>"
        for k, count in enumerate(counts)
    )
    return f'<table class="bars"><caption>Students by their share of the points</caption>\n{rows}\n</table>'


def bar(share: float) -> str:
    return (
        f'<svg class="bar" aria-hidden="true"><rect class="got" width="{share:.1%}" height="100%"/></svg>'
    )  # fmt: skip


def problem_list(problems: dict[str, str]) -> str:
    if not problems:
        return ""
    rows = "\n".join(f"<li><strong>{text(who)}</strong>: {text(why)}</li>" for who, why in problems.items())
    return (
        '<section aria-labelledby="problems"><h2 id="problems">Not graded</h2>\n'
        f"<p>They have no score, which is not a score of 0.</p>\n<ul>\n{rows}\n</ul></section>"
    )


def student_rows(handed_in: list[HandedIn], graded: dict[str, dict[str, Any]]) -> str:
    rows = []
    for work in handed_in:
        if results := graded.get(work.student):
            failed = [c["id"] for c in results["checks"] if c["verdict"] not in ("passed", "not_judged")]
            first = f"<code>{text(failed[0])}</code>" if failed else ""
            points = f"{results['score']:g}/{results['max_score']:g}"
            rows.append(f'<tr><th scope="row">{text(work.student)}</th><td>{points}</td><td>{first}</td></tr>')
    return "\n".join(rows)


def check_rows(graded: dict[str, dict[str, Any]]) -> str:
    rows = []
    for row in by_check(graded):
        r = "–" if row.discrimination is None else f"{row.discrimination:.2f}"
        remark = ""
        if row.judged and row.difficulty >= EASY:
            remark = "nearly all pass"
        elif row.discrimination is not None and row.discrimination < TELLS_NOTHING:
            remark = "tells good work from bad hardly at all"
        cells = [f"{row.passed} of {row.judged}", str(row.not_judged or "–"), r, remark]
        rows.append(
            f'<tr><th scope="row"><code>{text(row.id)}</code></th>'
            + "".join(f"<td>{text(value)}</td>" for value in cells)
            + "</tr>"
        )
    return "\n".join(rows)


def mistake_list(graded: dict[str, dict[str, Any]]) -> str:
    found = mistakes(graded)
    rows = []
    for mistake in found[:SHOWN]:
        who = ", ".join(mistake.students[:NAMED])
        more = f" and {len(mistake.students) - NAMED} more" if len(mistake.students) > NAMED else ""
        says = f"<code>{text(mistake.check)}</code>: {text(mistake.says)}"
        rows.append(
            f'<li><p><strong>{len(mistake.students)} ×</strong> {says}</p><p class="counts">{text(who + more)}</p></li>'
        )
    left = f"<p>… and {len(found) - SHOWN} others, in the students' results.</p>" if len(found) > SHOWN else ""
    return f'<ol class="mistakes">\n{"".join(rows)}\n</ol>{left}' if rows else "<p>None.</p>"


def identical_list(graded: dict[str, dict[str, Any]]) -> str:
    rows = [f"<li><code>{text(name)}</code>: {text(', '.join(who))}</li>" for name, who in identical(graded)]
    return f"<ul>{''.join(rows)}</ul>" if rows else "<p>No two students have handed in the same file.</p>"
