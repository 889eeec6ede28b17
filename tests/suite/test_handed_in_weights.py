"""Trained weights that are handed in: taken, judged in the code as it is now, and told of."""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import safetensors
import safetensors.torch
import torch

from assignment.ddpm import checkpoint as ckpt
from grader.__main__ import main
from grader.classroom.jobs import Grading, Outcome
from grader.classroom.weights import weights_of
from grader.grading_config import load_grading
from grader.grading_options import GradingOptions
from grader.runs import settings_for
from grader.student import trained_network
from grader.submission.handed_in import take
from grader.suite.trainings import Trainings
from grader.train_submission import usable
from tests.conftest import ROOT
from tests.proof.trained import DIGITS
from tests.support.silent import CHECK, OTHER_ANSWER, OTHER_NETWORK, SILENT, judged, unpacked

# ---- weights and code


def test_comments_and_line_ends_change_nothing(submission, tmp_path):
    source = f"# one more thought\n{SILENT}".replace("\n", "\r\n")
    folder = unpacked(submission, tmp_path / "taken")
    (folder / "model.py").write_bytes(source.encode())
    check, results = judged(folder)
    assert check.verdict == "passed" and "changed" not in str(results.weights)


def test_changed_code_is_judged_and_noted_or_refused(submission, tmp_path, monkeypatch):
    folder = unpacked(submission, tmp_path / "taken", OTHER_ANSWER)
    check, results = judged(folder)
    assert check.verdict == "passed"
    assert results.weights["digits"]["changed_code"].startswith("model.py, DiffusionModel.forward, line 16: `return")
    assert "but these weights fit it" in results.information["weights of level 2"]
    strict = replace(load_grading(), weights=replace(load_grading().weights, changed_code="refuse"))
    monkeypatch.setattr(trained_network, "load_grading", lambda: strict)
    check, _ = judged(folder)
    assert check.verdict == "failed" and "of another: model.py, DiffusionModel.forward, line 16" in check.message
    assert " -m grader code weights/digits.safetensors FILE` writes out the model.py" in check.hint


def test_changed_code_that_does_not_fit_says_what_differs_and_the_way_back(submission, tmp_path):
    check, results = judged(unpacked(submission, tmp_path / "taken", OTHER_NETWORK))
    assert results.weights["digits"]["problem"] == check.message and weights_of(results.to_json()) == [
        f"digits: handed in, epoch 7, {check.message}"
    ]
    assert check.verdict == "failed" and "don't fit this model.py, which has changed: model.py, Diffu" in check.message
    assert "torch.zeros(3)" in check.message and " -m grader code" in check.hint
    assert "train" not in (check.message + check.hint).replace("trained", "")


def test_the_code_that_weights_were_trained_with_is_written_out(project, tmp_path, capsys):
    weights, target = project / "outputs" / "digits-student" / ckpt.WEIGHTS, tmp_path / "model.py"
    assert main(["code", str(weights), str(target)]) == 0 and target.read_text() == SILENT
    assert main(["code", str(weights), str(target)]) == 2 and "is there already" in capsys.readouterr().err
    assert main(["code", str(target), str(tmp_path / "b.py")]) == 2
    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "old.safetensors", metadata={"code": "1"})
    assert main(["code", str(tmp_path / "old.safetensors"), str(tmp_path / "b.py")]) == 2
    assert "only a hash of it" in capsys.readouterr().err


def test_weights_that_are_only_found_are_nobodys_but_those_of_the_same_code(project, tmp_path):
    for name, source in (("mine", SILENT), ("theirs", OTHER_ANSWER)):
        shutil.copytree(project / "assignment", tmp_path / name)
        (tmp_path / name / "model.py").write_text(source)
    where = (f"output_dir={project / 'outputs'}",)
    check, results = judged(tmp_path / "mine", overrides=where)
    assert check.verdict == "passed" and results.weights["digits"]["from"] == "found"
    check, results = judged(tmp_path / "theirs", overrides=where)
    assert check.verdict == "not_judged" and "no weights of digits were handed in" in check.message
    assert "what lies in digits-student is of another model.py" in check.message
    assert "0.01" not in check.message and results.weights["digits"]["from"] == "none"


def test_what_is_given_comes_before_what_was_handed_in(submission, project, tmp_path):
    folder = unpacked(submission, tmp_path / "taken")
    given = tmp_path / "given.safetensors"
    shutil.copy(project / "outputs" / "digits-student" / ckpt.WEIGHTS, given)
    _, results = judged(folder, f"--weights=digits={given}")
    assert results.weights["digits"]["from"] == "given by --weights" and str(given) in results.information[
        "weights of level 2"
    ]  # fmt: skip


def test_weights_that_were_not_taken_fail_with_the_reason(project, tmp_path):
    (tmp_path / "in").mkdir()
    for k in range(2):
        shutil.copytree(project / "assignment", tmp_path / "in" / str(k))
        safetensors.torch.save_file({"a": torch.full((1,), k)}, tmp_path / "in" / str(k) / "digits.safetensors")
    take([tmp_path / "in"], tmp_path / "taken", ["digits"])
    check, results = judged(tmp_path / "taken")
    assert check.verdict == "failed"
    assert "there are 2 for digits: 0/digits.safetensors and 1/digits.safetensors, which differ" in check.message
    assert results.weights["digits"]["from"] == "handed in" and "which differ" in results.weights["digits"]["problem"]


def test_a_folder_that_is_graded_as_it_is_is_still_a_strangers(project, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(project / "assignment", folder)
    (folder / "weights").mkdir()
    (folder / "weights" / "digits.refused.txt").write_text("a\nb " * 10_000)
    check, _ = judged(folder)
    assert check.verdict == "failed" and "\n" not in check.message and len(check.message) <= 1000
    with (folder / "weights" / "digits.safetensors").open("wb") as file:
        file.truncate(1 << 40)  # a sparse file of a tebibyte
    check, results = judged(folder)
    assert check.verdict == "failed" and "expected at most 96 MiB of weights in digits.safetensors" in check.message
    assert set(results.sha256) == {"model.py", "sampler.py"}
    shutil.rmtree(folder / "weights")
    shutil.copy(project / "outputs" / "digits-student" / ckpt.WEIGHTS, tmp_path / "digits.safetensors")
    (folder / "weights").symlink_to(tmp_path)
    check, _ = judged(folder)
    assert check.verdict == "failed" and "a symbolic link" in check.message


# ---- the data of a project


def test_a_runs_own_data_are_found_unless_others_are_asked_for(tmp_path):
    run = tmp_path / "outputs" / "digits-student"
    run.mkdir(parents=True)
    model = "model: {image_channels: 1, image_size: 8}"
    (run / "config.yaml").write_text(f"data: {{name: digits, root: {tmp_path}}}\n{model}\n")
    where = [f"output_dir={tmp_path / 'outputs'}"]
    assert settings_for(DIGITS, where).data.root == str(tmp_path)
    assert settings_for(DIGITS, [*where, "data.root=elsewhere"]).data.root == "elsewhere"
    for text in ("data: {name: digits, root: /nowhere}", "data: {name: cifar10, root: /tmp}", "data: [", "x: 1"):
        (run / "config.yaml").write_text(f"{text}\n{model}\n")
        assert settings_for(DIGITS, where).data.root == "data"


# ---- a class


def test_a_class_takes_weights_says_where_from_and_grades_again_when_they_change(
    submission, project, tmp_path, capsys, monkeypatch
):
    def in_this_process(jobs: object, folders: list[Path]) -> Iterator[Outcome]:
        for folder in folders:
            judged(folder / "submission")[1].save(folder / "results.json")
            yield Outcome(folder)

    monkeypatch.setattr("grader.classroom.sitting.Jobs.run", in_this_process)
    handed_in, output = tmp_path / "in", tmp_path / "out"
    (handed_in / "bob").mkdir(parents=True)
    shutil.copy(submission, handed_in / "ann.zip")
    shutil.copy(project / "assignment" / "model.py", handed_in / "bob")
    about = ["class", str(handed_in), "--output", str(output), "--level", "2", "--config", str(DIGITS)]
    about += [f"output_dir={tmp_path / 'none'}"]
    assert main([*about, "--dry-run"]) == 0
    ann, bob, *_ = capsys.readouterr().out.splitlines()
    assert "weights of digits: handed in, weights/digits.safetensors, 0.0 MiB, epoch 7, validation loss 0.5" in ann
    assert "weights of digits: none" in bob
    assert main(about) == 0
    with (output / "class.csv").open(newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert rows["ann"]["weights"] == "digits: handed in, epoch 7" and rows["bob"]["weights"] == "digits: none"
    assert rows["ann"]["files"] == "model.py, sampler.py, weights/digits.safetensors"
    assert float(rows["ann"]["level2"]) > 0 and float(rows["bob"]["level2_judged"]) == 0
    assert "digits: handed in, epoch 7" in (output / "class.html").read_text()

    folder = output / "students" / "ann"
    task = Grading((), frozenset({CHECK}))
    assert task.done(folder)
    safetensors.torch.save_file({"scale": torch.ones(())}, folder / "submission" / "weights" / "digits.safetensors")
    assert not task.done(folder)


# ---- --train, and a second grading


def test_nobody_is_trained_who_has_handed_in_weights_that_load(submission, tmp_path, capsys):
    options = GradingOptions(levels=(2, 4), config=DIGITS, overrides=("runtime.device=cpu",))
    assert usable(unpacked(submission, tmp_path / "right"), DIGITS, options)
    assert capsys.readouterr().out == "digits: not trained, as weights were handed in\n"
    assert not usable(unpacked(submission, tmp_path / "wrong", OTHER_NETWORK), DIGITS, options)
    assert "digits: the weights in weights/digits.safetensors don't fit this model.py" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "wrong" / "weights")
    assert not usable(tmp_path / "wrong", DIGITS, options) and capsys.readouterr().out == ""


def test_what_the_course_has_trained_comes_before_what_does_not_load(submission, project, tmp_path):
    folder = unpacked(submission, tmp_path / "taken")
    _, results = judged(folder, f"--trained=digits={project / 'outputs' / 'digits-student' / ckpt.WEIGHTS}")
    assert results.weights["digits"]["from"] == "trained by the course"
    check, _ = judged(folder, f"--trained=digits={tmp_path / 'nothing.safetensors'}")
    assert check.verdict == "not_judged" and "the course's training on digits has left no weights" in check.message


def test_a_verdict_on_handed_in_weights_can_be_replayed(submission, tmp_path, capsys):
    folder = unpacked(submission, tmp_path / "taken")
    judged(folder)[1].save(tmp_path / "results.json")
    assert main(["replay", str(tmp_path / "results.json"), str(folder)]) == 0
    safetensors.torch.save_file({"scale": torch.ones(())}, folder / "weights" / "digits.safetensors")
    assert main(["replay", str(tmp_path / "results.json"), str(folder)]) == 2
    assert "weights/digits.safetensors is not the file that was graded" in capsys.readouterr().err


@pytest.mark.parametrize(("trusted", "origin"), [(True, "found"), (False, "handed in")])
def test_the_reference_hands_nothing_in(trusted, origin, tmp_path):
    """Its folder has weights/, too, but they are the record's: `make demo` judges what it has just trained."""
    assert (ROOT / "reference" / "weights" / "digits.safetensors").is_file()
    judge = SimpleNamespace(given_weights={}, trained_weights={})
    trainings = Trainings(judge, SimpleNamespace(path=ROOT / "reference"), SimpleNamespace(trusted=trusted))
    assert trainings._weights("digits", tmp_path).origin == origin
