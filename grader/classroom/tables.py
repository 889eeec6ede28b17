"""The results of a class: class.csv with a line per student, checks.csv with a line per check, class.html."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from assignment.ddpm.files import replacing
from grader.classroom import changes
from grader.classroom.adjustments import NO_ADJUSTMENTS, Adjustment, Adjustments
from grader.classroom.hand_ins import STUDENTS, HandedIn
from grader.classroom.page import final, render
from grader.classroom.statistics import by_check, points_not_judged
from grader.reports.table import cell
from grader.submission.handed_in import Taken


def write_class(
    output: Path, handed_in: list[HandedIn], taken: dict[str, Taken], graded: dict[str, dict[str, Any]],
    problems: dict[str, str], audited: dict[str, list[str]], adjustments: Adjustments = NO_ADJUSTMENTS,
) -> list[Path]:  # fmt: skip
    """Writes class.csv, checks.csv, class.html, and changes.csv if results were replaced; returns their paths.

    Args:
        taken: student → the files, and where they were
        graded: student → results
        problems: student → why there are none; they have no score, rather than one of 0
        audited: student → what differed in a second grading
        adjustments: student → points that a person adds, and why
    """
    files = {
        "class.csv": table(students(handed_in, taken, graded, problems, audited, adjustments)),
        "checks.csv": table(checks(graded)),
        "class.html": render(handed_in, graded, problems, audited, adjustments),
    }
    changed = list(changes.rows({work.student: output / STUDENTS / work.folder for work in handed_in}))
    if changed[1:]:
        files[changes.FILE] = table(changed)
    for name, text in files.items():
        with replacing(output / name) as temporary:
            temporary.write_bytes(text.encode("utf-8", "replace"))
    return [output / name for name in files]


def students(
    handed_in: list[HandedIn], taken: dict[str, Taken], graded: dict[str, dict[str, Any]], problems: dict[str, str],
    audited: dict[str, list[str]], adjustments: Adjustments = NO_ADJUSTMENTS,
) -> Iterable[list[Any]]:  # fmt: skip
    """The header, then a row each: name, the roster's columns, points, points by level, files, problems, the audit.

    Points are those got, those that were judged, and those that could not be: together all that there are. The final
    ones are with a person's adjustments, also where there is no score.
    """
    levels = sorted({check["level"] for results in graded.values() for check in results["checks"]})
    own = ["score", "max_score", "judged", "not_judged"]
    own += [f"level{level}{kind}" for level in levels for kind in ("", "_judged", "_not_judged")]
    own += ["adjustment", "reason", "final", "files", "remark", "problem", *(["audit"] if audited else [])]
    columns = list(dict.fromkeys(key for work in handed_in for key in work.about))
    yield ["student", *_apart_from(columns, ["student", *own]), *own]
    for work in handed_in:
        about = [work.about.get(column, "") for column in columns]
        points: list[Any] = [""] * (4 + 3 * len(levels))
        if results := graded.get(work.student):
            by_level = [[c for c in results["checks"] if c["level"] == level] for level in levels]
            points = [results["score"], *_most(results["checks"]), *(p for of in by_level for p in _points(of))]
        of = taken.get(work.student, Taken())
        files = ", ".join(of.origins.values())
        again = ["; ".join(audited[work.student]) or "stands"] if work.student in audited else [""] if audited else []
        remark = "; ".join(filter(None, (work.remark, of.remark)))
        points += adjusted(results, adjustments.get(work.student, []))
        yield [work.student, *about, *points, files, remark, problems.get(work.student, ""), *again]


def adjusted(results: dict[str, Any] | None, adjustments: list[Adjustment]) -> list[Any]:
    """The points of all adjustments, their reasons, and the final points; empty where there are none."""
    if not adjustments:
        return ["", "", results["score"] if results else ""]
    more = round(sum(each.points for each in adjustments), 6)
    return [more, "; ".join(each.reason for each in adjustments), final(results, adjustments)]


def _apart_from(columns: list[str], own: list[str]) -> list[str]:
    """The roster's columns; one that has the name of one of ours says whose it is."""
    taken, named = {name.casefold() for name in own}, []
    for column in columns:
        name = column
        while name.casefold() in taken:
            name = f"roster {name}"
        taken.add(name.casefold())
        named.append(name)
    return named


def _most(checks: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Points to be had, and those of them that were judged and were not."""
    most, missing = sum(check["max_points"] for check in checks), points_not_judged(checks)
    return round(most, 6), round(most - missing, 6), round(missing, 6)


def _points(checks: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Points got, judged, not judged."""
    return round(sum(check["points"] for check in checks), 6), *_most(checks)[1:]


def checks(graded: dict[str, dict[str, Any]]) -> Iterable[list[Any]]:
    yield ["check", "claim", "judged", "passed", "not_judged", "difficulty", "discrimination", "share"]
    for row in by_check(graded):
        r = "" if row.discrimination is None else round(row.discrimination, 3)
        figures = [round(row.difficulty, 3), r, round(row.share, 3)]
        yield [row.id, row.claim, row.judged, row.passed, row.not_judged, *figures]


def table(rows: Iterable[list[Any]]) -> str:
    """CSV (RFC 4180) in which no spreadsheet finds formulas."""
    page = io.StringIO()
    csv.writer(page).writerows([cell(value) for value in row] for row in rows)
    return page.getvalue()
