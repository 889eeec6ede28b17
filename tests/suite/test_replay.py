"""Does a verdict stand? Graded again as results.json records, it does; if not, both verdicts are reported."""

import json
import re
import shutil
from pathlib import Path

import pytest

from grader.__main__ import main
from grader.grade import grade
from grader.replay import is_about, meant
from tests.conftest import ROOT
from tests.proof.bank import BANK


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Path:
    """A folder with a wrong sampler and its results for two checks."""
    folder = tmp_path_factory.mktemp("graded")
    shutil.copy(BANK / "wrong" / "samplers" / "adds_predicted_noise.py", folder / "sampler.py")
    results = grade(
        folder, levels=[4], config=ROOT / "configs" / "digits.yaml", overrides=["runtime.device=cpu"], quiet=True,
        only={"level4.step.mean", "level4.contract.builds"}.__contains__, options=["--secret-seed=draw"],
    )  # fmt: skip
    results.save(folder / "results.json")
    return folder


def changed(graded: Path, target: Path, change) -> Path:
    results = json.loads((graded / "results.json").read_text())
    change(results)
    target.write_text(json.dumps(results))
    return target


def test_verdicts_stand(graded, capsys):
    verdicts = [check["verdict"] for check in json.loads((graded / "results.json").read_text())["checks"]]
    assert verdicts == ["passed", "failed"]
    assert main(["replay", str(graded / "results.json"), str(graded)]) == 0
    assert capsys.readouterr().out == "every verdict stands (2 checks)\n"
    assert main(["replay", str(graded / "results.json"), str(graded), "--check", "level4.step.mean"]) == 0
    assert capsys.readouterr().out == "every verdict stands (1 check)\n"


def test_what_was_found_is_written_where_it_is_wanted(graded, tmp_path):
    record = tmp_path / "audit.json"
    assert main(["replay", str(graded / "results.json"), str(graded), "--output", str(record)]) == 0
    assert json.loads(record.read_text())["differs"] == [] and is_about(record, graded / "results.json")
    others = tmp_path / "results.json"
    assert is_about(record, changed(graded, others, lambda results: results.update(score=0))), "points are not replayed"
    assert not is_about(record, changed(graded, others, lambda results: results["checks"][0].update(verdict="error")))
    assert not is_about(tmp_path / "nothing", graded / "results.json")


def test_a_verdict_that_does_not_stand_is_told_with_what_has_changed(graded, tmp_path, capsys):
    def forge(results: dict) -> None:
        results["checks"][1] |= {"verdict": "passed", "points": 1.25, "message": ""}
        results["score"] = 1.5
        results["environment"]["torch"] = "1.0"

    assert main(["replay", str(changed(graded, tmp_path / "results.json", forge)), str(graded)]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert re.match(r"level4\.step\.mean: was passed, is failed: at t = 1 of T = \d+: expected", first)
    assert second.startswith("torch was 1.0, is ")


def test_another_submission_is_refused(graded, tmp_path, capsys):
    shutil.copy(BANK / "right" / "samplers" / "eps_beta_tilde.py", tmp_path / "sampler.py")
    assert main(["replay", str(graded / "results.json"), str(tmp_path)]) == 2
    assert "sampler.py is not the file that was graded" in capsys.readouterr().err


def test_an_unknown_check_is_refused(graded, capsys):
    assert main(["replay", str(graded / "results.json"), str(graded), "--check", "level4.step.maen"]) == 2
    assert "--check level4.step.maen: not in the results; did you mean level4.step.mean?" in capsys.readouterr().err


def test_checks_are_meant_by_the_names_that_reports_print():
    ids = ["level1.trained.weights", "level2.trained.weights", "level4.step.mean"]
    assert meant("step.mean", ids) == meant("level4.step.mean", ids) == ids[2:]
    assert meant("trained.weights", ids) == ids[:2]
