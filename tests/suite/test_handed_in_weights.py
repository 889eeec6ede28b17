"""Trained weights from `make submit` to a verdict: packed, taken, judged in the code as it is now, and told of."""

import csv
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import safetensors
import safetensors.torch
import torch

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm import exercise
from assignment.ddpm.config import load_config
from grader.__main__ import main
from grader.classroom.jobs import Grading, Outcome
from grader.classroom.weights import weights_of
from grader.errors import GraderFault
from grader.grade import grade
from grader.grading_config import load_grading
from grader.grading_options import GradingOptions
from grader.results import Check, Results
from grader.runs import settings_for
from grader.student import trained_network
from grader.submission.handed_in import Taken, take
from grader.suite.trainings import Trainings
from grader.train_submission import usable
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.proof.trained import DIGITS, network_class

CHECK = "level2.trained.weights"
SILENT = (BANK / "trained" / "silent.py").read_text()
OTHER_ANSWER = SILENT.replace("0.01 * t", "0.02 * t")  # the same parameters
OTHER_NETWORK = SILENT.replace("torch.zeros(())", "torch.zeros(3)")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A project's output folder with a training on the digits, which has learnt nothing, and assignment/ beside it."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "assignment").mkdir()
    (folder / "assignment" / "model.py").write_text(SILENT)
    shutil.copy(BANK / "right" / "samplers" / "eps_beta_tilde.py", folder / "assignment" / "sampler.py")
    network = network_class(folder / "assignment" / "model.py")
    run = folder / "outputs" / "digits-student"
    config = load_config(DIGITS)
    ckpt.save_weights(
        network(config.model), run / ckpt.WEIGHTS, epoch=7.0, step=70, val_loss=0.5, **exercise.code_of(network)
    )
    ckpt.save_log([{"epoch": 7.0, "step": 70, "train_loss": 0.5, "val_loss": 0.5, "seconds": 1.0}], run / ckpt.LOG)
    (run / ckpt.CONFIG).write_text("data:\n  name: digits\n  root: /nowhere\n")
    return folder


@pytest.fixture(scope="module")
def submission(run) -> Path:
    """What `make submit` packs."""
    target = run / "outputs" / "submission.zip"
    words = ["submit", str(run / "assignment"), "--output", str(target), "--config", str(DIGITS)]
    assert main([*words, f"output_dir={run / 'outputs'}"]) == 0
    return target


def judged(folder: Path, *options: str, overrides: tuple[str, ...] = ()) -> tuple[Check, Results]:
    """The verdict on the weights alone."""
    results = grade(
        folder, levels=[2], config=DIGITS, overrides=["runtime.device=cpu", *overrides], quiet=True,
        only=CHECK.__eq__, options=[*options, f"--figures={folder / 'figures'}"],
    )  # fmt: skip
    return results.checks[0], results


def unpacked(submission: Path, target: Path, source: str = SILENT) -> Path:
    taken = take([submission], target, ["digits"])
    assert taken.problem == taken.remark == ""
    (target / "model.py").write_text(source)
    return target


# ---- packing


def test_what_is_packed_is_what_the_course_takes(submission, run, tmp_path):
    with zipfile.ZipFile(submission) as archive:
        weights = [f"weights/digits{kind}" for kind in (".safetensors", ".log.csv", ".config.yaml")]
        assert archive.namelist() == ["model.py", "sampler.py", *weights]
    folder = unpacked(submission, tmp_path / "taken")
    assert (folder / "weights" / "digits.safetensors").read_bytes() == (
        run / "outputs" / "digits-student" / ckpt.WEIGHTS
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


def submit(run: Path, target: Path, *words: str, source: str = SILENT, name: str = "assignment") -> int:
    place = target.parent / name
    shutil.copytree(run / "assignment", place)
    (place / "model.py").write_text(source)
    about = ["--output", str(target), "--config", str(DIGITS)]
    return main(["submit", str(place), *about, *(words or [f"output_dir={run / 'outputs'}"])])


def test_it_says_what_goes_in_and_what_is_missing(run, tmp_path, capsys, quickly):
    assert submit(run, tmp_path / "a.zip", source=OTHER_ANSWER) == 0
    said = capsys.readouterr().out
    assert "model.py: " in said and "the contract is kept" in said
    assert "weights/digits.safetensors: 0.0 MiB in float32, epoch 7, validation loss 0.5" in said
    assert "levels 1 to 3 where the course grades on digits" in said
    assert "they fit, but the code has changed since: model.py, DiffusionModel.forward, line 16: `return (self." in said
    assert "hand in this file as it is" in said and "train" not in said.lower().replace("trained", "")
    assert submit(run, tmp_path / "b.zip", f"output_dir={tmp_path}", name="b") == 0
    assert "no weights of digits: 20 points of levels 1 to 3" in capsys.readouterr().out


def test_weights_of_another_folder_and_in_half_the_size(run, tmp_path, capsys, quickly):
    weights = tmp_path / "elsewhere.safetensors"
    shutil.copy(run / "outputs" / "digits-student" / ckpt.WEIGHTS, weights)
    assert submit(run, tmp_path / "a.zip", f"--weights=digits={weights}", "--bfloat16") == 0
    assert "packed in bfloat16, as asked; bfloat16 changes its loss by +0.000%" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["model.py", "sampler.py", "weights/digits.safetensors"]
        state = safetensors.torch.load(archive.read("weights/digits.safetensors"))
    assert state["scale"].dtype == torch.bfloat16


def test_a_zip_that_was_there_stays_where_no_good_one_can_be_made(run, tmp_path, capsys, quickly, monkeypatch):
    target = tmp_path / "a.zip"
    target.write_bytes(b"the good one")
    torch.save({"x": torch.zeros(3)}, tmp_path / "checkpoint.pt")
    assert submit(run, target, f"--weights=digits={tmp_path / 'checkpoint.pt'}") == 2
    assert "checkpoint.pt: not safetensors, and nothing else is taken" in capsys.readouterr().err
    monkeypatch.setattr("grader.submit.read", lambda *places, configs: Taken(problem="it is cursed"))
    assert submit(run, target, name="again") == 1
    assert "nothing was written: the course would not read it as meant: it is cursed" in capsys.readouterr().err
    assert target.read_bytes() == b"the good one"
    assert not list(tmp_path.glob(".a.*"))


def test_too_large_weights_are_halved_and_else_left_out(run, tmp_path, capsys, quickly, monkeypatch):
    grading = load_grading()
    for name in ("submit", "submission.handed_in"):
        tiny = replace(grading, weights=replace(grading.weights, mib=1e-6))
        monkeypatch.setattr(f"grader.{name}.load_grading", lambda tiny=tiny: tiny)
    assert submit(run, tmp_path / "a.zip") == 0
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


def test_a_busy_machine_does_not_keep_anybody_from_handing_in(run, tmp_path, monkeypatch, capsys):
    def fails(*words: object, **about: object) -> None:
        raise GraderFault("the machine is too busy")

    monkeypatch.setattr("grader.grade.grade", fails)
    assert submit(run, tmp_path / "a.zip") == 0
    assert "not checked: the machine is too busy" in capsys.readouterr().out
    assert zipfile.is_zipfile(tmp_path / "a.zip")


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


def test_the_code_that_weights_were_trained_with_is_written_out(run, tmp_path, capsys):
    weights, target = run / "outputs" / "digits-student" / ckpt.WEIGHTS, tmp_path / "model.py"
    assert main(["code", str(weights), str(target)]) == 0 and target.read_text() == SILENT
    assert main(["code", str(weights), str(target)]) == 2 and "is there already" in capsys.readouterr().err
    assert main(["code", str(target), str(tmp_path / "b.py")]) == 2
    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "old.safetensors", metadata={"code": "1"})
    assert main(["code", str(tmp_path / "old.safetensors"), str(tmp_path / "b.py")]) == 2
    assert "only a hash of it" in capsys.readouterr().err


def test_weights_that_are_only_found_are_nobodys_but_those_of_the_same_code(run, tmp_path):
    for name, source in (("mine", SILENT), ("theirs", OTHER_ANSWER)):
        shutil.copytree(run / "assignment", tmp_path / name)
        (tmp_path / name / "model.py").write_text(source)
    where = (f"output_dir={run / 'outputs'}",)
    check, results = judged(tmp_path / "mine", overrides=where)
    assert check.verdict == "passed" and results.weights["digits"]["from"] == "found"
    check, results = judged(tmp_path / "theirs", overrides=where)
    assert check.verdict == "not_judged" and "no weights of digits were handed in" in check.message
    assert "what lies in digits-student is of another model.py" in check.message
    assert "0.01" not in check.message and results.weights["digits"]["from"] == "none"


def test_what_is_given_comes_before_what_was_handed_in(submission, run, tmp_path):
    folder = unpacked(submission, tmp_path / "taken")
    given = tmp_path / "given.safetensors"
    shutil.copy(run / "outputs" / "digits-student" / ckpt.WEIGHTS, given)
    _, results = judged(folder, f"--weights=digits={given}")
    assert results.weights["digits"]["from"] == "given by --weights" and str(given) in results.information[
        "weights of level 2"
    ]  # fmt: skip


def test_weights_that_were_not_taken_fail_with_the_reason(run, tmp_path):
    (tmp_path / "in").mkdir()
    for k in range(2):
        shutil.copytree(run / "assignment", tmp_path / "in" / str(k))
        safetensors.torch.save_file({"a": torch.full((1,), k)}, tmp_path / "in" / str(k) / "digits.safetensors")
    take([tmp_path / "in"], tmp_path / "taken", ["digits"])
    check, results = judged(tmp_path / "taken")
    assert check.verdict == "failed"
    assert "there are 2 for digits: 0/digits.safetensors and 1/digits.safetensors, which differ" in check.message
    assert results.weights["digits"]["from"] == "handed in" and "which differ" in results.weights["digits"]["problem"]


def test_a_folder_that_is_graded_as_it_is_is_still_a_strangers(run, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(run / "assignment", folder)
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
    shutil.copy(run / "outputs" / "digits-student" / ckpt.WEIGHTS, tmp_path / "digits.safetensors")
    (folder / "weights").symlink_to(tmp_path)
    check, _ = judged(folder)
    assert check.verdict == "failed" and "a symbolic link" in check.message


# ---- the data of a run


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
    submission, run, tmp_path, capsys, monkeypatch
):
    def in_this_process(jobs: object, folders: list[Path]) -> Iterator[Outcome]:
        for folder in folders:
            judged(folder / "submission")[1].save(folder / "results.json")
            yield Outcome(folder)

    monkeypatch.setattr("grader.classroom.sitting.Jobs.run", in_this_process)
    handed_in, output = tmp_path / "in", tmp_path / "out"
    (handed_in / "bob").mkdir(parents=True)
    shutil.copy(submission, handed_in / "ann.zip")
    shutil.copy(run / "assignment" / "model.py", handed_in / "bob")
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


def test_what_the_course_has_trained_comes_before_what_does_not_load(submission, run, tmp_path):
    folder = unpacked(submission, tmp_path / "taken")
    _, results = judged(folder, f"--trained=digits={run / 'outputs' / 'digits-student' / ckpt.WEIGHTS}")
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
