"""The class as one HTML page: scores, how hard each check was, common mistakes, identical and similar files.

It lies beside students/, and links to the report in each folder there.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from grader.classroom.adjustments import final
from grader.classroom.hand_ins import STUDENTS, HandedIn
from grader.classroom.outcome import ClassOutcome
from grader.classroom.retrain import MARGIN
from grader.classroom.statistics import (
    CONSEQUENCE,
    CheckStatistics,
    by_check,
    identical,
    mistakes,
    nobody_is_trained,
    points_not_judged,
    scores,
    unjudged,
)
from grader.classroom.weights import NO_WEIGHTS, weights_of
from grader.reports.html import points, render_page
from grader.results import final_points, to_look_at
from grader.similarity.pairs import LIMIT, Pair
from grader.similarity.weights import NearWeights

BINS = 10  # of the histogram of scores
SHOWN = 15  # mistakes
REASONS = 5  # for which points could not be judged
FEW = 10  # students, of whom a share and a correlation say nothing about a check
NAMED = 8  # students with a mistake
PAIRS, LINES = 20, 80  # pairs of similar files, and lines of each
EASY, TELLS_NOTHING = 0.95, 0.1  # from which share of passes, and below which discrimination, a check is pointed out


def render(of: ClassOutcome, similar: Sequence[Pair] = (), near: Sequence[NearWeights] = ()) -> str:
    """The whole page; every word of a submission or of a roster is shown as text."""
    graded, alone, levels, says = of.graded, of.graded_once, of.levels, warning(of.graded)
    found, folders = mistakes(alone), {work.student: work.folder for work in of.handed_in}
    return render_page(
        "class.html", ["page.css", "class.css"],
        title=f"{len(graded)} of {len(of.handed_in)} graded",
        warning=says, unjudged=[each for each in unjudged(graded) if not says.endswith(each.why)][:REASONS],
        scores=scores(graded) if graded else {},
        most=max((results["max_score"] for results in graded.values()), default=0),
        histogram=histogram(graded),
        problems=of.problems, audited=of.audited, differ=of.differ,
        levels=levels,
        students=[student(work, graded.get(work.student), of.problems, levels) for work in of.handed_in],
        any_weights=any(results.get("weights") for results in graded.values()),
        adjusted={who: [final(graded.get(who), made), *made] for who, made in of.adjustments.items()},
        checks=[(row, remark(row)) for row in by_check(alone)],
        mistakes=found[:SHOWN], more_mistakes=len(found[SHOWN:]), named=NAMED,
        identical=identical(alone),
        similar=similar[:PAIRS], more_similar=len(similar[PAIRS:]), longest=LINES, limit=LIMIT,
        retrained=of.retrained, margin=MARGIN, near=near[:PAIRS], more_near=len(near[PAIRS:]),
        report=lambda name: report(folders[name]),
    )  # fmt: skip


def warning(graded: Mapping[str, dict[str, Any]]) -> str:
    """What a grade book must not keep to itself: how much of the points could not be judged; empty if all could.

    Without those that students have lost by failing what the checks build on.
    """
    reasons = [each for each in unjudged(graded) if each.why != CONSEQUENCE]
    missing = {who: sum(each.students.get(who, 0) for each in reasons) for each in reasons for who in each.students}
    if not missing:
        return ""
    least, most = f"{min(missing.values()):g}", f"{max(missing.values()):g}"
    every = max(results["max_score"] for results in graded.values())
    says = f"{most if least == most else f'{least} to {most}'} of {every:g} points could not be judged "
    says += f"for {len(missing)} of {len(graded)} {'student' if len(graded) == 1 else 'students'}"
    if nobody_is_trained(graded):
        return f"{says}, as there are no trained weights of theirs: {NO_WEIGHTS}"
    return f"{says}: {reasons[0].why}" + (f"; {len(reasons) - 1} more reasons in class.html" if reasons[1:] else "")


def histogram(graded: Mapping[str, dict[str, Any]]) -> list[tuple[int, int, int, float]]:
    """Bars: from and to which percentage of the points, how many students, and that in parts of the longest bar.

    With the adjustments.
    """
    if not graded:
        return []
    counts = [0] * BINS
    for results in graded.values():
        share = final_points(results) / results["max_score"] if results["max_score"] else 0.0
        counts[min(BINS - 1, int(share * BINS))] += 1  # an adjustment may lead above all points
    return [(100 * k // BINS, 100 * (k + 1) // BINS, n, n / max(counts)) for k, n in enumerate(counts)]


def student(
    work: HandedIn, results: dict[str, Any] | None, problems: Mapping[str, str], levels: list[int]
) -> dict[str, Any]:
    """A row of the table: points, also of each level, and the first check to look at; or why there are none."""
    if results is None:
        return {"name": work.student, "problem": problems.get(work.student, ""), "graded": False}
    checks = results["checks"]
    first = [checks[i] for i in to_look_at([(c["id"], c["verdict"], c["message"]) for c in checks])[:1]]
    return {
        "name": work.student, "graded": True, "points": (results["score"], results["max_score"]),
        "not_judged": points_not_judged(checks),
        "by_level": [points([c for c in checks if c["level"] == level]) for level in levels],
        "weights": weights_of(results),
        "first": [check["id"] for check in first if check["verdict"] != "not_judged"],
    }  # fmt: skip


def report(folder: str) -> str:
    """Where a student's report lies: whatever the folder is called, no part of it is read as anything but a name."""
    return f"{STUDENTS}/{quote(os.fsencode(folder))}/report.html"


def remark(row: CheckStatistics) -> str:
    if row.judged < FEW:
        return ""
    if row.difficulty >= EASY:
        return "nearly all pass"
    if row.discrimination is not None and row.discrimination < TELLS_NOTHING:
        return "barely separates strong from weak work"
    return ""
