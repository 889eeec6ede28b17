"""What the checks of a finished training start from. A pytest plugin, registered by conftest.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assignment.ddpm.errors import UserError
from assignment.ddpm.figures import save_loss_curve
from grader.check_ids import id_of
from grader.checks import conditioning, learning
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.samples import check_sound as check_sound_samples
from grader.errors import NotImplementedYet, SubmissionFailed
from grader.results import level_of
from grader.student.trained_losses import TrainedLosses
from grader.student.trained_network import TrainedNetwork
from grader.student.trained_samples import TrainedSamples
from grader.suite import captions
from grader.suite.fixtures import ShowPicture, WithProgress
from grader.suite.judge import Judge
from grader.suite.pictures import SAMPLES_ALT, curve_in_words, save_samples
from grader.suite.trainings import Training, Trainings


@pytest.fixture
def level(request: pytest.FixtureRequest) -> int:
    """Of the check that asks."""
    return level_of(id_of(request.node))


@pytest.fixture
def training(level: int, trainings: Trainings, model_file: bytes) -> Training:
    """The training that this check's level is about."""
    return trainings.of(level)


@pytest.fixture
def loaded(training: Training) -> Training:
    """The same, where its weights load."""
    try:
        training.network.network()
    except NotImplementedYet:
        raise
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"waits for trained.weights: {error.message}") from error
    return training


@pytest.fixture
def losses(loaded: Training) -> TrainedLosses:
    """Of a network that looks at t: one that does not can have a low loss, and is no diffusion model."""
    try:
        check_uses_t(loaded.network)
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"waits for trained.uses_t: {error.message}") from error
    return loaded.losses


@pytest.fixture
def sampled(loaded: Training, with_progress: WithProgress) -> TrainedSamples:
    """Of a network that samples can be drawn from."""
    try:
        with with_progress():
            loaded.samples.images  # noqa: B018  they are drawn when first looked at
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"waits for samples.sound: {error.message}") from error
    return loaded.samples


def check_uses_t(trained: TrainedNetwork) -> dict[str, float]:
    """Judge whether half-noised images get other answers at the other end of the schedule, and a wrong t costs."""
    found = conditioning.check_depends_on_t(*trained.at_both_ends(), trained.diffusion.num_timesteps)
    return found | learning.check_wrong_t_costs(*trained.at_right_and_wrong_t)


CheckWeights = Callable[[TrainedNetwork], None]
ShowTraining = Callable[[TrainedNetwork], None]
CheckSound = Callable[[TrainedSamples], dict[str, Any]]
SayFid = Callable[[TrainedSamples], None]


@pytest.fixture
def check_weights(judge: Judge, show_training: ShowTraining, level: int) -> CheckWeights:
    """Judge whether the weights of a training load and answer; reports which weights, and the training's losses."""

    def check(trained: TrainedNetwork) -> None:
        try:
            network = trained.network()
            network(*network.noise(2, "trained"))
        except (CheckFailed, SubmissionFailed) as error:
            judge.results.weights[trained.name]["problem"] = error.message
            raise
        judge.results.weights[trained.name] = trained.weights_facts()
        changed = f"; {trained.change}, but these weights fit it" if trained.change else ""
        judge.inform(f"weights of level {level}", trained.weights.describe(trained.weights_at) + changed)
        show_training(trained)

    return check


@pytest.fixture
def check_sound(judge: Judge, figures: Path, with_progress: WithProgress, level: int) -> CheckSound:
    """Judge whether samples can be drawn at all; reports them as a picture."""

    def check(samples: TrainedSamples) -> dict[str, Any]:
        with with_progress():
            measured = check_sound_samples(samples.images)
        picture = save_samples(samples.images, samples.trained.images.train, figures / f"level{level}-samples.png")
        title = f"Level {level}: your samples of {samples.trained.name} beside real images"
        judge.show(picture, title, SAMPLES_ALT, captions.drawn(samples.drawing))
        count, steps = len(samples.images), samples.drawing.steps
        judge.inform(f"samples of level {level}", f"{count} in {steps} steps, see {picture}")
        return measured

    return check


@pytest.fixture(scope="session")
def show_training(judge: Judge, show_picture: ShowPicture) -> ShowTraining:
    """Show a training's losses by epoch, at the first level that meets it."""
    shown: set[str] = set()

    def show(trained: TrainedNetwork) -> None:
        title = f"Training on {trained.name}: loss by epoch"
        if title in shown:
            return
        shown.add(title)
        try:
            log = trained.log
        except UserError as error:
            judge.inform(title, f"left out: {error}")
            return
        if log:
            reference = [(epoch, loss) for epoch, loss in trained.reference_curve if epoch <= log[-1].epoch]
            beside = captions.REFERENCE_CURVE.format(caveat=trained.record.caveat) if reference else ""
            show_picture(
                f"training-{trained.name}.png", title, curve_in_words(log, reference), captions.CURVE + beside,
                lambda path: save_loss_curve(log, path, reference=reference),
            )  # fmt: skip

    return show


@pytest.fixture
def say_fid(judge: Judge, with_progress: WithProgress, request: pytest.FixtureRequest, level: int) -> SayFid:
    """Report the FID beside those of real images and of the reference; and Inception's, where that is asked for."""

    def say(samples: TrainedSamples) -> None:
        quality, real = samples.quality, samples.of_real_images["fid"]
        of_reference = f", the reference's {samples.reference_in_words}" if samples.reference_fids else ""
        told = f"{quality.fid:.2f}, of as many real images {real['mean']:.2f}{of_reference}"
        judge.inform(f"FID of level {level}", f"{told}; KID {quality.kid:.3f}")
        if weights := request.config.option.inception:
            with with_progress():
                fid = samples.inception_fid(weights)
            judge.inform(f"Inception FID of level {level}", f"{fid:.2f}, no points")

    return say
