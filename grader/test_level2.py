"""Level 2, the loss: lower than the reference's, on frozen (image, t, noise) triples. Points: configs/grading.yaml."""

from pathlib import Path
from typing import Any

import pytest

from grader.check_ids import check
from grader.checks import beats_reference
from grader.checks.finding import CheckFailed, NotJudged
from grader.results import TRAIN_WITH
from grader.student.trained_losses import TrainedLosses
from grader.suite import captions
from grader.suite.fixtures import WithProgress
from grader.suite.fixtures_trained import CheckWeights, check_uses_t
from grader.suite.judge import Judge
from grader.suite.pictures import save_loss_by_t
from grader.suite.trainings import Training

Measured = dict[str, Any]
BELT = 14_400  # seconds: thousands of forward passes of two networks, and perhaps the wait for another grader's


@check("level2.trained.weights")
def test_weights(training: Training, check_weights: CheckWeights) -> None:
    """The trained weights are there, and load into this model.py."""
    check_weights(training.network)


@check("level2.trained.uses_t")
def test_trained_network_uses_t(loaded: Training, measured: Measured) -> None:
    """The trained network uses t: its output differs from one t to another, and a wrong t raises the loss."""
    measured.update(check_uses_t(loaded.network))


@pytest.mark.timeout(BELT)
@check("level2.loss.beats_reference")
def test_beats_the_reference(
    losses: TrainedLosses, with_progress: WithProgress, figures: Path, judge: Judge, measured: Measured
) -> None:
    """The loss on the validation images is lower than the reference's, by more than chance could explain."""
    with with_progress():
        found = losses.on_validation
    picture = save_loss_by_t(found, losses.edges, figures / "level2-loss-by-t.png")
    judge.show(
        picture, "Your loss by t, against the reference's",
        f"Bars, one for each range of t: the loss differs from the reference's by {found.relative:+.1%} in all, "
        f"from {min(found.bins)[0]:+.1%} to {max(found.bins)[0]:+.1%} by t",
        captions.LOSS_BY_T,
    )  # fmt: skip
    record, opponent = losses.trained.record, losses.opponent
    measured["triples_follow_from"], measured[TRAIN_WITH] = opponent.follow_from, losses.longer
    against = f"reference {found.reference:.5f}{record.caveat}"
    judge.inform("loss", f"{found.student:.5f}, {against}, {opponent.in_words}; see {picture}")
    with with_progress():
        measured.update(losses.check_they_count())
    measured.update(
        beats_reference.check_beats(
            found, opponent.looks, losses.edges, losses.along, record.provisional, losses.go_on
        )
    )  # fmt: skip


@pytest.mark.timeout(BELT)
@check("level2.loss.generalises")
def test_generalises(losses: TrainedLosses, with_progress: WithProgress, measured: Measured) -> None:
    """The lead holds on the test images too, which no training may see."""
    with with_progress():
        found = losses.on_validation
    if beats_reference.decide(found, losses.opponent.looks) != "wins":
        raise NotJudged("waits for loss.beats_reference: there is no lead to confirm")
    try:
        with with_progress():
            losses.check_they_count()
    except CheckFailed as failed:
        raise NotJudged("waits for loss.beats_reference, for which its losses don't count") from failed
    measured["triples_follow_from"] = losses.opponent.follow_from
    with with_progress():
        measured.update(beats_reference.check_generalises(losses.on_validation, losses.on_test))
