"""A timeout is confirmed by a second try; a grade depends neither on a busy machine nor on the user's own pytest."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assignment.ddpm.errors import CommandError
from grader import train_submission
from grader.errors import GraderFault, TimedOut
from grader.grade import grade
from grader.results import Check, Results, cut, exact
from grader.student.network import Network
from grader.submission.sandbox import find_sandbox
from tests.conftest import ROOT
from tests.proof.bank import BANK

DIGITS = ROOT / "configs" / "digits.yaml"
DEVICE = "level1.contract.device"
FEW = ("--check", "level4.contract.builds", "--check", "level4.step.mean")  # 1.5 points


@pytest.fixture
def handed_in(tmp_path) -> Path:
    shutil.copy(BANK / "right" / "networks" / "flat_mlp.py", tmp_path / "model.py")
    shutil.copy(BANK / "right" / "samplers" / "eps_beta_tilde.py", tmp_path / "sampler.py")
    return tmp_path


def judged(folder: Path, check: str) -> tuple[Results, Check]:
    results = grade(
        folder, levels=[1], config=DIGITS, overrides=["runtime.device=cpu"], quiet=True, only=[check].__contains__
    )
    return results, results.checks[0]


@pytest.mark.parametrize(("late", "verdict"), [(1, "passed"), (9, "timeout")])
def test_a_timeout_counts_only_if_the_second_try_times_out_too(late, verdict, handed_in, monkeypatch):
    move, tries = Network.move, []

    def slow(self: Network, *inputs: object) -> None:
        tries.append(self.deadlines.budget.slowdown)
        if len(tries) <= late:
            raise TimedOut("no answer within 20 s (meta)")
        move(self, *inputs)

    monkeypatch.setattr(Network, "move", slow)
    results, check = judged(handed_in, DEVICE)
    assert check.verdict == verdict and len(tries) == 2
    assert "as slow as when it was measured" in results.information["time"]
    assert results.environment["slowdown"] == round(tries[1], 2) >= 1


@pytest.mark.parametrize(("slowdown", "outcome"), [(4.0, "grade again when it is less busy"), (1.0, "")])
def test_a_contract_that_took_too_long_on_a_busy_machine_is_nobodys_fault(slowdown, outcome, monkeypatch):
    graded = []

    def late(*about: object, **options: object) -> Results:
        graded.append(about)
        check = Check(DEVICE, "", 1.0, "timeout", "no answer within 20 s")
        return Results(Path(), {"slowdown": slowdown}, [check])

    monkeypatch.setattr(train_submission, "grade", late)
    if outcome:
        with pytest.raises(GraderFault, match=outcome):
            train_submission.why_not(Path(), DIGITS, [], find_sandbox("none"))
    else:
        says = train_submission.why_not(Path(), DIGITS, [], find_sandbox("none"))
        assert says == f"{DEVICE} is not kept: no answer within 20 s"
    assert len(graded) == 2


# ---- the user's own pytest


def test_what_a_user_has_set_up_for_pytest_changes_no_grade(handed_in, tmp_path):
    (tmp_path / "theirs.py").write_text("def pytest_collection_modifyitems(items):\n    items.clear()\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    theirs = {"PYTEST_ADDOPTS": "-k shapes", "PYTEST_PLUGINS": "theirs", "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", "grader", handed_in, *FEW, "--config", DIGITS, "--output", tmp_path / "out",
         "runtime.device=cpu"],
        cwd=tmp_path, env=os.environ | theirs, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and "1.5 of 1.5 points" in done.stdout, done.stdout + done.stderr


class LeavesOut:
    """A plugin that drops the last check, and one that lets nothing run."""

    def __init__(self, runs: bool) -> None:
        self.runs = runs

    def pytest_collection_modifyitems(self, items: list) -> None:
        del items[-1 if self.runs else 0 :]

    @pytest.hookimpl(trylast=True)
    def pytest_runtestloop(self) -> bool | None:
        return None if self.runs else True


@pytest.mark.parametrize("runs", [True, False])
def test_a_check_that_did_not_run_is_a_fault_of_the_graders(runs, handed_in):
    with pytest.raises(GraderFault):
        grade(
            handed_in, levels=[1], config=DIGITS, overrides=["runtime.device=cpu"], quiet=True,
            only=["level1.contract.builds", "level1.contract.shapes"].__contains__, plugins=[LeavesOut(runs)],
        )  # fmt: skip


# ---- where files are kept private


@pytest.mark.skipif(os.getuid() != 0 or not find_sandbox("auto"), reason="needs root and a sandbox")
def test_a_strict_umask_costs_no_points(handed_in, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "grader", handed_in, *FEW, "--config", DIGITS, "--output", tmp_path / "out",
         "--sandbox", "required", "runtime.device=cpu"],
        cwd=ROOT, umask=0o077, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and "1.5 of 1.5 points" in done.stdout, done.stdout + done.stderr


@pytest.mark.skipif(os.getuid() != 0 or not find_sandbox("auto"), reason="needs root and a sandbox")
def test_what_the_worker_cannot_read_is_our_fault(handed_in, monkeypatch):
    monkeypatch.setattr("grader.submission.given_code.let_everybody_read", lambda folder: folder.chmod(0o755))
    old = os.umask(0o077)
    try:
        with pytest.raises(CommandError, match=r"a worker did not start: .*Permission denied"):
            judged(handed_in, "level1.contract.builds")
    finally:
        os.umask(old)


# ---- texts of any length


def test_texts_from_a_submission_are_cut():
    assert len(cut("x" * 10_000_000)) == 500
    kept = exact(["y" * 9999] * 9999)
    assert len(kept) == 100 and {len(text) for text in kept} == {500}


@pytest.mark.timeout(120)
def test_a_type_with_a_name_of_a_million_letters_is_told_in_short(handed_in):
    (handed_in / "model.py").write_text(
        "from torch import nn\n\nclass DiffusionModel(nn.Module):\n    def __init__(self, config):\n"
        "        super().__init__()\n    def forward(self, x, t):\n        return type('T' * 1_000_000, (), {})()\n"
    )
    results, check = judged(handed_in, "level1.contract.shapes")
    assert check.verdict == "failed" and len(check.message) <= 1000
    assert len(str(results.to_json())) < 10_000
