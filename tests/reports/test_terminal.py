"""The results in a terminal: as wide as it is, nothing cut off, nothing said twice, and the next step last."""

import re
from pathlib import Path

import pytest

from grader import ROOT
from grader.check_ids import check_ids
from grader.reports.columns import cells, clipped, width, wrapped
from grader.reports.next_step import closest, next_step
from grader.reports.terminal import Rows, render, summary
from grader.results import Check, Results, level_of
from tests.reports.made_results import checked

LONG = "expected a network that answers in the shape of x, got one that answers in another, which is this: 你好 " * 2


def results(*checks: Check, **environment: str) -> Results:
    return Results(ROOT / "assignment", environment, list(checks), {"parameters": "152,513"})


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_rows_are_as_wide(columns):
    shown = [
        checked("level1.contract.builds"),
        checked("level1.contract.shapes", "failed", message=LONG, hint="w" * 300, output="—" * 300, trace="x" * 300),
        checked("level4.step.mean", "not_judged", message="waits for step.fresh_noise"),
    ]
    lines = render(results(*shown), columns).splitlines()
    assert max(map(cells, lines)) == columns
    rows = [line for line in lines if re.match(r"[✓✗–] ", line)]
    assert len(rows) == 3 and {cells(row) for row in rows} == {columns}
    assert "".join(LONG.split()) in "".join("".join(lines).replace("0/1", "").split())  # all of it


def test_text_breaks_at_spaces_and_in_words_that_are_too_long():
    assert wrapped("one two  three", 7) == ["one two", "three"]
    assert wrapped("", 7) == [""]
    assert wrapped("a " + "b" * 9, 4) == ["a", "bbbb", "bbbb", "b"]
    assert wrapped("你好 世界", 4) == ["你好", "世界"]
    assert clipped("你好", 3) == "你" and cells("e\u0301") == 1
    assert wrapped("w" * 200_000, 80)[-1] == "w" * 80  # in no time


def test_the_width_is_the_terminals_or_what_columns_says(monkeypatch):
    monkeypatch.setenv("COLUMNS", "72")
    assert width() == 72
    monkeypatch.setenv("COLUMNS", "x")
    with open("/dev/null") as no_terminal:
        assert width(no_terminal.fileno()) == 110


def test_a_message_is_said_once():
    rows = Rows([f"level1.trained.n{i}" for i in range(4)], 110)
    said = "there are no weights in outputs: train first with `uv run python main.py`"
    first, again = (rows.of(checked(f"level1.trained.n{i}", "not_judged", message=said)) for i in (0, 1))
    assert said in " ".join(" ".join(first).replace("0/1", "").split())
    assert " ".join(again[-1].split()) == "– trained.n1 not judged, as trained.n0 0/1"
    waiting = rows.of(checked("level1.trained.n2", "not_judged", message=f"waits for trained.n0: {said}"))
    assert " ".join(waiting[-1].split()) == "– trained.n2 not judged: waits for trained.n0 0/1"
    other = rows.of(checked("level1.trained.n3", "not_judged", message="waits for another: why"))
    assert "waits for another: why" in other[-1]


def test_what_a_runner_would_obey_is_broken_up_where_lines_break_anew():
    page = render(results(checked("level1.a.b", "failed", message="w" * 120 + " ::error::mine")), 80)
    assert "error" in page and not re.search(r"^\s*::", page, re.MULTILINE)


def test_the_levels_and_the_score_have_bars():
    shown = results(checked("level1.a.b"), checked("level1.a.c", "failed"), checked("level4.a.b"))
    lines = summary(shown, 100)
    assert f"Level 1: Network  {'█' * 10}{'░' * 10}  1 of 2 points · 1 passed · 1 failed" in lines
    assert f"Level 4: Sampler  {'█' * 20}  1 of 1 points · 1 passed" in lines
    assert any(line.startswith("Score ") and "2 of 3 points" in line for line in lines)
    nearly = results(checked("level1.a.b", max_points=99.0), checked("level1.a.c", "failed", max_points=0.5))
    assert any("█" * 19 + "░" in line for line in summary(nearly, 100))  # a full bar says that all is there


def test_what_is_closest_to_its_limit_is_named():
    far = checked("level1.samples.fid", "failed", measurements={"margin": -0.6})
    near = checked("level1.samples.clean", "failed", measurements={"margin": -0.12})
    hopeless = checked("level1.samples.new", "failed", measurements={"margin": -1.0})
    passed = checked("level1.samples.sound", measurements={"margin": 0.9})
    assert closest(results(far, near, hopeless, passed)) == "Closest to passing: samples.clean, 12% from its limit"
    assert closest(results(hopeless, passed, checked("level1.own_work", "failed"))) == ""


def test_there_is_one_next_step():
    digits = str(ROOT / "configs" / "digits.yaml")
    stub = checked(
        "level1.contract.builds", "failed", message="not implemented yet: model.py:23: x", location="model.py:23"
    )
    assert next_step(results(stub, config_file=digits)) == (
        "Next: write what is missing at model.py:23, then run",
        "make test-level1 K=contract.builds CONFIG=configs/digits.yaml",
    )
    mended = next_step(results(checked("level4.step.mean", "failed"), config_file="/theirs.yaml"), Path("mine"))
    assert mended == ("Next: fix step.mean, then run", "make test-level4 K=step.mean SUBMISSION=mine")
    waits = checked("level1.trained.weights", "not_judged", message="train first with this")
    assert next_step(results(waits)) == ("Next: trained.weights was not judged: train first with this", "")


def test_after_a_success_it_leads_on():
    ids = check_ids()
    assert "35 checks of this level" in next_step(results(checked("level1.contract.builds")))[0]
    level_1 = [checked(i) for i in ids if level_of(i) == 1]
    assert next_step(results(*level_1)) == ("Next: level 2", "make test-level2")
    assert next_step(results(*map(checked, ids)))[1] == "make submit"


def test_the_command_to_copy_is_never_broken():
    stub = checked("level1.contract.builds", "failed", message="not implemented yet: x", location="model.py:23")
    lines = summary(results(stub, config_file=str(ROOT / "configs" / "digits.yaml")), 40)
    assert lines[-1] == "  make test-level1 K=contract.builds CONFIG=configs/digits.yaml"
