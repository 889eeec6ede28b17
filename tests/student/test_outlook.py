"""How to go on: a network's size, epochs and trend beside the reference's, from a log that anybody may have written."""

from types import SimpleNamespace

import pytest

from assignment.ddpm.errors import UserError
from grader.checks.finding import CheckFailed
from grader.student.outlook import longer, outlook
from grader.student.training_log import Epoch

FALLING = [Epoch(float(i), 0.5, 0.4 / i**0.5) for i in range(1, 13)]
FLAT = [Epoch(float(i), 0.1, 0.1) for i in range(1, 101)]
RECORD = SimpleNamespace(figures={"parameters": 1000}, chosen={"epochs": 60.0})


class Trained(SimpleNamespace):
    """What `outlook` asks of a TrainedNetwork."""

    reference_curve = ((50.0, 0.0829), (60.0, 0.0815))
    record = RECORD
    settings = SimpleNamespace(training=SimpleNamespace(epochs=20))

    @property
    def log(self):
        if self.refused:
            raise UserError("log.csv: not readable")
        return self.rows

    def network(self):
        if not self.parameters:
            raise CheckFailed("does not build", "")
        return SimpleNamespace(built=SimpleNamespace(values={"parameters": [["w", self.parameters, True]]}))

    @property
    def weights(self):
        return SimpleNamespace(about=self.about)


def said(parameters=900, rows=FLAT, epoch="100.0", refused=False) -> str:
    return outlook(Trained(parameters=parameters, rows=rows, about={"epoch": epoch} if epoch else {}, refused=refused))


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"rows": FALLING, "epoch": "12.0"}, "train longer first: training.epochs=24 training.resume=true."),
        ({"rows": FALLING, "epoch": ""}, "train longer first: more epochs."),
        ({"rows": FALLING[:5], "epoch": "5.0"}, "train longer first: training.epochs=20 training.resume=true."),
        ({"rows": [], "epoch": "1.0"}, "seen the images less often: training.epochs=60 training.resume=true."),
        ({"parameters": 100}, "try a larger network, and t in every block; docs/students.md shows"),
        ({}, "Its size is not what is missing"),
    ],
)
def test_what_to_change_first(about, says):
    assert says in said(**about)


def test_both_sides_are_told():
    assert said(rows=FALLING, epoch="12.0").startswith(
        "Your network: 900 parameters, 12 epochs, its loss fell by 13.4% in the last quarter of them. "
        "The reference: 1,000 parameters, 60 epochs, its loss fell by 1.7% from epoch 50 to 60. "
    )
    assert "900 parameters, 1 epoch. The reference" in said(rows=[], epoch="1.0")


@pytest.mark.parametrize("epoch", ["", "x" * 5000, "nan", "-3", "1e400", "9" * 400])
def test_what_weights_say_of_themselves_is_not_trusted(epoch):
    words = said(epoch=epoch, rows=FALLING)
    assert "Your network: 900 parameters, its loss" in words and len(words) < 400


def test_where_nothing_is_known_nothing_is_said():
    assert said(parameters=0) == ""
    assert said(refused=True).startswith("Your network: 900 parameters, 100 epochs. The reference")


def test_only_who_would_gain_by_it_is_told_to_train_longer():
    def settings(rows, epoch):
        return longer(Trained(parameters=900, rows=rows, about={"epoch": epoch}, refused=False))

    assert settings(FALLING, "12.0") == "training.epochs=24 training.resume=true"
    assert settings(FLAT, "100.0") == settings([], "100.0") == settings(FALLING, "") == ""
