"""The class as one page of HTML: scores, how hard each check was, common mistakes, identical files.

It lies beside the students' folders, and links to the report in each.
"""

import os
from string import Template
from typing import Any
from urllib.parse import quote

from grader.classroom.statistics import by_check, identical, mistakes, scores
from grader.reports.html import HERE, policy, text
from grader.submission.handed_in import HandedIn

BINS = 10  # of the histogram of scores
SHOWN = 15  # mistakes
NAMED = 8  # students with a mistake
EASY, TELLS_NOTHING = 0.95, 0.1  # from which share of passes, and below which discrimination, a check is pointed out


def render(
    handed_in: list[HandedIn], graded: dict[str, dict[str, Any]], problems: dict[str, str],
    audited: dict[str, list[str]],
) -> str:  # fmt: skip
    """The whole page; every word of a submission or of a roster is shown as text."""
    style = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "class.css"))
    return Template((HERE / "class.html").read_text(encoding="utf-8")).substitute(
        policy=policy(style), style=style, title=f"{len(graded)} of {len(handed_in)} graded", summary=summary(graded),
        histogram=histogram(graded), problems=problem_list(problems), audit=audit_list(audited),
        students=student_table(handed_in, graded, problems),
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


def audit_list(audited: dict[str, list[str]]) -> str:
    if not audited:
        return ""
    differ = {who: lines for who, lines in audited.items() if lines}
    rows = "".join(f"<li>{_report(who)}: {text('; '.join(lines))}</li>\n" for who, lines in differ.items())
    says = "where a verdict does not stand is listed" if differ else "every verdict stands"
    return (
        '<section aria-labelledby="audit"><h2 id="audit">Audit</h2>\n'
        f"<p>{len(audited)} graded again; {says}.</p>\n{f'<ul>{rows}</ul>' if rows else ''}</section>"
    )


def student_table(
    handed_in: list[HandedIn], graded: dict[str, dict[str, Any]], problems: dict[str, str]
) -> str:  # fmt: skip
    """Everybody, with the points of each level and a link to the report; or why there are none."""
    levels = sorted({check["level"] for results in graded.values() for check in results["checks"]})
    heads = ["student", "points", *(f"level {level}" for level in levels), "first to look at"]
    rows = ["<tr>" + "".join(f'<th scope="col">{head}</th>' for head in heads) + "</tr>"]
    for work in handed_in:
        name = text(work.student)
        if results := graded.get(work.student):
            failed = [c["id"] for c in results["checks"] if c["verdict"] not in ("passed", "not_judged")]
            by_level = [[c for c in results["checks"] if c["level"] == level] for level in levels]
            name = _report(work.student)
            cells = [f"<strong>{of(results['score'], results['max_score'])}</strong>"]
            cells += [of(*(sum(c[key] for c in checks) for key in ("points", "max_points"))) for checks in by_level]
            cells += [f"<code>{text(failed[0])}</code>" if failed else ""]
        else:
            cells = ["–"] * (1 + len(levels)) + [f"not graded: {text(problems.get(work.student, ''))}"]
        rows.append(f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "\n".join(rows)


def _report(student: str) -> str:
    """The student's name as a link: whatever the folder is called, no part of it is read as anything but a name."""
    return f'<a href="{quote(os.fsencode(student))}/report.html">{text(student)}</a>'


def of(points: float, most: float) -> str:
    return f"{points:g}/{most:g}"


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
            f'<tr><th scope="row"><code>{text(row.id).replace(".", ".<wbr>")}</code></th>'
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
        others = f" and {len(mistake.checks) - 1} more" if len(mistake.checks) > 1 else ""
        says = f"<code>{text(mistake.checks[0])}</code>{others}: {text(mistake.says)}"
        rows.append(
            f'<li><p><strong>{len(mistake.students)} ×</strong> {says}</p><p class="counts">{text(who + more)}</p></li>'
        )
    left = f"<p>… and {len(found) - SHOWN} others, in the students' results.</p>" if len(found) > SHOWN else ""
    return f'<ol class="mistakes">\n{"".join(rows)}\n</ol>{left}' if rows else "<p>None.</p>"


def identical_list(graded: dict[str, dict[str, Any]]) -> str:
    rows = [f"<li><code>{text(name)}</code>: {text(', '.join(who))}</li>" for name, who in identical(graded)]
    return f"<ul>{''.join(rows)}</ul>" if rows else "<p>No two students have handed in the same file.</p>"
