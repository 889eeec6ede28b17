"""Training again from code: who is chosen, with which settings, and what is said of the losses."""

import json

import pytest

from grader.classroom.command import main
from grader.classroom.retrain import FOLDER, LOSS, Retraining, chosen, finding, handed_in_on, settings_of
from tests.conftest import ROOT

DIGITS = ROOT / "configs" / "digits.yaml"
STUDENTS = [f"student {k}" for k in range(40)]


def test_the_choice_is_the_secrets_and_the_same_again():
    first = chosen(STUDENTS, 0.05, b"a secret of ours")
    assert len(first) == 2 and chosen(STUDENTS[::-1], 0.05, b"a secret of ours") == first
    assert len({tuple(chosen(STUDENTS, 0.05, bytes([k]) * 16)) for k in range(20)}) > 10
    assert chosen([], 0.5, b"x") == [] and len(chosen(STUDENTS[:1], 0.01, b"x")) == 1


@pytest.fixture
def graded(tmp_path):
    """A student's folder with both results."""

    def folder(theirs: float | None, ours: float | None, *trainings: dict):
        for place, loss, made in ((tmp_path, theirs, []), (tmp_path / FOLDER, ours, list(trainings))):
            place.mkdir(exist_ok=True)
            check = {"id": LOSS, "measurements": {} if loss is None else {"loss": loss}}
            (place / "results.json").write_text(json.dumps({"checks": [check], "trainings": made}))
        return tmp_path

    return folder


CUT = {"state": "cut off", "says": "the training was cut off after 3 of 9 epochs, 2.0 minutes"}
FAILED = {"state": "failed", "says": "the training failed (exit code 1)"}


@pytest.mark.parametrize(
    ("theirs", "ours", "training", "verdict", "says"),
    [
        (0.10, 0.10, {}, "plausible", "loss 0.1000 handed in, 0.1000 trained again (+0.0%)"),
        (0.20, 0.10, {}, "plausible", "(+100.0%)"),  # whoever hands in less gains nothing
        (0.098, 0.10, {}, "plausible", "(-2.0%)"),
        (0.08, 0.10, {}, "implausible", "lower by more than 8%"),
        (0.08, 0.10, CUT, "unclear", "cut off after 3 of 9 epochs"),
        (0.08, None, FAILED, "unclear", "none trained again: the training failed"),
        (None, 0.10, {}, "unclear", "the weights handed in have no loss"),
    ],
)
def test_losses_are_compared(theirs, ours, training, verdict, says, graded):
    found = finding(graded(theirs, ours, *([training] if training else [])))
    assert found.verdict == verdict and says in found.says


def test_their_own_settings_are_used_where_they_are_numbers(tmp_path):
    (tmp_path / "weights").mkdir()
    file = tmp_path / "weights" / "digits.config.yaml"
    assert settings_of(tmp_path, DIGITS) == []
    file.write_text(
        "training: {epochs: 7, learning_rate: 0.002, ema_decay: 0.99, seed: 3, max_minutes: 900}\n"
        "data: {batch_size: 32, root: /etc}\noutput_dir: /tmp\n"
    )
    assert settings_of(tmp_path, DIGITS) == [
        "training.epochs=7", "training.learning_rate=0.002", "training.ema_decay=0.99", "training.seed=3",
        "data.batch_size=32",
    ]  # fmt: skip
    for text in ("training: {epochs: -1}", "[1, 2", "training: {epochs: '${oc.env:HOME}'}", "x" * 100_000):
        file.write_text(text)
        assert settings_of(tmp_path, DIGITS) == []


def test_the_code_is_trained_without_the_weights(tmp_path):
    (tmp_path / "submission" / "weights").mkdir(parents=True)
    (tmp_path / "submission" / "model.py").write_text("x = 1\n")
    (tmp_path / "submission" / "weights" / "digits.safetensors").write_bytes(b"w")
    task = Retraining(("--train",), DIGITS, frozenset({LOSS}))
    words = task.words(tmp_path)
    assert words[0] == "grade" and words[1] == str(tmp_path / FOLDER / "submission") and "--train" in words
    assert [file.name for file in (tmp_path / FOLDER / "submission").iterdir()] == ["model.py"]
    assert not task.done(tmp_path)


def test_only_weights_that_were_handed_in_and_judged_can_be_chosen():
    assert handed_in_on({"weights": {"digits": {"from": "handed in"}}}, "digits")
    assert not handed_in_on({"weights": {"digits": {"from": "handed in", "problem": "too large"}}}, "digits")
    assert not handed_in_on({"weights": {"digits": {"from": "trained by the course"}}}, "digits")
    assert not handed_in_on({}, "digits")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--retrain", "5"], "--retrain 5: expected a share such as 10%"),
        (["--retrain", "5%"], "--retrain: expected --secret-seed FILE as well"),
        (
            ["--retrain", "5%", "--secret-seed", "SECRET", "--level", "1"],
            "--retrain: expected level 2 among the levels",
        ),
    ],
)
def test_a_wrong_call_is_told_in_one_line(words, says, tmp_path, capsys):
    (tmp_path / "secret").write_bytes(bytes(32))
    words = [word.replace("SECRET", str(tmp_path / "secret")) for word in words]
    assert main([str(tmp_path), "--output", str(tmp_path / "out"), *words]) == 2
    assert says in capsys.readouterr().err
