"""What the checks of a trained_network training start from. A pytest plugin, registered by conftest.py."""

from collections.abc import Callable
from pathlib import Path

import pytest

from assignment.ddpm.errors import UserError
from grader.checks import conditioning
from grader.checks.finding import CheckFailed, NotJudged
from grader.errors import NotImplementedYet, SubmissionFailed
from grader.results import level_of
from grader.student.trained_network import TrainedNetwork
from grader.suite.fixtures import Trainings
from grader.suite.judge import Judge
from grader.suite.pictures import curve_in_words, save_bands, save_loss_curve


@pytest.fixture
def trained_network(request: pytest.FixtureRequest, trainings: Trainings, model_file: bytes) -> TrainedNetwork:
    """The training that this check's level is about."""
    check_id = request.node.get_closest_marker("check").args[0]
    return trainings.of(level_of(check_id))


@pytest.fixture
def loaded(trained_network: TrainedNetwork) -> TrainedNetwork:
    """The same, where its weights load."""
    try:
        trained_network.network()
    except NotImplementedYet:
        raise
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"waits for trained.weights: {error.message}") from error
    return trained_network


@pytest.fixture
def conditioned(loaded: TrainedNetwork) -> TrainedNetwork:
    """The same, where the network looks at t: one that does not can have a low loss, and is no diffusion model."""
    try:
        conditioning.check_depends_on_t(*loaded.at_both_ends(), loaded.diffusion.num_timesteps)
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"waits for trained.uses_t: {error.message}") from error
    return loaded


@pytest.fixture
def sampled(loaded: TrainedNetwork, with_progress: Callable) -> TrainedNetwork:
    """The same, where samples can be drawn."""
    try:
        with with_progress():
            loaded.samples  # noqa: B018
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"waits for samples.sound: {error.message}") from error
    return loaded


@pytest.fixture(scope="session")
def show_training(judge: Judge, draw: Callable) -> Callable:
    """Show a training's losses by epoch, at the first level that meets it."""
    shown = set()

    def show(trained_network: TrainedNetwork) -> None:
        title = f"Training on {trained_network.name}: loss by epoch"
        if title in shown:
            return
        shown.add(title)
        try:
            log = trained_network.log
        except UserError as error:
            judge.inform(title, f"left out: {error}")
            return
        if log:
            reference = [(epoch, loss) for epoch, loss in trained_network.reference_curve if epoch <= log[-1].epoch]
            caveat = f"; the reference's is of other noise{trained_network.record.caveat}" if reference else ""
            draw(
                f"training-{trained_network.name}.png", title + caveat, curve_in_words(log, reference),
                lambda path: save_loss_curve(log, reference, path),
            )  # fmt: skip

    return show


@pytest.fixture
def say_fid(judge: Judge, figures: Path, with_progress: Callable, request: pytest.FixtureRequest) -> Callable:
    """Tell the FID, with a picture of the bands that it lies among; and Inception's, where that is asked for."""

    def say(trained_network: TrainedNetwork, level: int) -> None:
        quality, drawing, reference = trained_network.quality, trained_network.drawing, trained_network.reference_fids
        real, limit = trained_network.of_real_images["fid"], trained_network.fid_limit(trained_network.of_real_images)
        picture = save_bands(quality.fid, real, reference, limit, drawing, figures / f"level{level}-fid.png")
        beside = "real images, of the reference" if reference else "real images"
        judge.show(
            picture, f"FID of level {level}",
            f"A line with the FID of the samples, {quality.fid:.1f}, that of {beside}, and the limit, {limit:.1f}",
        )  # fmt: skip
        told = f"{quality.fid:.2f}, of as many real images {real['mean']:.2f}{trained_network.reference_in_words}"
        judge.inform(f"FID of level {level}", f"{told}; KID {quality.kid:.3f}, see {picture}")
        if weights := request.config.option.inception:
            with with_progress():
                judge.inform(
                    f"Inception FID of level {level}", f"{trained_network.inception_fid(weights):.2f}, no points"
                )

    return say
