"""The results in a terminal: as wide as it is, nothing cut off, nothing said twice, and the next step last."""

import re
import sys
from pathlib import Path

import pytest

from assignment.ddpm import invocation
from grader import ROOT
from grader.check_ids import check_ids
from grader.reports.columns import cells, clipped, width, wrapped
from grader.reports.next_step import closest, next_step
from grader.reports.rows import Rows
from grader.reports.terminal import render, summary
from grader.reports.wording import counts, own_value
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


def shown_rows(*checks: Check, **environment: object) -> list[str]:
    """The table's lines, with single spaces."""
    rows = Rows([check.id for check in checks], 110, environment=environment, submission=ROOT / "assignment")
    return [" ".join(line.split()) for line in [*(line for c in checks for line in rows.of(c)), *rows.end()] if line]


def test_what_waits_for_the_same_is_told_in_one_row_at_the_end_of_its_level():
    why = "SyntaxError: '(' was never closed"
    wait = [checked(f"level1.timestep.n{i}", "not_judged", message=f"waits for the contract: {why}") for i in range(4)]
    lines = shown_rows(
        checked("level1.contract.builds", "error", message=why), *wait[:3],
        checked("level1.contract.every_data_set", "failed", message=f"expected a network for 32×32, got {why}"),
        checked("level1.contract.device", "failed", message=f"expected one that moves, got at model.py:3: {why}"),
        wait[3], checked("level4.contract.builds"),
    )  # fmt: skip
    assert lines[1] == f"✗ contract.builds error: {why} 0/1" and "✓ contract.builds" in lines[-1]
    assert "– 4 more wait for contract.builds 0/4" in lines
    assert "✗ contract.device failed, as contract.builds 0/1" in lines
    assert any(line.startswith("✗ contract.every_data_set failed: expected") for line in lines)  # says more
    assert lines.index("– 4 more wait for contract.builds 0/4") < lines.index(next(x for x in lines if "Level 4" in x))


def test_a_message_is_said_once():
    said = "there are no weights in outputs: train first with `uv run python main.py`"
    lines = shown_rows(
        *(checked(f"level1.trained.n{i}", "not_judged", message=said) for i in (0, 1)),
        checked("level1.trained.n2", "not_judged", message=f"waits for trained.n0: {said}"),
        checked("level1.trained.n3", "not_judged", message="waits for another: why"),
    )
    assert lines[1] == f"– trained.n0 not judged: {said} 0/1" and sum(said in line for line in lines) == 1
    assert lines[2] == "– trained.n3 not judged: waits for another: why 0/1"
    assert lines[3] == "– trained.n1 not judged, as trained.n0 0/1"
    assert lines[4] == "– trained.n2 not judged: waits for trained.n0 0/1"


def test_a_few_that_wait_are_named():
    waiting = [checked(f"level1.a.n{i}", "not_judged", message="waits for a.b") for i in (1, 2)]
    lines = shown_rows(checked("level1.a.b", "failed"), *waiting)
    assert lines[-1] == "– 2 more wait for a.b: a.n1, a.n2 0/2"


def test_a_heading_says_what_was_graded_on_which_data_set():
    assert shown_rows(checked("level1.a.b"), configs={"1": "digits"})[0].startswith(
        "Level 1: Network · digits · assignment/ ──"
    )
    assert shown_rows(checked("level1.a.b"), configs="?")[0].startswith("Level 1: Network · assignment/ ──")


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


def test_verdicts_are_counted_in_one_order():
    verdicts = ["error", "not_judged", "passed", "error", "failed", "passed"]
    assert counts(verdicts) == "2 passed · 1 failed · 2 errors · 1 not judged"


def test_a_loss_is_shown_as_the_range_in_which_it_lies():
    measured = {"interval": [1.38, 1.43], "value": 1.43, "limit": -0.001, "margin": -1.0, "upper_bound": 1.43}
    shown = own_value(checked("level2.loss.beats_reference", "failed", measurements=measured).to_json())
    assert shown == "+138.0% to +143.0% beside the reference's loss, has to stay below -0.1%"


def test_what_is_closest_to_its_limit_is_named():
    far = checked("level1.samples.fid", "failed", measurements={"margin": -0.6})
    near = checked("level1.samples.clean", "failed", measurements={"margin": -0.12})
    hopeless = checked("level1.samples.new", "failed", measurements={"margin": -1.0})
    passed = checked("level1.samples.sound", measurements={"margin": 0.9})
    assert closest(results(far, near, hopeless, passed)) == "Closest to passing: samples.clean, 12% from its limit"
    assert closest(results(hopeless, passed, checked("level1.own_work", "failed"))) == ""


@pytest.fixture(autouse=True)
def uv(monkeypatch):
    monkeypatch.setattr(invocation, "uses_uv", lambda: True)


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
    waits = checked("level1.trained.weights", "not_judged", message="there are no images")
    assert next_step(results(waits)) == ("Next: trained.weights was not judged: there are no images", "")


def test_who_has_not_trained_enough_is_told_how_and_with_which_settings():
    digits = str(ROOT / "configs" / "digits.yaml")
    untrained = checked("level1.trained.weights", "not_judged", message="there are no weights in outputs: train first")
    assert next_step(results(untrained, config_file=digits)) == (
        "Next: train your network, then grade it again",
        "make train CONFIG=configs/digits.yaml\nmake test-level1 CONFIG=configs/digits.yaml",
    )
    assert untrained.message not in "\n".join(summary(results(untrained), 400))  # its row has said it
    with_labels = checked("level6.trained.weights", "not_judged", message=untrained.message)
    assert next_step(results(with_labels, config_file=digits))[1].splitlines() == [
        "make train CONFIG=configs/digits_conditional.yaml", "make test-level6 CONFIG=configs/digits.yaml",
    ]  # fmt: skip
    longer = {"train_with": "training.epochs=120 training.resume=true"}
    says, command = next_step(results(checked("level3.samples.fid", "failed", measurements=longer)))
    assert says == "Next: train longer, then grade it again" and command.splitlines() == [
        "make train CONFIG=configs/cifar10.yaml ARGS='training.epochs=120 training.resume=true'", "make test-level3",
    ]  # fmt: skip
    better = checked("level2.loss.beats_reference", "failed", measurements={"train_with": ""})
    assert "improve the network (docs/students.md shows" in next_step(results(better))[0]
    assert next_step(results(better), Path("elsewhere"))[0] == "Next: fix loss.beats_reference, then run"


def test_what_fails_by_another_mistake_comes_after_it():
    device, cause = checked("level1.contract.device", "error"), checked("level1.training.registered", "failed")
    other = checked("level4.behaviour.inputs_unchanged", "failed")
    lines = summary(results(device, cause, other), 80)
    assert "First to look at: level1.training.registered" in lines
    assert lines[-2] == "Next: fix training.registered, then run"


def test_only_a_finding_of_its_own_makes_a_check_a_cause():
    stub = "not implemented yet: model.py:23: x"
    builds, own = checked("level1.contract.builds", "failed", message=stub), "level1.own_work"
    assert "First to look at: level1.contract.builds" in summary(
        results(builds, checked(own, "failed", message=stub), checked("level1.behaviour.no_side_effects", "error")), 80
    )
    refused = checked(own, "failed", message="model.py:3: import timm")
    assert f"First to look at: {own}" in summary(results(builds, refused), 80)


def test_a_pip_environment_is_told_of_its_own_python(monkeypatch):
    monkeypatch.setattr(invocation, "uses_uv", lambda: False)
    monkeypatch.setattr(sys, "executable", "/opt/my env/bin/python3")
    assert next_step(results(checked("level4.step.mean", "failed")))[1] == (
        "make test-level4 K=step.mean PYTHON='/opt/my env/bin/python3'"
    )
    assert invocation.python() == "'/opt/my env/bin/python3'"
    assert invocation.pytest() == "'/opt/my env/bin/python3' -m pytest"


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
