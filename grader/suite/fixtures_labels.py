"""Fixtures for networks with labels, of level 6. A pytest plugin, registered by conftest.py.

How many classes there are is drawn, as labels are: a network has to go by config.num_classes, and by no data set.
"""

from dataclasses import replace

import pytest

from assignment.ddpm.config import Config, ModelConfig
from assignment.ddpm.seeds import derive_seed
from grader.check_ids import config_file
from grader.checks import conditioning, output_contract
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.labels import check_every_label
from grader.errors import NotImplementedYet, SubmissionFailed
from grader.runs import settings_for
from grader.student.deadlines import Deadlines
from grader.student.network import Network
from grader.student.once import Once
from grader.submission.process import AnySubmission
from grader.suite.drawn_sampler import Drawn
from grader.suite.fixtures import wait_for
from grader.suite.fixtures_network import Build
from grader.suite.judge import Judge
from grader.suite.label_questions import at_random, every_label

FEW, MANY = (5, 8), (24, 32)  # classes; many show whether their order matters


@pytest.fixture(scope="session")
def settings_with_labels(request: pytest.FixtureRequest) -> Config:
    """Level 6's configuration."""
    option = request.config.option
    return settings_for(config_file(6, option.config), option.set, trusted=option.trusted)


@pytest.fixture(scope="session")
def with_labels(settings_with_labels: Config, drawn: Drawn) -> ModelConfig:
    """Its network, for a drawn number of classes."""
    return replace(settings_with_labels.model, num_classes=drawn.random("classes").randint(*FEW))


@pytest.fixture(scope="session")
def with_other_labels(settings_with_labels: Config, drawn: Drawn) -> ModelConfig:
    """Other sizes of everything: more classes, other images, fewer timesteps."""
    model, more = settings_with_labels.model, drawn.random("more classes").randint(*MANY)
    channels, size = (3, 16) if model.image_channels == 1 else (1, 28)
    return replace(model, image_channels=channels, image_size=size, num_timesteps=50, num_classes=more)


@pytest.fixture(scope="session")
def build_labelled(
    level_6: None, submission: AnySubmission, judge: Judge, settings_with_labels: Config, device: str, seed: int,
    model_file: bytes,
) -> Build:  # fmt: skip
    deadlines: Deadlines = judge.deadlines(settings_with_labels, device)

    def build(config: ModelConfig, seed: int = derive_seed("labels", seed)) -> Network:
        return Network(submission, deadlines, config, seed=seed)

    return build


@pytest.fixture(scope="session")
def labels_kept(build_labelled: Build, with_labels: ModelConfig, device: str) -> Once[None]:
    """The minimum for later checks: forward(x, t, y) answers in the shape of x."""

    def try_it() -> None:
        network = build_labelled(with_labels)
        x, t, y = at_random(network, 3, "minimum")
        reply = network.reply(x, t, y)
        output_contract.check_output(reply.values, reply.tensors.get("y"), x.shape, x.dtype, device)

    return Once(try_it)


@pytest.fixture
def labelled(build_labelled: Build, with_labels: ModelConfig, labels_kept: Once[None], judge: Judge) -> Network:
    """A freshly built network that takes labels."""
    try:
        labels_kept()
    except NotImplementedYet:
        raise
    except (CheckFailed, SubmissionFailed) as error:
        wait_for("waits for the contract", error, judge, level=6)
    return build_labelled(with_labels)


@pytest.fixture
def steady_labelled(labelled: Network) -> Network:
    """The same with noise on all trainable parameters, if it answers the same twice: else nothing can be compared."""
    return _steady(labelled.perturb())


def _steady(network: Network) -> Network:
    x, t, y = at_random(network, 8, "steady")
    off = conditioning.difference(network(x, t, y, seed=1), network(x, t, y, seed=2))
    if not off <= conditioning.SAME:
        raise NotJudged(f"waits for labels.deterministic: the same input gets outputs that differ by {off:.1%}")
    return network


@pytest.fixture
def many_labels(
    labelled: Network, build_labelled: Build, with_other_labels: ModelConfig, judge: Judge
) -> Network:  # fmt: skip
    """The same with many classes, and other images."""
    try:
        return _steady(build_labelled(with_other_labels).perturb())
    except (CheckFailed, SubmissionFailed) as error:
        wait_for("waits for contract.other_sizes", error, judge, level=6)


@pytest.fixture(scope="session")
def distinct_labels(build_labelled: Build, with_labels: ModelConfig) -> Once[dict[str, float]]:
    """Whether each label gives an output of its own, in a perturbed network."""

    def look() -> dict[str, float]:
        return check_every_label(every_label(_steady(build_labelled(with_labels).perturb())))

    return Once(look)


@pytest.fixture
def telling_labels(labelled: Network, distinct_labels: Once[dict[str, float]], judge: Judge) -> Network:
    """A freshly built network that tells labels apart."""
    try:
        distinct_labels()
    except (CheckFailed, SubmissionFailed) as error:
        wait_for("waits for labels.every_label", error, judge, level=6)
    return labelled
