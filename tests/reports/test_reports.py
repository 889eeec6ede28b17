"""Reports: every platform gets the same points and a valid file, in which a student's text can do no harm."""

import base64
import csv
import html
import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from junitparser import Error, Failure, JUnitXml, Properties

from assignment.ddpm.errors import UserError
from grader.reports import classroom50, command, github_annotations, gradescope
from grader.reports.reading import from_json, load
from grader.reports.terminal import render as as_text
from grader.reports.whole_points import whole_points
from grader.results import SCHEMA, VERDICTS, Check, Results
from tests.conftest import ROOT

RUNNER = {
    "CLASSROOM": "deep-learning", "ASSIGNMENT": "ddpm", "ASSIGNMENT_TYPE": "individual", "OWNER": "alice",
    "SUBMISSION_TAG": "submit/2026-06-01T14-32-05Z-a1b2c3d", "COMMIT_URL": "https://github.com/x/y/commit/a1b2c3d",
    "RELEASE_URL": "https://github.com/x/y/releases/tag/z", "REVIEW_URL": "https://github.com/x/y/compare/0...a1b2c3d",
}  # fmt: skip
HOSTILE = (
    "=cmd|' /C calc'!A1\n::set-output name=score::40\n   ::error::nothing\r\n##[add-mask]a\r::stop-commands::b\n"
    "<script>alert(1)</script> </pre><img src=x onerror=alert(1)> ]]> <![CDATA[ | a | `b` ``` **c** _d_ ~~e~~ $f$\n"
    "# heading\n- item\n[link](https://evil.example) www.evil.example a@evil.example @teacher #12 &lt; %0A::error::\n"
    "\x1b[31mred\x1b[0m \x00 \x07 \ud800 \ufffe \u202e \N{PILE OF POO}"
)


def checked(name: str, verdict: str = "passed", **fields: Any) -> Check:
    says = {} if verdict == "passed" else {"message": f"expected this, got {verdict}"}
    return Check(name, "A claim: it holds.", **({"max_points": 1.0, "verdict": verdict, "message": ""} | says | fields))


def graded(*checks: Check) -> dict[str, Any]:
    environment = {"grader": "0.1.0", "seed": 7, "device": "cpu", "advisory": ""}
    sums = {"model.py": "1a69", "sampler.py": "6359"}
    return Results(Path("assignment"), environment, list(checks), {"parameters": "152,513"}, sums).to_json()


@pytest.fixture
def sample() -> dict[str, Any]:
    """One check of each verdict, on two levels, with quarters of points."""
    return graded(
        checked("level1.own_work", max_points=0.25),
        checked(
            "level1.contract.shapes", "failed", max_points=0.5, location="model.py:41", hint="Look at the skips.",
            trace="  model.py:41: return x + y", output="shape (1, 2)\n", seconds=0.8,
        ),
        checked("level1.samples.fid", max_points=3.0, measurements={"fid": 2.713, "limit": 28.2}),
        checked("level1.trained.weights", "not_judged", max_points=0.75),
        checked("level4.step.mean", "error", max_points=1.5, location="sampler.py:12"),
        checked("level4.step.variance", "timeout"),
        checked("level4.end_to_end", "out_of_memory", max_points=0.25),
    )  # fmt: skip


@pytest.fixture
def hostile() -> dict[str, Any]:
    """The same text in every place that a student's text can reach; and once, two megabytes of it."""
    texts = dict.fromkeys(("message", "hint", "trace", "output"), HOSTILE)
    checks = [checked(f"level1.part.{verdict}", verdict, **texts) for verdict in VERDICTS]
    endless = HOSTILE * (2_000_000 // len(HOSTILE))
    checks += [checked(f"level4.part.n{i}", "failed", **dict.fromkeys(texts, endless)) for i in range(40)]
    return graded(*checks) | {"information": {"parameters": HOSTILE}}


@pytest.fixture(autouse=True)
def runner(monkeypatch):
    for name, value in RUNNER.items():
        monkeypatch.setenv(name, value)


# Every format, read back as by its platform: for each check its points and its maximum.


def read_gradescope(page: str) -> list[tuple[float, float]]:
    return [(test["score"], test["max_score"]) for test in json.loads(page)["tests"]]


def read_classroom50(page: str) -> list[tuple[float, float]]:
    return [(test["points"], test["max-points"]) for test in json.loads(page)["tests"]]


def read_prairielearn(page: str) -> list[tuple[float, float]]:
    return [(test["points"], test["max_points"]) for test in json.loads(page)["tests"]]


def read_csv(page: str) -> list[tuple[float, float]]:
    return [(float(row["points"]), float(row["max_points"])) for row in csv.DictReader(io.StringIO(page, newline=""))]


def read_junit(page: str) -> list[tuple[float, float]]:
    found = []
    for suite in JUnitXml.fromstring(page.encode()):
        for case in suite:
            values = {each.name: float(each.value) for each in case.child(Properties)}
            found.append((values["points"], values["max_points"]))
    return found


def read_summary(page: str) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in re.findall(r"^\|(?:[^|]*\|){3} ([\d.]+)/([\d.]+) \|", page, re.MULTILINE)]


def read_text(page: str) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in re.findall(r"^[✓✗–] .* ([\d.]+)/([\d.]+)$", page, re.MULTILINE)]


def read_github_classroom(page: str) -> dict[str, Any]:
    return json.loads(base64.b64decode(page, validate=False))


READERS = {
    "gradescope": read_gradescope, "classroom50": read_classroom50, "prairielearn": read_prairielearn,
    "csv": read_csv, "junit": read_junit, "github-summary": read_summary, "text": read_text,
}  # fmt: skip
quarters = st.integers(0, 400).map(lambda n: n / 100)
partial = st.tuples(quarters, quarters, st.sampled_from(VERDICTS)).map(lambda p: (min(p[:2]), max(p[:2]), p[2]))
quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def with_points(points: list[tuple[float, float, str]]) -> dict[str, Any]:
    checks = [
        checked(f"level{1 + i % 4}.part.n{i}", verdict, max_points=most) for i, (_, most, verdict) in enumerate(points)
    ]
    checks.sort(key=lambda check: check.level)
    results = graded(*checks)
    for check in results["checks"]:
        check["points"] = points[int(check["id"].rpartition(".n")[2])][0]
    return results | {"score": round(sum(check["points"] for check in results["checks"]), 6)}


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


@pytest.mark.parametrize("which", ["sample", "hostile"])
@pytest.mark.parametrize("name", ["gradescope", "classroom50", "github-classroom", "prairielearn"])
def test_json_is_valid_by_the_platforms_schema(name, which, request):
    schema = json.loads((ROOT / "tests" / "support" / "schemas" / f"{name.replace('-', '_')}.json").read_text())
    Draft202012Validator.check_schema(schema)
    page = command.FORMATS[name](request.getfixturevalue(which))
    page = read_github_classroom(page) if name == "github-classroom" else json.loads(page)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(page)] == []


def test_a_schema_can_fail():
    schema = json.loads((ROOT / "tests" / "support" / "schemas" / "prairielearn.json").read_text())
    assert not Draft202012Validator(schema).is_valid({"gradable": True, "score": 1.5})


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


def test_annotations_stand_at_the_line_that_failed(sample):
    commands = parsed(command.FORMATS["github-annotations"](sample))
    assert commands[0] == ("notice", {"title": "Score"}, "3.25 of 7.25 points; 4 checks failed, 1 were not judged")
    kind, properties, message = commands[1]
    assert kind == "error" and properties == {"file": "model.py", "line": "41", "title": "level1.contract.shapes"}
    assert message == "A claim: it holds.\nexpected this, got failed\nLook at the skips."
    assert [kind for kind, _, _ in commands] == ["notice", *["error"] * 4, "notice"]


def test_annotations_find_the_file_in_the_students_repository(sample, saved, capsys):
    files = {
        properties.get("file") for _, properties, _ in parsed(github_annotations.render(sample, "assignment/{}".format))
    }
    assert files == {None, "assignment/model.py", "assignment/sampler.py"}
    assert command.main([str(saved), "--format", "github-annotations", "--prefix", "assignment/"]) == 0
    assert capsys.readouterr().out == github_annotations.render(sample, "assignment/{}".format)


def test_an_annotation_says_exactly_what_was_said():
    says = "50 %25, 3:4\n%0A::error::"
    results = graded(checked("level1.a:b,c", "failed", message=says))
    assert parsed(command.FORMATS["github-annotations"](results))[1] == (
        "error", {"title": "level1.a:b,c"}, f"A claim: it holds.\n{says}",
    )  # fmt: skip


def parsed(page: str) -> list[tuple[str, dict[str, str], str]]:
    """Commands as parsed by GitHub's runner."""
    commands = []
    for line in page.removesuffix("\n").split("\n"):
        kind, listed, message = re.fullmatch(r"::(\w+) (.*?)::(.*)", line).groups()
        properties = dict(one.split("=", 1) for one in listed.split(","))
        commands.append((kind, {k: decoded(v) for k, v in properties.items()}, decoded(message)))
    return commands


def decoded(text: str) -> str:
    for sign in "\r\n:,%":
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text


def test_the_summary_shows_the_first_failure_in_full_and_a_table_for_each_level(sample):
    page = html.unescape(command.FORMATS["github-summary"](sample))
    assert page.startswith(
        "## 3.25 of 7.25 points\n\n### First to look at: level1.contract.shapes\n\nA claim: it holds."
    )
    assert "**failed** in model.py:41: expected this, got failed" in page
    assert "<pre>  model.py:41: return x + y</pre>" in page and "Hint: Look at the skips." in page
    assert "### Level 1: 3.25 of 4.5 points" in page and "### Level 4: 0 of 2.75 points" in page
    assert "| ❌ | step.mean | error | 0/1.5 | expected this, got error |" in page


@pytest.mark.parametrize(
    ("verdicts", "first"),
    [(("passed", "not_judged", "failed"), 2), (("passed", "not_judged"), 1), (("not_judged", "timeout"), 1)],
)
def test_a_failure_is_looked_at_before_what_was_not_judged(verdicts, first):
    results = graded(*(checked(f"level1.part.n{i}", verdict) for i, verdict in enumerate(verdicts)))
    assert f"First to look at: level1.part.n{first}\n" in html.unescape(command.FORMATS["github-summary"](results))


def test_who_passed_everything_has_nothing_to_look_at():
    for name in ("github-summary", "gradescope"):
        assert "First to look at" not in command.FORMATS[name](graded(checked("level1.own_work")))


def test_lines_are_lines_whatever_ends_them():
    page = command.FORMATS["gradescope"](graded(checked("level1.own_work", "failed", output="one\r\ntwo\rthree\n")))
    assert json.loads(page)["tests"][0]["output"].endswith("printed:\none\ntwo\nthree\n")


def test_a_row_of_the_table_is_a_check(sample):
    page = command.FORMATS["csv"](sample)
    rows = list(csv.DictReader(io.StringIO(page, newline="")))
    assert page.count("\r\n") == 8 and [row["id"] for row in rows] == [check["id"] for check in sample["checks"]]
    assert rows[1]["hint"] == "Look at the skips." and rows[1]["location"] == "model.py:41"


# Attacks in a student's text


@pytest.mark.parametrize("name", command.FORMATS)
def test_two_megabytes_of_output_are_cut_and_control_characters_are_gone(name, hostile):
    page = command.FORMATS[name](hostile)
    page = base64.b64decode(page).decode() if name == "github-classroom" else page
    page.encode()  # no lone surrogates
    assert len(page) < 1_000_000 or name in ("gradescope", "classroom50", "html")
    shown = page.replace("\r\n", "\n") if name == "csv" else page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", shown)


def test_sizes_are_within_what_the_platforms_take(hostile):
    size = {name: len(command.FORMATS[name](hostile).encode()) for name in command.FORMATS}
    assert size["prairielearn"] <= 1_000_000 and size["github-summary"] <= 2**20 and size["classroom50"] <= 10 * 2**20
    assert size["github-classroom"] < 2**17, "the most that Linux takes in an environment variable"
    output = json.loads(command.FORMATS["gradescope"](hostile))["tests"][-1]["output"]
    assert re.search(r"… and [\d,]+ characters more", output)


@pytest.mark.parametrize("name", ["github-summary", "github-annotations", "github-classroom", "classroom50"])
def test_nothing_is_a_workflow_command_that_the_report_did_not_mean(name, hostile):
    page = command.FORMATS[name](hostile)
    if name == "github-classroom":  # the reporter prints the messages
        page = "\n".join(test["message"] for test in read_github_classroom(page)["tests"])
    elif name == "classroom50":
        page = "\n".join(test["message"] for test in json.loads(page)["tests"])
    elif name == "github-annotations":
        assert {kind for kind, _, _ in parsed(page)} == {"error", "notice"} and len(parsed(page)) == 1 + 10 + 1
        assert all(properties.keys() == {"title"} for _, properties, _ in parsed(page))
        return
    assert not [line for line in page.splitlines() if line.lstrip().startswith("::")]
    assert "##[" not in page


def test_the_summary_is_text_and_tables_and_nothing_else(hostile):
    page = command.FORMATS["github-summary"](hostile)
    assert set(re.findall(r"<.*?>", page)) == {"<pre>", "</pre>"} and page.count("<pre>") == page.count("</pre>") == 2
    for row in re.findall(r"^\|.*", page, re.MULTILINE):
        assert row.count("|") == 6
    rest = re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
    assert not re.search(r"[`\[\]@~$=]|://|www\.", rest)
    assert not re.search(r"@\w|#\d", html.unescape(rest)), "GitHub looks for mentions in what the entities stand for"


def test_no_cell_begins_like_a_formula(hostile):
    hostile["checks"][0]["message"], hostile["checks"][1]["message"] = "\t=1+1", "@SUM(A1)"
    rows = list(csv.reader(io.StringIO(command.FORMATS["csv"](hostile), newline="")))
    assert len(rows) == 1 + len(hostile["checks"]) and {len(row) for row in rows} == {10}
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert (rows[1][8], rows[2][8]) == ("'=1+1", "'@SUM(A1)")


def test_junit_is_well_formed_whatever_was_printed(hostile):
    root = ET.fromstring(command.FORMATS["junit"](hostile).encode())
    assert "]]>" in root.find(".//system-out").text and "<script>" in root.find(".//failure").text


# Reading


def test_what_was_saved_is_loaded_and_rebuilt(sample, tmp_path):
    from_json(sample).save(tmp_path / "results.json")
    assert load(tmp_path / "results.json") == sample
    assert from_json(sample).to_json() == sample
    assert command.FORMATS["text"](sample).strip() == as_text(from_json(sample)).strip()
    partly = with_points([(0.5, 1.25, "failed")])
    assert from_json(partly).to_json() == partly


def test_results_without_figures_are_those_of_an_earlier_grader(sample, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps({k: v for k, v in sample.items() if k != "figures"}))
    assert from_json(load(tmp_path / "results.json")).figures == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r.update(schema="results/v2"), f"schema: expected '{SCHEMA}', got 'results/v2'"),
        (lambda r: r.pop("checks"), "checks: missing; expected a list"),
        (lambda r: r.update(checks=[]), "checks: expected at least one"),
        (lambda r: r["checks"].append(3), "checks[7]: expected an object, got 3"),
        (lambda r: r["checks"][0].update(verdict="great"), "checks[0].verdict: expected one of passed, failed, error"),
        (lambda r: r["checks"][0].update(points=9), "checks[0].points: expected at most 0.25, got 9"),
        (lambda r: r["checks"][0].update(points=-1), "checks[0].points: expected a number from 0 to 10⁹, got -1"),
        (lambda r: r["checks"][0].update(points=True), "checks[0].points: expected a number from 0 to 10⁹, got True"),
        (lambda r: r["checks"][0].update(max_points=10**400), "checks[0].max_points: expected a number"),
        (lambda r: r["checks"][0].update(id="level1.own work"), "checks[0].id: expected one like level1.contract."),
        (lambda r: r["checks"][0].update(level=2), "checks[0].level: expected 1 as in its id, got 2"),
        (lambda r: r["checks"].append(r["checks"][0]), "checks[7].id: 'level1.own_work' is there twice"),
        (lambda r: r["checks"][0]["measurements"].update(loss=float("nan")), "not JSON: NaN is no number"),
        (lambda r: r["checks"][0].update(output=None), "checks[0].output: expected a text, got None"),
        (lambda r: r.update(score=40), "score: expected the sum of the checks' points, 3.25, got 40"),
        (lambda r: r["submission"].pop("sha256"), "submission.sha256: missing; expected an object"),
        (lambda r: r.update(figures=[{"file": "a.png", "title": "A"}]), "figures[0].alt: missing; expected a text"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_answered_with_a_line(change, says, sample, tmp_path):
    change(sample)
    (tmp_path / "r.json").write_text(json.dumps(sample))
    with pytest.raises(UserError) as refused:
        load(tmp_path / "r.json")
    lines = str(refused.value).splitlines()
    assert any(line.startswith(f"{tmp_path / 'r.json'}: {says}") for line in lines), lines


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"schema": NaN}', "[" * 100_000, "\ufeff\ufeff{}", "9" * 5000]
)
def test_what_is_no_results_file_is_answered_in_one_line(content, tmp_path, capsys):
    (tmp_path / "r.json").write_text(content)
    assert command.main([str(tmp_path / "r.json"), "--format", "csv"]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {tmp_path / 'r.json'}: ") and err.count("\n") == 1 and out == ""


def test_each_wrong_thing_has_its_line_and_many_are_cut_short(sample, tmp_path, capsys):
    for check in sample["checks"]:
        check.update(hint=1, trace=2)
    (tmp_path / "r.json").write_text(json.dumps(sample))
    assert command.main([str(tmp_path / "r.json"), "--format", "text"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11 and lines[-1].endswith("and 4 things more") and "checks[0].hint" in lines[0]


# The command


@pytest.fixture
def saved(sample, tmp_path) -> Path:
    (tmp_path / "results.json").write_text(json.dumps(sample))
    return tmp_path / "results.json"


@pytest.mark.parametrize("name", command.FORMATS)
def test_every_format_is_printed_or_written_alike(name, saved, tmp_path, capfdbinary):
    assert command.main([str(saved), "--format", name]) == 0
    printed = capfdbinary.readouterr().out
    assert command.main([str(saved), "--format", name, "--output", str(tmp_path / "new" / "report")]) == 0
    assert (tmp_path / "new" / "report").read_bytes() == printed != b""
    assert capfdbinary.readouterr().out == b""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "junitt"], "--format junitt: no such format; did you mean junit?"),
        (["--format", "summary"], "--format summary: no such format; did you mean github-summary?"),
        ([], "required: --format"),
        (["--format", "csv", "--visibility", "hidden"], "--visibility hidden: only --format gradescope has it"),
        (["--format", "csv", "--prefix", "a/"], "--prefix a/: only --format github-annotations has it"),
        (["--format", "gradescope", "--visibility", "never"], "invalid choice: 'never'"),
        (["--format", "csv", "--output", "/dev/null/r"], "File exists: '/dev/null'"),
    ],
)
def test_a_wrong_call_is_answered_in_one_line(arguments, says, saved, capsys):
    assert command.main([str(saved), *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and says in err and err.count("\n") == 1
    assert command.main([str(saved.parent / "nowhere.json"), "--format", "csv"]) == 2
    assert "nowhere.json: not readable: No such file" in capsys.readouterr().err


def test_a_report_that_fails_leaves_the_last_one(saved, tmp_path, monkeypatch, capsys):
    written = tmp_path / "result.json"
    written.write_text("the last one")
    monkeypatch.delenv("CLASSROOM")
    assert command.main([str(saved), "--format", "classroom50", "--output", str(written)]) == 2
    monkeypatch.setitem(command.FORMATS, "csv", lambda results: 1 / 0)
    assert command.main([str(saved), "--format", "csv", "--output", str(written)]) == 3
    assert "the report failed, nothing was written" in capsys.readouterr().err
    assert written.read_text() == "the last one" and sorted(p.name for p in tmp_path.iterdir()) == [
        "result.json",
        "results.json",
    ]


def test_reports_start_without_torch():
    code = "import sys, grader.reports.command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
