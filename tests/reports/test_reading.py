"""Reading results.json: what was saved is rebuilt, and of anything else it is said what is wrong, and where."""

import json

import pytest

from assignment.ddpm.errors import UserError
from grader.reports import command
from grader.reports.reading import from_json, load
from grader.reports.terminal import render as as_text
from grader.results import SCHEMA
from tests.reports.made_results import with_points


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
        (
            lambda r: r.update(figures=[{"file": "a.png", "title": "A", "alt": "a", "caption": 3}]),
            "figures[0].caption: expected a text, got 3",
        ),
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
