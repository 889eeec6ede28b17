"""What the checks of a finished training start from. A pytest plugin, registered by conftest.py."""

from collections.abc import Callable
from pathlib import Path

import pytest

from assignment.ddpm.errors import UserError
from grader.checks import conditioning
from grader.checks.finding import CheckFailed, NotJudged
from grader.conftest import Judge, Trainings
from grader.errors import NotImplementedYet, SubmissionFailed
from grader.finished import Finished
from grader.pictures import curve_in_words, save_bands, save_loss_curve


@pytest.fixture
def finished(request: pytest.FixtureRequest, trainings: Trainings, model_file: bytes) -> Finished:
    """The training that this check's level is about."""
    check_id = request.node.get_closest_marker("check").args[0]
    return trainings.of(int(check_id.removeprefix("level").split(".")[0]))


@pytest.fixture
def loaded(finished: Finished) -> Finished:
    """The same, where its weights load."""
    try:
        finished.network()
    except NotImplementedYet:
        raise
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"waits for trained.weights: {error.message}") from error
    return finished


@pytest.fixture
def conditioned(loaded: Finished) -> Finished:
    """The same, where the network looks at t: one that does not can have a low loss, and is no diffusion model."""
    try:
        conditioning.check_depends_on_t(*loaded.at_both_ends(), loaded.diffusion.num_timesteps)
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"waits for trained.uses_t: {error.message}") from error
    return loaded


@pytest.fixture
def sampled(loaded: Finished, aloud: Callable) -> Finished:
    """The same, where samples can be drawn."""
    try:
        with aloud():
            loaded.samples  # noqa: B018
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"waits for samples.sound: {error.message}") from error
    return loaded


@pytest.fixture(scope="session")
def draw(judge: Judge, figures: Path) -> Callable:
    """Draw and show what no verdict depends on: where there is no room for it that is said, and nothing else."""

    def draw(name: str, title: str, alt: str, save: Callable[[Path], object]) -> None:
        try:
            save(figures / name)
        except OSError as error:
            judge.inform(title, f"left out: {error}")
        else:
            judge.show(figures / name, title, alt)

    return draw


@pytest.fixture(scope="session")
def show_training(judge: Judge, draw: Callable) -> Callable:
    """Show a training's losses by epoch, at the first level that meets it."""
    shown = set()

    def show(finished: Finished) -> None:
        title = f"Training on {finished.name}: loss by epoch"
        if title in shown:
            return
        shown.add(title)
        try:
            log = finished.log
        except UserError as error:
            judge.inform(title, f"left out: {error}")
            return
        if log:
            reference = [(epoch, loss) for epoch, loss in finished.reference_curve if epoch <= log[-1].epoch]
            caveat = f"; the reference's is of other noise{finished.record.caveat}" if reference else ""
            draw(
                f"training-{finished.name}.png", title + caveat, curve_in_words(log, reference),
                lambda path: save_loss_curve(log, reference, path),
            )  # fmt: skip

    return show


@pytest.fixture
def say_fid(judge: Judge, figures: Path, aloud: Callable, request: pytest.FixtureRequest) -> Callable:
    """Tell the FID, with a picture of the bands that it lies among; and Inception's, where that is asked for."""

    def say(finished: Finished, level: int) -> None:
        quality, drawing, reference = finished.quality, finished.drawing, finished.reference_fids
        real, limit = finished.of_real_images["fid"], finished.fid_limit(finished.of_real_images)
        picture = save_bands(quality.fid, real, reference, limit, drawing, figures / f"level{level}-fid.png")
        beside = "real images, of the reference" if reference else "real images"
        judge.show(
            picture, f"FID of level {level}",
            f"A line with the FID of the samples, {quality.fid:.1f}, that of {beside}, and the limit, {limit:.1f}",
        )  # fmt: skip
        told = f"{quality.fid:.2f}, of as many real images {real['mean']:.2f}{finished.reference_in_words}"
        judge.inform(f"FID of level {level}", f"{told}; KID {quality.kid:.3f}, see {picture}")
        if weights := request.config.option.inception:
            with aloud():
                judge.inform(f"Inception FID of level {level}", f"{finished.inception_fid(weights):.2f}, no points")

    return say
