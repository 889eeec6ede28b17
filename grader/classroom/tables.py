"""The results of a class: class.csv with a line per student, checks.csv per check, similar.csv per pair, class.html."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assignment.ddpm.files import replacing
from grader.classroom import changes
from grader.classroom.adjustments import Adjustment, final
from grader.classroom.hand_ins import STUDENTS
from grader.classroom.outcome import ClassOutcome
from grader.classroom.page import render
from grader.classroom.statistics import by_check, identical, points_not_judged
from grader.classroom.stored import FILE, ROSTER, students_json
from grader.classroom.weights import weights_of
from grader.reports.table import cell
from grader.similarity.given import given
from grader.similarity.pairs import Pair, similar
from grader.similarity.weights import near_weights
from grader.submission.handed_in import Taken
from grader.submission.sources import read_sources
from grader.submission.weights_files import FOLDER, WEIGHTS

MOST_PAIRS = 1000
FILES = ("class.csv", "checks.csv", "similar.csv", "class.html", changes.FILE)  # that are for people


def write_class(output: Path, of: ClassOutcome, roster: Path | None = None) -> list[Path]:
    """Writes all tables, the page and students.json; returns the paths of those that are for people.

    Args:
        roster: a copy of it is kept
    """
    taken_from = [work for work in of.alone if work.student in of.taken and not of.taken[work.student].problem]
    folders = {work.student: output / STUDENTS / work.folder / "submission" for work in taken_from}
    pairs = similar({student: read_sources(folder) for student, folder in folders.items()}, given())
    near = near_weights(handed_in_weights(folders))
    files = {
        "class.csv": table(students(of)),
        "checks.csv": table(checks(of.graded_once)),
        "similar.csv": table(similar_files(identical(of.graded_once), pairs)),
        "class.html": render(of, pairs, near),
    }
    changed = list(changes.rows({work.student: output / STUDENTS / work.folder for work in of.alone}))
    if changed[1:]:
        files[changes.FILE] = table(changed)
    kept = {FILE: students_json(of).encode("utf-8", "replace")}
    kept |= {ROSTER: roster.read_bytes()} if roster else {}
    for name, content in ({name: text.encode("utf-8", "replace") for name, text in files.items()} | kept).items():
        with replacing(output / name) as temporary:
            temporary.write_bytes(content)
    return [output / name for name in files]


def handed_in_weights(folders: Mapping[str, Path]) -> dict[str, dict[str, Path]]:
    """Configuration → student → weights, from student → the folder with what was handed in."""
    found: dict[str, dict[str, Path]] = {}
    for student, folder in folders.items():
        for file in sorted((folder / FOLDER).glob(f"*{WEIGHTS}")):
            found.setdefault(file.stem, {})[student] = file
    return found


def similar_files(same: list[tuple[str, tuple[str, ...]]], pairs: list[Pair]) -> Iterable[list[Any]]:
    """The header, then a row for each identical file, and for each pair, the most similar first.

    MOST_PAIRS of them, as nobody reads more.
    """
    yield ["file", "score", "shared", "students", "and", "lines", "lines of the other"]
    for file, (first, *others) in same:
        yield [file, 1, "identical", first, ", ".join(others), "all", "all"]
    for pair in pairs[:MOST_PAIRS]:
        lines = [_ranges({line.left for line in pair.lines}), _ranges({line.right for line in pair.lines})]
        yield [
            pair.file,
            round(pair.score, 3),
            pair.shared,
            ", ".join(pair.left.students),
            ", ".join(pair.right.students),
            *lines,
        ]


def _ranges(lines: set[int]) -> str:
    """{1, 2, 3, 7} → 1–3, 7"""
    firsts = [line for line in sorted(lines) if line - 1 not in lines]
    lasts = [line for line in sorted(lines) if line + 1 not in lines]
    return ", ".join(f"{a}–{b}" if a < b else f"{a}" for a, b in zip(firsts, lasts, strict=True))


def students(of: ClassOutcome) -> Iterable[list[Any]]:
    """The header, then a row each: name, the roster's columns, points, points by level, weights, files, problems.

    Points are those got, those that were judged, and those that could not be: together all that there are. The final
    ones are with a person's adjustments, also where there is no score.
    """
    levels, graded = of.levels, of.graded
    own = ["score", "max_score", "judged", "not_judged"]
    own += [f"level{level}{kind}" for level in levels for kind in ("", "_judged", "_not_judged")]
    trained = any("trainings" in results and results["trainings"] for results in graded.values())
    own += ["training", "training_minutes"] if trained else []
    own += ["adjustment", "reason", "final", "weights", "files", "remark", "problem"]
    own += [*(["audit"] if of.audited else []), *(["retrained"] if of.retrained else [])]
    columns = list(dict.fromkeys(key for work in of.handed_in for key in work.about))
    yield ["student", *_apart_from(columns, ["student", *own]), *own]
    for work in of.handed_in:
        about = [work.about.get(column, "") for column in columns]
        points: list[Any] = [""] * (4 + 3 * len(levels))
        if results := graded.get(work.student):
            by_level = [[c for c in results["checks"] if c["level"] == level] for level in levels]
            points = [results["score"], *_most(results["checks"]), *(p for of in by_level for p in _points(of))]
        points += _training(results) if trained else []
        taken = of.taken.get(work.student, Taken())
        files, weights = ", ".join(taken.listed()), "; ".join(weights_of(graded.get(work.student, {})))
        again = (
            ["; ".join(of.audited[work.student]) or "stands"]
            if work.student in of.audited
            else [""]
            if of.audited
            else []
        )
        if of.retrained:
            looked = of.retrained.get(work.student)
            again.append(f"{looked.verdict}: {looked.says}" if looked else "")
        remark = "; ".join(filter(None, (work.remark, taken.remark)))
        points += adjusted(results, of.adjustments.get(work.student, []))
        yield [work.student, *about, *points, weights, files, remark, of.problems.get(work.student, ""), *again]


def _training(results: dict[str, Any] | None) -> list[Any]:
    """What became of the trainings by the course, and their minutes in all."""
    trainings = (results or {}).get("trainings") or []
    if not trainings:
        return ["", ""]
    says = [f"{of['config']}: {of['says'] if of['state'] == 'not trained' else _epochs(of)}" for of in trainings]
    return ["; ".join(says), round(sum(of["minutes"] for of in trainings), 2)]


def _epochs(training: dict[str, Any]) -> str:
    """digits: cut off after 12 of 60 epochs"""
    return f"{training['state']} after {training['epochs']:g} of {training['of']} epochs"


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
