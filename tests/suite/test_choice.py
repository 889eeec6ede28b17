"""Calling a run: names as the table prints them, from any folder; a wrong call is told once, with what was meant."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from assignment.ddpm.config import load_config
from assignment.ddpm.errors import UserError
from grader.check_ids import ids_of, nearest
from grader.checks.finding import CheckFailed, NotJudged
from grader.errors import TimedOut
from grader.submission.handed_in import refuse_no_submission
from grader.suite.clock import ERASE, Clock, NoClock, clock_for
from grader.suite.fixtures import wait_for
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.reports.made_results import checked

DIGITS = ROOT / "configs" / "digits.yaml"


def run(*words: str, cwd: Path = ROOT, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, **options)


def test_a_check_is_named_by_its_id_or_as_the_table_prints_it():
    assert ids_of("level1.contract.device") == ids_of("contract.device") == ["level1.contract.device"]
    assert ids_of("own_work") == ["level1.own_work", "level4.own_work"]
    with pytest.raises(UserError, match=r"there is no check contract\.devise; did you mean contract\.device\?"):
        ids_of("contract.devise")
    assert (nearest("timestap"), nearest("levl4.step.mean")) == ("timestep", "level4.step.mean")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-k", "contract.devise"], "there is no check that matches contract.devise; did you mean contract.device?"),
        (
            ["-k", "timesteps", "-m", "level1"],
            "there is no check of level 1 that matches timesteps; did you mean timestep?",
        ),
        (["-k", "step.mean", "-m", "level1"], "but one of level 4: make test-level4 K=step.mean"),
        (["--config", "digits"], "digits: no such configuration file; did you mean configs/digits.yaml?"),
        (["--submission", "asignment"], "asignment: no such folder; did you mean assignment?"),
        (["--pdb"], "add --in-process"),
    ],
)
def test_a_wrong_call_is_told_once(words, says):
    ran = run("grader", *words)
    assert ran.returncode == pytest.ExitCode.USAGE_ERROR and ran.stdout.strip() == ""
    assert says in ran.stderr and len(ran.stderr.strip().splitlines()) == 1


def test_what_this_machine_does_not_have_is_told_once():
    ran = run("grader", "-m", "level4", "--config", str(DIGITS), "--set", "runtime.device=cuda:99")
    assert ran.returncode == pytest.ExitCode.USAGE_ERROR
    (told,) = ran.stdout.strip().splitlines()
    assert told.startswith("error: ") and "cuda" in told


def test_pytest_grades_from_every_folder_of_the_project():
    where = ROOT / "assignment" / "ddpm"
    ran = run("-k", "contract.builds", "-m", "level4", "--config", "../../configs/digits.yaml", cwd=where)
    assert ran.returncode == 1 and "✗ contract.builds" in ran.stdout, ran.stdout + ran.stderr
    assert "Next: write what is missing at sampler.py:" in ran.stdout and not (where / "outputs").exists()
    assert "CONFIG=configs/digits.yaml" in "".join(ran.stdout.split()) and "SUBMISSION" not in ran.stdout
    ran = run("-k", "contract.builds", "-m", "level1", "--config", "configs/digits.yaml", cwd=where)  # as in the root
    assert "CONFIG=configs/digits.yaml" in "".join(ran.stdout.split()), ran.stdout + ran.stderr
    tests = run("--collect-only", "-q", cwd=ROOT / "tests" / "bundles")  # these are not the grader's
    assert "test_handout.py::" in tests.stdout


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_a_verdict_is_no_error_of_makes(tmp_path):
    for code, exits in ((0, 0), (1, 0), (3, 2), (4, 2)):
        (tmp_path / "python").write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / "python").chmod(0o755)
        made = subprocess.run(
            ["make", "test-level1", f"PYTHON={tmp_path / 'python'}", "UV=/bin/true"],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        assert made.returncode == exits and ("Error" in made.stderr) == (exits != 0)


def test_a_folder_without_the_files_is_refused_with_the_one_that_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    for name, says in ((".", "found neither; did you mean assignment?"), ("README.md", "a file; expected the folder")):
        with pytest.raises(UserError, match=re.escape(says)):
            refuse_no_submission(Path(name))
    (tmp_path / "week 3").mkdir()
    (tmp_path / "week 3" / "model.py").write_text("")
    with pytest.raises(UserError, match=r"did you mean .*week 3"):
        refuse_no_submission(tmp_path)
    with pytest.raises(UserError, match=r"did you mean .*week 3"):
        refuse_no_submission(tmp_path / "wek 3")


def test_a_configuration_is_found_by_its_name_alone(monkeypatch):
    monkeypatch.chdir(ROOT / "assignment")
    for name in ("digits", "digit.yml", "configs/digits.yaml"):
        with pytest.raises(UserError, match=r"did you mean \.\./configs/digits\.yaml\?"):
            load_config(name)
    with pytest.raises(UserError, match="the grader's points and limits"):
        load_config("../configs/grading.yaml")


# ---- a debugger


def test_a_debugger_stops_where_the_answer_came_from(tmp_path):
    shutil.copy(BANK / "wrong" / "networks" / "time_left_out.py", tmp_path / "model.py")
    ran = run(
        "grader", "--check", "timestep.depends_on_t", "--config", str(DIGITS), f"--submission={tmp_path}",
        "--in-process", "--pdb", input="p 'at', tuple(t.shape)\nc\n",
    )  # fmt: skip
    assert f"{tmp_path / 'model.py'}(" in ran.stdout and "('at', (" in ran.stdout, ran.stdout
    assert ran.returncode == 1 and "✗ timestep.depends_on_t" in ran.stdout


def test_a_debugger_stops_at_the_students_own_last_line(tmp_path):
    shutil.copy(BANK / "wrong" / "samplers" / "branches_on_t.py", tmp_path / "sampler.py")
    ran = run(
        "grader", "--check", "level4.contract.shapes", "--config", str(DIGITS), f"--submission={tmp_path}",
        "--in-process", "--pdb", input="p 'at', tuple(t.shape)\nq\n",
    )  # fmt: skip
    assert f"> {tmp_path / 'sampler.py'}(" in ran.stdout and "('at', (" in ran.stdout, ran.stdout


# ---- waiting, and the clock


def test_nothing_waits_for_a_timeout_that_no_row_has_told():
    late = TimedOut("no answer within 20 s (build)")

    def judge(*verdicts: str) -> SimpleNamespace:
        checks = [checked(f"level1.a.n{i}", verdict) for i, verdict in enumerate(verdicts)]
        return SimpleNamespace(results=SimpleNamespace(checks=checks))

    with pytest.raises(TimedOut):
        wait_for("waits for the contract", late, judge("passed", "not_judged"), level=1)
    with pytest.raises(NotJudged, match="waits for the contract: no answer within 20 s"):
        wait_for("waits for the contract", late, judge("passed", "timeout"), level=1)
    with pytest.raises(TimedOut):
        wait_for("waits for p_sample", late, judge("timeout"), level=4)
    with pytest.raises(NotJudged):
        wait_for("waits for the contract", CheckFailed("expected this", ""), judge("passed"), level=1)


def test_the_clock_shows_what_is_under_way_and_leaves_nothing_behind(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        clock = clock_for(terminal)
        assert isinstance(clock, Clock)
        clock.show("3 of 36: contract.builds")
        seen = ""
        while "contract.builds" not in seen:
            seen += os.read(ours, 1000).decode()
        assert clock.clear() == "3 of 36: contract.builds"
        while not seen.endswith(ERASE):
            seen += os.read(ours, 1000).decode()
        assert "  0 s  3 of 36" in seen and "\n" not in seen
        monkeypatch.setenv("TERM", "dumb")
        assert isinstance(clock_for(terminal), NoClock)
    os.close(ours)
    with open(os.devnull, "w") as file:
        assert isinstance(clock_for(file), NoClock)
