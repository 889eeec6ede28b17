"""Formats for platforms: each is valid there, and says whose, which and why."""

import csv
import io
import json

import pytest
from jsonschema import Draft202012Validator
from junitparser import Error, Failure, JUnitXml

from assignment.ddpm.errors import UserError
from grader.reports import classroom50, command, gradescope
from tests.reports.made_results import checked, graded
from tests.reports.readers import read_github_classroom
from tests.support.platforms import RUNNER, schema


@pytest.mark.parametrize("which", ["sample", "hostile"])
@pytest.mark.parametrize("name", ["gradescope", "classroom50", "github-classroom", "prairielearn"])
def test_json_is_valid_by_the_platforms_schema(name, which, request):
    Draft202012Validator.check_schema(schema(name))
    page = command.FORMATS[name](request.getfixturevalue(which))
    page = read_github_classroom(page) if name == "github-classroom" else json.loads(page)
    assert [error.message for error in Draft202012Validator(schema(name)).iter_errors(page)] == []


def test_a_schema_can_fail():
    assert not Draft202012Validator(schema("prairielearn")).is_valid({"gradable": True, "score": 1.5})


def test_gradescope_sorts_shows_and_explains_every_check(sample):
    page = json.loads(command.FORMATS["gradescope"](sample))
    assert [test["number"] for test in page["tests"]] == ["1.01", "1.02", "1.03", "1.04", "4.01", "4.02", "4.03"]
    assert [test["status"] for test in page["tests"]] == ["passed", "failed", "passed", *["failed"] * 4]
    assert page["visibility"] == "visible" and not any("visibility" in test for test in page["tests"])
    for part in ("A claim", "expected this, got failed", "Look at the skips.", "model.py:41: return x + y", "shape (1"):
        assert part in page["tests"][1]["output"]
    assert page["extra_data"]["environment"]["seed"] == 7 and page["extra_data"]["sha256"]["model.py"] == "1a69"
    assert page["leaderboard"] == [{"name": "FID, level 1", "value": 2.713, "order": "asc"}]
    assert json.loads(gradescope.render(sample, "after_due_date"))["visibility"] == "after_due_date"


def test_classroom50_gets_whole_points_and_whose_they_are(sample):
    page = json.loads(command.FORMATS["classroom50"](sample))
    assert (page["score"], page["max-score"]) == (3, 7)  # 3.25 of 7.25
    assert page["owner"] == "alice" and page["datetime"] == "2026-06-01T14:32:05Z"
    assert [test["test-name"] for test in page["tests"] if test["passed"]] == ["level1.own_work", "level1.samples.fid"]


def test_classroom50_says_which_variables_are_missing(sample):
    with pytest.raises(UserError, match=r"missing: ASSIGNMENT, OWNER or USERNAME, REVIEW_URL$"):
        classroom50.render(sample, RUNNER | {"OWNER": "", "ASSIGNMENT": "", "REVIEW_URL": ""})
    named = {name: value for name, value in RUNNER.items() if name != "OWNER"} | {"USERNAME": "bob"}
    assert json.loads(classroom50.render(sample, named))["owner"] == "bob"
    with pytest.raises(UserError, match="SUBMISSION_TAG=main: expected one like submit/"):
        classroom50.render(sample, RUNNER | {"SUBMISSION_TAG": "main"})


def test_github_classroom_gets_one_line_with_tests_and_the_worst_status(sample):
    line = command.FORMATS["github-classroom"](sample)
    assert line.count("\n") == 1 and line.endswith("\n")
    page = read_github_classroom(line)
    statuses = [test["status"] for test in page["tests"]]
    assert statuses == ["pass", "fail", "pass", "fail", "error", "error", "error"] and page["status"] == "fail"
    assert (page["tests"][1]["filename"], page["tests"][1]["line_no"], page["tests"][1]["duration"]) == (
        "model.py",
        41,
        800,
    )
    assert (
        read_github_classroom(command.FORMATS["github-classroom"](graded(checked("level1.own_work"))))["status"]
        == "pass"
    )


def test_junit_tells_failures_from_errors_and_skips_nothing(sample):
    suites = JUnitXml.fromstring(command.FORMATS["junit"](sample).encode())
    assert (suites.tests, suites.failures, suites.errors) == (7, 2, 3)
    cases = [case for suite in suites for case in suite]
    found = {f"{case.classname}.{case.name}": case.result[0] if case.result else None for case in cases}
    assert [check["id"] for check in sample["checks"]] == list(found)
    assert found["level1.own_work"] is None
    assert isinstance(found["level1.trained.weights"], Failure) and found["level1.trained.weights"].type == "not_judged"
    assert isinstance(found["level4.step.variance"], Error) and found["level4.step.variance"].type == "timeout"
    failed = found["level1.contract.shapes"]
    assert failed.message == "expected this, got failed" and "Look at the skips." in failed.text
    assert cases[1].system_out == "shape (1, 2)\n"


def test_lines_are_lines_whatever_ends_them():
    page = command.FORMATS["gradescope"](graded(checked("level1.own_work", "failed", output="one\r\ntwo\rthree\n")))
    assert json.loads(page)["tests"][0]["output"].endswith("printed:\none\ntwo\nthree\n")


def test_a_row_of_the_table_is_a_check(sample):
    page = command.FORMATS["csv"](sample)
    rows = list(csv.DictReader(io.StringIO(page, newline="")))
    assert page.count("\r\n") == 8 and [row["id"] for row in rows] == [check["id"] for check in sample["checks"]]
    assert rows[1]["hint"] == "Look at the skips." and rows[1]["location"] == "model.py:41"
