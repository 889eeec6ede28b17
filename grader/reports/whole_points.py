"""Points as integers, for platforms that accept no others.

Both totals are rounded, halves up, and the checks' points add up to them exactly, by the largest remainder. Points
earned and points lost are apportioned separately, so that a passed check has all of its points, a check that earned
none has none, and no check exceeds its maximum. A check of 0.25 points may count 0 or 1: compare students by totals.
"""

from fractions import Fraction
from math import floor
from typing import Any


def whole_points(checks: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """For each check its points and its maximum."""
    got = [Fraction(str(check["points"])) for check in checks]
    lost = [Fraction(str(check["max_points"])) - points for check, points in zip(checks, got, strict=True)]
    score, most = rounded(sum(got, Fraction())), rounded(sum(got + lost, Fraction()))
    shares = zip(share(score, got), share(most - score, lost), strict=True)
    return [(points, points + missed) for points, missed in shares]


def rounded(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def share(total: int, parts: list[Fraction]) -> list[int]:
    """`parts` rounded up or down to add up to `total`: up where most would be lost; among equals, the first."""
    whole = [floor(part) for part in parts]
    for place in sorted(range(len(parts)), key=lambda i: whole[i] - parts[i])[: total - sum(whole)]:
        whole[place] += 1
    return whole
