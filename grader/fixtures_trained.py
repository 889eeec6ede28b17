"""What the checks of a finished training start from. A pytest plugin, registered by conftest.py."""

from collections.abc import Callable
from pathlib import Path

import pytest

from grader.checks import conditioning
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.samples import mean_of
from grader.conftest import Judge, Trainings
from grader.errors import NotImplementedYet, SubmissionFailed
from grader.finished import Finished
from grader.pictures import save_bands


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


@pytest.fixture
def say_fid(judge: Judge, figures: Path, aloud: Callable, request: pytest.FixtureRequest) -> Callable:
    """Tell the FID, with a picture of the bands that it lies among; and Inception's, where that is asked for."""

    def say(finished: Finished, level: int) -> None:
        quality, record = finished.quality, finished.samples_record
        picture = save_bands(quality.fid, record, finished.wanted.fid, figures / f"level{level}-fid.png")
        limit = finished.wanted.fid * mean_of(record["floor"], "fid")
        judge.show(
            picture, f"FID of level {level}",
            f"A line with the FID of the samples, {quality.fid:.1f}, beside that of real images, of the reference, and "
            f"the limit, {limit:.1f}",
        )  # fmt: skip
        reference = f"the reference's {mean_of(record['reference'], 'fid'):.2f}{finished.record.caveat}"
        judge.inform(f"FID of level {level}", f"{quality.fid:.2f} ({reference}), KID {quality.kid:.3f}, see {picture}")
        if weights := request.config.option.inception:
            with aloud():
                judge.inform(f"Inception FID of level {level}", f"{finished.inception_fid(weights):.2f}, no points")

    return say
