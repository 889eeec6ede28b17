"""GitHub: what the job of the workflow is given, what it shows, and when it is green."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from grader.platforms.github import grade as github
from grader.results import Results
from tests.conftest import ROOT
from tests.platforms.made_results import results


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A job's environment, with a checkout laid out like the handout."""
    (tmp_path / "student" / "assignment").mkdir(parents=True)
    for name in ("model.py", "sampler.py"):
        (tmp_path / "student" / "assignment" / name).touch()
    inputs = {"LEVELS": "1 4", "CONFIG": "configs/digits.yaml", "TRAIN": "false", "PASS_SCORE": "0", "SANDBOX": "auto"}
    inputs |= {"MINUTES": "60"}
    return inputs | {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}


def run_job(job: dict, tmp_path: Path, monkeypatch, told: Results | None, code: int = 0) -> int:
    def stand_in(submission: Path, output: Path, words: list[str]) -> int:
        assert sorted(file.name for file in submission.iterdir()) == ["model.py", "sampler.py"]
        if told:
            told.save(output / "results.json")
        return code

    monkeypatch.setattr(github, "run_grader", stand_in)
    return github.main(str(tmp_path / "student"), str(tmp_path / "graded"), job)


def test_the_summary_says_what_no_gpu_means(job, tmp_path, monkeypatch, capsys):
    told = results("passed", "failed", "passed", "not_judged")
    told.checks[1].location = "model.py:3"
    assert run_job(job, tmp_path, monkeypatch, told) == 0
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("## 2 of 4 points") and "This runner has no GPU" in summary
    assert "1 checks of a trained network (1 points) were not judged" in summary
    assert "file=assignment/model.py,line=3" in capsys.readouterr().out
    assert not github.remarks(results("passed", device="cuda").to_json())


def test_the_job_is_green_unless_a_score_is_wanted_or_grading_failed(job, tmp_path, monkeypatch):
    assert run_job(job, tmp_path, monkeypatch, results("failed")) == 0
    assert run_job(job | {"PASS_SCORE": "0.5"}, tmp_path, monkeypatch, results("failed")) == 1
    assert run_job(job, tmp_path, monkeypatch, None, code=3) == 3
    assert "## Not graded" in (tmp_path / "summary.md").read_text()
    shutil.rmtree(tmp_path / "student" / "assignment")
    assert run_job(job, tmp_path, monkeypatch, None) == 1
    assert "## Nothing could be graded" in (tmp_path / "summary.md").read_text()


def test_weights_of_the_graded_configurations_are_looked_for():
    assert github.trained_configs({"LEVELS": "1 3 4", "CONFIG": ""}) == ["fashion_mnist", "cifar10"]
    assert github.trained_configs({"LEVELS": "1 4", "CONFIG": "configs/digits.yaml"}) == ["digits"]
    assert github.trained_configs({"LEVELS": "4", "CONFIG": ""}) == []


def test_inputs_become_arguments_of_the_grader(job):
    words = ["--level", "1", "--level", "4", "--sandbox", "auto"]
    assert github.arguments(job) == [*words, "--config", "configs/digits.yaml"]
    # the job's own limit would end it without results, and with nothing that the next one could go on from
    assert github.arguments(job | {"CONFIG": "", "TRAIN": "true"}) == [*words, "--train", "--minutes", "40"]


def test_what_is_printed_while_grading_is_no_command(tmp_path, monkeypatch, capfd):
    (tmp_path / "python").write_text("#!/bin/sh\necho ::error::me\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(github.sys, "executable", str(tmp_path / "python"))
    assert github.run_grader(tmp_path, tmp_path, []) == 0
    out = capfd.readouterr().out
    assert re.fullmatch(r"::stop-commands::([0-9a-f]{32})\n::error::me\n\n::\1::\n", out)


def test_the_workflow_hands_over_every_input():
    workflow = (ROOT / ".github" / "workflows" / "grade.yml").read_text()
    for name in ("LEVELS", "CONFIG", "TRAIN", "MINUTES", "PASS_SCORE", "SANDBOX"):
        assert f"{name}: ${{{{ inputs.{name.lower().replace('_', '-')} }}}}" in workflow


def test_a_push_ends_no_training_and_the_next_run_goes_on_from_it():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "grade.yml").read_text())
    assert workflow["concurrency"]["cancel-in-progress"] == "${{ !inputs.train }}"
    steps = {step.get("uses", ""): step for step in workflow["jobs"]["grade"]["steps"]}
    kept, found = steps["actions/cache/save@v5"], steps["actions/cache/restore@v5"]
    assert kept["with"]["path"] == found["with"]["path"] == "graded/trainings"  # where train_submission keeps its runs
    assert kept["with"]["key"] == found["with"]["key"] and kept["with"]["key"].startswith(found["with"]["restore-keys"])
    assert kept["if"] == "always() && inputs.train"
    names = [step["name"] for step in workflow["jobs"]["grade"]["steps"]]
    assert names.index(found["name"]) < names.index("Grade") < names.index(kept["name"])
