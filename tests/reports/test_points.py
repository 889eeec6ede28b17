"""Every format gives the same points, and those that take whole ones only round them without loss."""

import json
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.reports import command
from grader.reports.whole_points import whole_points
from grader.results import VERDICTS
from tests.reports.made_results import with_points
from tests.reports.readers import READERS, read_github_classroom

quarters = st.integers(0, 400).map(lambda n: n / 100)
partial = st.tuples(quarters, quarters, st.sampled_from(VERDICTS)).map(lambda p: (min(p[:2]), max(p[:2]), p[2]))
quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@quick
@given(st.lists(partial, min_size=1, max_size=70))
def test_every_format_has_the_points_of_every_check(points):
    results = with_points(points)
    expected = [(check["points"], check["max_points"]) for check in results["checks"]]
    for name, read in READERS.items():
        assert read(command.FORMATS[name](results)) == expected, name


@quick
@given(st.lists(partial, min_size=1, max_size=70))
def test_totals_are_the_sums(points):
    results = with_points(points)
    score, most = results["score"], results["max_score"]
    page = json.loads(command.FORMATS["gradescope"](results))
    assert page["score"] == score == pytest.approx(sum(test["score"] for test in page["tests"]))
    page = read_github_classroom(command.FORMATS["github-classroom"](results))
    assert page["max_score"] == most and sum(test["score"] for test in page["tests"]) == pytest.approx(score)
    page = json.loads(command.FORMATS["prairielearn"](results))
    assert page["score"] * most == pytest.approx(score)
    for name in ("text", "github-summary", "github-annotations"):
        assert f"{score:g} of {most:g} points" in command.FORMATS[name](results)


@quick
@given(st.lists(partial, min_size=1, max_size=70))
def test_whole_points_add_up_to_the_rounded_totals(points):
    checks = with_points(points)["checks"]
    whole = whole_points(checks)
    for place, part in enumerate(("points", "max_points")):
        exact = sum(Fraction(str(check[part])) for check in checks)
        assert sum(pair[place] for pair in whole) == floor(exact + Fraction(1, 2))
    for check, (got, most) in zip(checks, whole, strict=True):
        assert 0 <= got <= most and abs(got - check["points"]) < 1
        assert got == most or check["points"] < check["max_points"], "who has all points has all of the whole ones"
        assert got == 0 or check["points"] > 0


def test_whole_points_that_were_whole_stay_as_they_are():
    checks = [{"points": got, "max_points": most} for got, most in [(2.0, 2.0), (0.0, 3.0), (1.0, 4.0)]]
    assert whole_points(checks) == [(2, 2), (0, 3), (1, 4)]
