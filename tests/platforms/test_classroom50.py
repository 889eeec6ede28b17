"""Classroom 50: its runner starts the bundle beside a checkout, and reads the result and a page for the student."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.__main__ import main as grader
from grader.errors import GraderFault
from grader.platforms.classroom50 import run as classroom50
from tests.conftest import ROOT
from tests.platforms.made_results import results
from tests.support.platforms import RUNNER, valid

SAMPLER = (ROOT / "reference" / "sampler.py").read_text()


@pytest.fixture
def runner(monkeypatch):
    for name, value in RUNNER.items():
        monkeypatch.setenv(name, value)


def test_the_bundle_runs_as_classroom50_runs_it(runner, tmp_path, capsys):
    bundle, checkout = tmp_path / "runtime" / "ddpm", tmp_path / "checkout"
    assert grader(["classroom50", str(bundle)]) == 0
    (bundle / ".venv").symlink_to(sys.prefix)  # else it would install one
    checkout.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"CLASSROOM50_BUNDLE_DIR": str(bundle)}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    (tmp_path / "sudo").write_text("#!/bin/sh\n")  # leaves the machine's settings alone
    (tmp_path / "sudo").chmod(0o755)
    command = [sys.executable, bundle / "autograder.py"]
    assert subprocess.run(command, cwd=checkout, env=environment).returncode == 0
    page = json.loads((checkout / "result.json").read_text())
    assert valid("classroom50", page)
    assert (page["score"], page["max-score"], page["owner"]) == (0, 20, "alice")
    for text in (page["tests"][0]["message"], (checkout / "release-body.md").read_text()):
        assert "found neither" in text
    assert grader(["classroom50", str(bundle)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_classroom50_gets_whole_points_and_a_page_for_the_student(runner, tmp_path, monkeypatch):
    (tmp_path / "sampler.py").write_text(SAMPLER)
    asked = {}

    def graded(submission: Path, **how: object) -> dict:
        asked.update(how, files=[file.name for file in submission.iterdir()])
        return results("passed", "failed").to_json()

    monkeypatch.setattr(classroom50, "grade_apart", graded)
    assert classroom50.main(str(tmp_path)) == 0
    page = json.loads((tmp_path / "result.json").read_text())
    assert valid("classroom50", page) and (page["score"], page["max-score"]) == (1, 2)
    assert (tmp_path / "release-body.md").read_text().startswith("## 1 of 2 points")
    assert asked["sandbox"] == "required" and asked["files"] == ["sampler.py"]


def test_a_submission_is_as_old_as_its_commit(runner, tmp_path, monkeypatch):
    """Whenever it is graded, and whatever the tag says; Classroom 50 reckons late days from it."""
    when = {"GIT_COMMITTER_DATE": "2026-06-01T16:32:01+02:00", "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z"}
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        command = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *words]
        subprocess.run(command, check=True, env=os.environ | when)
    assert classroom50.committed(tmp_path) == "2026-06-01T14:32:01Z"
    assert classroom50.main(str(tmp_path)) == 0  # nothing was handed in
    page = json.loads((tmp_path / "result.json").read_text())
    assert valid("classroom50", page) and page["datetime"] == "2026-06-01T14:32:01Z"
    assert classroom50.committed(tmp_path / "nowhere") == ""
    monkeypatch.setenv("PATH", "")
    assert classroom50.committed(tmp_path) == ""


def test_classroom50_notes_an_error_where_the_grader_fails(runner, tmp_path, monkeypatch, capsys):
    def fails(*args: object, **how: object) -> dict:
        raise GraderFault("no bwrap")

    (tmp_path / "model.py").touch()
    monkeypatch.setattr(classroom50, "grade_apart", fails)
    assert classroom50.main(str(tmp_path)) == 3
    monkeypatch.delenv("SUBMISSION_TAG")
    assert classroom50.main(str(tmp_path)) == 2
    assert not (tmp_path / "result.json").exists()
    assert "no bwrap" in (err := capsys.readouterr().err) and "missing: SUBMISSION_TAG" in err
