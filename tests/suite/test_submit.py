"""`make submit`: what goes in, what is said of it, and that a zip which was there is never lost."""

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch

from assignment.ddpm import checkpoint as ckpt
from grader.__main__ import main
from grader.errors import GraderFault
from grader.grading_config import load_grading
from grader.results import Check, Results
from grader.submission.handed_in import Taken
from tests.conftest import ROOT
from tests.proof.trained import DIGITS
from tests.support.silent import OTHER_ANSWER, SILENT, judged, unpacked


def test_what_is_packed_is_what_the_course_takes(submission, project, tmp_path):
    with zipfile.ZipFile(submission) as archive:
        weights = [f"weights/digits{kind}" for kind in (".safetensors", ".log.csv", ".config.yaml")]
        assert archive.namelist() == ["model.py", "sampler.py", *weights]
    folder = unpacked(submission, tmp_path / "taken")
    assert (folder / "weights" / "digits.safetensors").read_bytes() == (
        project / "outputs" / "digits-student" / ckpt.WEIGHTS
    ).read_bytes()
    check, results = judged(folder)
    assert check.verdict == "passed", check
    assert results.weights["digits"] == {
        "from": "handed in", "file": "weights/digits.safetensors", "epoch": "7.0", "val_loss": "0.5",
    }  # fmt: skip
    assert set(results.sha256) == {"model.py", "sampler.py", "weights/digits.safetensors"}
    assert results.information["weights of level 2"] == (
        "weights/digits.safetensors, handed in, epoch 7, validation loss 0.5"
    )
    assert results.figures[0]["file"] == "training-digits.png"  # the log that was handed in


@pytest.fixture
def quickly(monkeypatch):
    """What `make submit` asks the grader is answered at once."""
    asked = []

    def passes(submission: Path, *, only, **about: object) -> Results:
        from grader.check_ids import check_ids

        asked.append(about)
        ids = [check for check in check_ids() if only(check) and int(check[5]) in about["levels"]]
        return Results(submission, {}, [Check(check, "", 1.0, "passed", "") for check in ids])

    monkeypatch.setattr("grader.grade.grade", passes)
    return asked


def submit(project: Path, target: Path, *words: str, source: str = SILENT, name: str = "assignment") -> int:
    place = target.parent / name
    shutil.copytree(project / "assignment", place)
    (place / "model.py").write_text(source)
    about = ["--output", str(target), "--config", str(DIGITS)]
    return main(["submit", str(place), *about, *(words or [f"output_dir={project / 'outputs'}"])])


def test_it_says_what_goes_in_and_what_is_missing(project, tmp_path, capsys, quickly):
    assert submit(project, tmp_path / "a.zip", source=OTHER_ANSWER) == 0
    said = capsys.readouterr().out
    assert "model.py: " in said and "the contract is kept" in said
    assert "weights/digits.safetensors: 0.0 MiB in float32, epoch 7, validation loss 0.5" in said
    assert "levels 1 to 3 where the course grades on digits" in said
    assert "they fit, but the code has changed since: model.py, DiffusionModel.forward, line 16: `return (self." in said
    assert "hand in this file as it is" in said and "train" not in said.lower().replace("trained", "")
    assert submit(project, tmp_path / "b.zip", f"output_dir={tmp_path}", name="b") == 0
    assert "no weights of digits: 20 points of levels 1 to 3" in capsys.readouterr().out


def test_weights_of_another_folder_and_in_half_the_size(project, tmp_path, capsys, quickly):
    weights = tmp_path / "elsewhere.safetensors"
    shutil.copy(project / "outputs" / "digits-student" / ckpt.WEIGHTS, weights)
    assert submit(project, tmp_path / "a.zip", f"--weights=digits={weights}", "--bfloat16") == 0
    assert "packed in bfloat16, as asked; bfloat16 changes its loss by +0.000%" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["model.py", "sampler.py", "weights/digits.safetensors"]
        state = safetensors.torch.load(archive.read("weights/digits.safetensors"))
    assert state["scale"].dtype == torch.bfloat16


def test_a_zip_that_was_there_stays_where_no_good_one_can_be_made(project, tmp_path, capsys, quickly, monkeypatch):
    target = tmp_path / "a.zip"
    target.write_bytes(b"the good one")
    torch.save({"x": torch.zeros(3)}, tmp_path / "checkpoint.pt")
    assert submit(project, target, f"--weights=digits={tmp_path / 'checkpoint.pt'}") == 2
    assert "checkpoint.pt: not safetensors, and nothing else is taken" in capsys.readouterr().err
    monkeypatch.setattr("grader.submit.read", lambda *places, configs: Taken(problem="it is cursed"))
    assert submit(project, target, name="again") == 1
    assert "nothing was written: the course would not read it as meant: it is cursed" in capsys.readouterr().err
    assert target.read_bytes() == b"the good one"
    assert not list(tmp_path.glob(".a.*"))


def test_too_large_weights_are_halved_and_else_left_out(project, tmp_path, capsys, quickly, monkeypatch):
    grading = load_grading()
    for name in ("submit", "submission.handed_in"):
        tiny = replace(grading, weights=replace(grading.weights, mib=1e-6))
        monkeypatch.setattr(f"grader.{name}.load_grading", lambda tiny=tiny: tiny)
    assert submit(project, tmp_path / "a.zip") == 0
    said = capsys.readouterr().out
    assert "packed in bfloat16, as 0 MiB are more than" in said and "LEFT OUT: more than 1e-06 MiB" in said
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["model.py", "sampler.py"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "nowhere: expected a folder with model.py and sampler.py"),
        (["assignment"], "missing or untouched; nothing to hand in"),
        (["assignment", "--output", "x.tar"], "expected a name that ends in .zip"),
        (["assignment", "--weights", "digit=README.md"], "digit is not graded here; expected digits=README.md"),
        (["assignment", "output_dri=x"], "did you mean output_dir"),
    ],
)
def test_a_wrong_call_is_answered_in_one_line(words, says, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["submit", *words]) == 2
    err = capsys.readouterr().err
    assert says in err and err.startswith("error: ") and err.count("\n") == 1


def test_a_busy_machine_does_not_keep_anybody_from_handing_in(project, tmp_path, monkeypatch, capsys):
    def fails(*words: object, **about: object) -> None:
        raise GraderFault("the machine is too busy")

    monkeypatch.setattr("grader.grade.grade", fails)
    assert submit(project, tmp_path / "a.zip") == 0
    assert "not checked: the machine is too busy" in capsys.readouterr().out
    assert zipfile.is_zipfile(tmp_path / "a.zip")
