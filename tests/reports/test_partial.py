"""Points that are a part: every format has them, sums stay sums, and each says how far the next band is."""

import csv
import io
import json
import re
from fractions import Fraction

import pytest

from grader.bands import resolve
from grader.grading_config import load_grading
from grader.reports import command
from grader.reports.reading import load
from grader.results import award, final_points
from tests.reports.made_results import checked, graded
from tests.reports.readers import READERS, read_github_classroom

NEXT = "50% of the points for an FID 16.00 above that of real images; at 14 or less, all of them"
BELOW = "50% of the points for an FID 12.00 above that of real images; at 10 or less, all of them"


@pytest.fixture
def partial():
    """One check failed and has half of its points, one passed and has half, one passed and has all."""
    wanted = load_grading().samples["fashion_mnist"]
    found = {"fid": 16.5, "of_real_images": 0.5, "from_a_denoiser": True}
    failed = checked("level1.samples.fid", "failed", max_points=0.75, measurements=found)
    passed = checked("level3.samples.fid", max_points=2.5, measurements=found | {"fid": 12.5})
    award(failed, resolve("samples.fid", {20.0: 0.5}, wanted, "", ""))
    award(passed, resolve("samples.fid", {10.0: 1.0, 20.0: 0.5}, wanted, "", ""))
    whole = checked("level3.samples.classes", max_points=2.0)
    return graded(failed, passed, whole)


def test_sums_are_kept_in_every_format(partial):
    assert [check["points"] for check in partial["checks"]] == [0.375, 1.25, 2.0] and partial["score"] == 3.625
    expected = [(0.375, 0.75), (1.25, 2.5), (2.0, 2.0)]
    for name, read in READERS.items():
        assert read(command.FORMATS[name](partial)) == expected, name
    assert json.loads(command.FORMATS["gradescope"](partial))["score"] == 3.625
    assert json.loads(command.FORMATS["prairielearn"](partial))["score"] == pytest.approx(3.625 / 5.25)
    assert [t["score"] for t in read_github_classroom(command.FORMATS["github-classroom"](partial))["tests"]] == [
        0.375, 1.25, 2.0,
    ]  # fmt: skip
    whole = json.loads(command.FORMATS["classroom50"](partial))
    assert whole["score"] == sum(test["score"] for test in whole["tests"]) == round(Fraction("3.625"))


@pytest.mark.parametrize("name", [name for name in command.FORMATS if name not in ("github-classroom",)])
def test_every_format_says_how_far_the_next_band_is(name, partial, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # so that no line breaks in the terminal's
    if name == "classroom50" or name.startswith("github"):  # invisible signs, entities and escapes between the words
        page = command.FORMATS[name](partial)
        assert re.search("50(%|&#37;|%25) of the points", page) and re.search("or less(,|&#44;|%2C) all of them", page)
    else:
        page = " ".join(command.FORMATS[name](partial).split())
        assert NEXT in page and BELOW in page


def test_github_classroom_says_it_of_a_passed_check_too(partial):
    tests = read_github_classroom(command.FORMATS["github-classroom"](partial))["tests"]
    assert NEXT in tests[0]["message"] and BELOW in tests[1]["message"] and tests[2]["message"] == ""
    assert [test["status"] for test in tests] == ["fail", "pass", "pass"]


def test_the_table_has_the_share(partial):
    rows = list(csv.DictReader(io.StringIO(command.FORMATS["csv"](partial), newline="")))
    assert [float(row["share"]) for row in rows] == [0.5, 0.5, 1.0]
    assert [row["partial_credit"] for row in rows] == [NEXT, BELOW, ""]


def test_results_of_before_there_were_bands_are_read(partial, tmp_path):
    for check in partial["checks"]:
        del check["share"], check["band"]
    del partial["adjustments"]
    (tmp_path / "results.json").write_text(json.dumps(partial))
    assert [check["share"] for check in load(tmp_path / "results.json")["checks"]] == [0, 1, 1]


def test_adjustments_are_beside_the_checks_points(partial):
    made = [{"points": 2.0, "reason": "a <b>bold</b> idea"}, {"points": -0.5, "reason": "late"}]
    results = partial | {"adjustments": made}
    assert final_points(results) == 5.125 and final_points(results | {"score": 0, "adjustments": made[1:]}) == 0
    for name in ("text", "html", "github-summary", "gradescope"):
        page = command.FORMATS[name](results)
        assert "5.125" in page and "3.625 of 5.25 points" in page and "late" in page, name
    assert "<b>bold" not in command.FORMATS["html"](results)
    for name, read in READERS.items():
        assert read(command.FORMATS[name](results)) == read(command.FORMATS[name](partial)), name
