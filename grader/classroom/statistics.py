"""Statistics of a class: how hard and how discriminating each check is, common mistakes, identical files."""

import re
import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grader.check_ids import needs_training
from grader.results import WAITS, final_points
from grader.similarity.given import starters
from grader.submission.sources import sha256

CONSEQUENCE = "other checks, which these build on, have failed"


@dataclass(frozen=True)
class CheckStatistics:
    """`passed` of `judged` students, who earned `share` of the points; and discrimination, None where undefined: the
    corrected item-total correlation.

    That is of passing the check with the points of all other checks (Nunnally & Bernstein 1994, chapter 8):
    near 0 or below, the check says nothing about who has understood, or it is broken.
    """

    id: str
    claim: str
    judged: int
    passed: int
    share: float  # of the points, on average; more or less than the share that passed where bands give a part of them
    not_judged: int
    discrimination: float | None

    @property
    def difficulty(self) -> float:
        """The share that passed, as test theory defines difficulty."""
        return self.passed / self.judged if self.judged else 0.0


def by_check(graded: Mapping[str, dict[str, Any]]) -> list[CheckStatistics]:
    """Statistics from student → results, in the order of the checks."""
    rows: dict[str, list[tuple[dict[str, Any], float]]] = defaultdict(list)
    for results in graded.values():
        for check in results["checks"]:
            rows[check["id"]].append((check, results["score"] - check["points"]))
    found = []
    for name, checks in rows.items():
        were = [(check, rest) for check, rest in checks if check["verdict"] != "not_judged"]
        judged = [(check["verdict"] == "passed", rest) for check, rest in were]
        passed = sum(ok for ok, _ in judged)
        shares = [check.get("share", float(check["verdict"] == "passed")) for check, _ in were]
        found.append(CheckStatistics(
            name, checks[0][0]["claim"], len(judged), passed, statistics.fmean(shares) if shares else 0.0,
            len(checks) - len(judged), _r(judged),
        ))  # fmt: skip
    return found


def _r(pairs: list[tuple[bool, float]]) -> float | None:
    passed, rest = [float(ok) for ok, _ in pairs], [other for _, other in pairs]
    if len(pairs) < 3 or len(set(passed)) < 2 or len(set(rest)) < 2:
        return None
    return statistics.correlation(passed, rest)


@dataclass(frozen=True)
class Mistake:
    """The same failure by several students, in one check or in several."""

    checks: tuple[str, ...]
    says: str  # the message of the first
    students: tuple[str, ...]


def mistakes(graded: Mapping[str, dict[str, Any]]) -> list[Mistake]:
    """The most common first; messages that differ only in numbers and names count as one."""
    same: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for student, results in graded.items():
        folder = results["submission"]["path"]  # may have spaces in it, as names have
        for check in results["checks"]:
            if check["verdict"] not in ("passed", "not_judged"):
                says = check["message"].replace(f" in {folder}", "").replace(f"{folder}/", "")
                same[check["id"], _shape(says)].append((student, says))
    together: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = defaultdict(list)  # such as a missing file
    for (check, shape), who in same.items():
        together[shape, tuple(student for student, _ in who)].append((check, who[0][1]))
    found = [
        Mistake(tuple(check for check, _ in where), where[0][1], students) for (_, students), where in together.items()
    ]
    return sorted(found, key=lambda m: (-len(m.students), m.checks, m.says))


def _shape(message: str) -> str:
    """A message without the parts that differ between students: paths, and numbers, how many there may be."""
    without = re.sub(r"\S*[/\d]\S*|\b(?:nan|inf)\b", "#", message)
    listed_once = re.sub(r"#(?: (?:and |or )?#)+", "#", without)
    return re.sub(r"# (\w+?)s\b", r"# \1", listed_once)  # 1 value, 2 values


@dataclass(frozen=True)
class Unjudged:
    """Points that students neither got nor lost, for one reason."""

    why: str
    students: dict[str, float]  # → points

    @property
    def points(self) -> float:
        return sum(self.students.values())


def unjudged(graded: Mapping[str, dict[str, Any]]) -> list[Unjudged]:
    """By reason, the one that concerns most points first."""
    same: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
    for student, results in graded.items():
        for check in results["checks"]:
            if check["verdict"] == "not_judged" and check["max_points"]:
                why = _why(check, results["checks"])
                same[_shape(why)].append((student, why, check["max_points"]))
    found = []
    for of in same.values():
        points: dict[str, float] = defaultdict(float)
        for student, _, value in of:
            points[student] += value
        found.append(Unjudged(of[0][1], dict(points)))
    return sorted(found, key=lambda each: -each.points)


def _why(check: dict[str, Any], checks: list[dict[str, Any]]) -> str:
    """Its root, where a check waits for others; whoever has failed one of these has lost the points by that."""
    root = re.sub(rf"^(?:{WAITS}[^:]*: )+", "", check["message"])
    roots = {c["message"] for c in checks if c["verdict"] == "not_judged" and not c["message"].startswith(WAITS)}
    failed = {c["level"] for c in checks if c["verdict"] not in ("passed", "not_judged")}
    waits = check["message"].startswith(WAITS) and root not in roots
    return CONSEQUENCE if waits or (check["level"] in failed and not needs_training(check["id"])) else root


def points_not_judged(checks: list[dict[str, Any]]) -> float:
    return sum(check["max_points"] for check in checks if check["verdict"] == "not_judged")


def nobody_is_trained(graded: Mapping[str, dict[str, Any]]) -> bool:
    """Whether there are checks of trained weights, and none of them was judged."""
    checks = [check for results in graded.values() for check in results["checks"] if needs_training(check["id"])]
    return bool(checks) and all(check["verdict"] == "not_judged" for check in checks)


def identical(graded: Mapping[str, dict[str, Any]]) -> list[tuple[str, tuple[str, ...]]]:
    """(file, students) for files that several handed in, identical byte for byte; other than untouched starters."""
    untouched = {*sha256(starters()).values()}
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for student, results in graded.items():
        for name, digest in results["submission"]["sha256"].items():
            if digest not in untouched:
                owners[name, digest].append(student)
    return sorted((name, tuple(who)) for (name, _), who in owners.items() if len(who) > 1)


def scores(graded: Mapping[str, dict[str, Any]]) -> dict[str, float]:
    """Mean, median, least and most points, with the adjustments."""
    points = [final_points(results) for results in graded.values()]
    if not points:
        return {}
    return {
        "mean": statistics.fmean(points),
        "median": statistics.median(points),
        "least": min(points),
        "most": max(points),
    }
