"""Fixtures for checks of a network: one built, one that keeps the contract, one that was overfitted.

A pytest plugin, registered by conftest.py.
"""

from dataclasses import replace
from typing import NamedTuple, Protocol

import pytest
import torch
from torch import Tensor

from assignment.ddpm.config import Config, ModelConfig, load_config
from assignment.ddpm.data import load_images, to_float
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError
from assignment.ddpm.seeds import derive_seed
from grader import ROOT
from grader.checks import conditioning, output_contract
from grader.checks.channels import Effects
from grader.checks.finding import CheckFailed, NotJudged
from grader.errors import NotImplementedYet, SubmissionFailed
from grader.grading_config import GRADING, load_grading
from grader.student import overfit
from grader.student.deadlines import Deadlines
from grader.student.moved_pixels import measure as moved_pixels_of
from grader.student.network import Network
from grader.student.noisy_images import NoisyImages
from grader.student.once import Once
from grader.submission.process import AnySubmission
from grader.submission.sources import why_missing
from grader.suite.fixtures import wait_for
from grader.suite.judge import Judge

SHIPPED = ROOT / "configs"
OTHERS = 512  # training images that checks may use beside those of the overfit run


@pytest.fixture(scope="session")
def model_file(submission: AnySubmission) -> bytes:
    """The source of model.py."""
    if why := why_missing(submission.path / "model.py"):
        raise CheckFailed(why, "Hand in a Python file under exactly this name.")
    return submission.sources["model.py"]


@pytest.fixture(scope="session")
def config(settings: Config) -> ModelConfig:
    return settings.model


@pytest.fixture(scope="session")
def shipped(config: ModelConfig) -> dict[str, ModelConfig]:
    """By data set: this configuration with the images of every configuration that the project ships."""
    others = [load_config(file, []) for file in sorted(SHIPPED.glob("*.yaml")) if file != GRADING]
    return {
        other.data.name: replace(config, image_channels=other.model.image_channels, image_size=other.model.image_size)
        for other in others if other.model.image_shape != config.image_shape
    }  # fmt: skip


@pytest.fixture(scope="session")
def other_config(config: ModelConfig) -> ModelConfig:
    """Colour, 32×32, and few steps: exposes what is hard-coded."""
    return replace(config, image_channels=3, image_size=32, num_timesteps=50)


class Build(Protocol):
    def __call__(self, config: ModelConfig, seed: int = ...) -> Network: ...


class TrainingImages(NamedTuple):
    """Random training images, uint8 (N, C, H, W) each, no image in both."""

    learnt: Tensor  # what the overfit run learns
    others: Tensor


@pytest.fixture(scope="session")
def training_images(settings: Config, config: ModelConfig, device: str, seed: int) -> Once[TrainingImages]:
    """Raises UserError if the data set can't be had."""

    def load() -> TrainingImages:
        images = load_images(settings.data.name, settings.data.root, limit=None, shape=config.image_shape).train
        budget = load_grading().overfit["cpu" if device == "cpu" else "gpu"]
        chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(derive_seed("images", seed)))
        return TrainingImages(images[chosen[: budget.images]], images[chosen[budget.images :][:OTHERS]])

    return Once(load)


@pytest.fixture(scope="session")
def build(
    submission: AnySubmission, deadlines: Deadlines, seed: int, model_file: bytes, settings: Config,
    training_images: Once[TrainingImages],
) -> Build:  # fmt: skip
    def images() -> Tensor | None:
        try:
            return training_images().others
        except UserError:
            return None  # the overfit run reports it

    def build(config: ModelConfig, seed: int = seed) -> Network:
        betas = settings.diffusion.beta_start, settings.diffusion.beta_end
        inputs = NoisyImages(GaussianDiffusion(config.num_timesteps, *betas), images)
        return Network(submission, deadlines, config, seed=seed, inputs=inputs)

    return build


@pytest.fixture(scope="session")
def contract_kept(build: Build, config: ModelConfig, device: str) -> Once[None]:
    """The minimum for the later checks: it builds, and answers in the shape of x."""

    def try_it() -> None:
        network = build(config)
        x, t = network.noise(2, "contract")
        reply = network.reply(x, t)
        output_contract.check_output(reply.values, reply.tensors.get("y"), x.shape, x.dtype, device)

    return Once(try_it)


@pytest.fixture
def warm(submission: AnySubmission) -> None:
    """For checks that train, or use the meta device: what torch imports for that takes seconds, and is not timed."""
    submission.warm_up()


@pytest.fixture
def network(build: Build, config: ModelConfig, contract_kept: Once[None], judge: Judge) -> Network:
    """A freshly built network, if the contract is kept."""
    try:
        contract_kept()
    except NotImplementedYet:
        raise
    except (CheckFailed, SubmissionFailed) as error:
        wait_for("waits for the contract", error, judge, level=1)
    return build(config)


@pytest.fixture
def perturbed(network: Network) -> Network:
    """The same with noise on all trainable parameters: zero-initialised layers are right, but would hide everything."""
    return network.perturb()


@pytest.fixture
def steady(perturbed: Network) -> Network:
    """The same, if it answers the same twice: else no two answers can be compared."""
    x, t = perturbed.at_random(2, "steady")
    off = conditioning.difference(perturbed(x, t, seed=1), perturbed(x, t, seed=2))
    if not off <= conditioning.SAME:
        raise NotJudged(f"waits for deterministic: the same input gets outputs that differ by {off:.1%}")
    return perturbed


@pytest.fixture(scope="session")
def moved_pixels(build: Build, other_config: ModelConfig, judge: Judge) -> Once[Effects]:
    """What a change of single pixels does, of the configuration with 3 channels."""

    def move() -> Effects:
        try:
            return moved_pixels_of(build(other_config).perturb())
        except NotImplementedYet:
            raise
        except (CheckFailed, SubmissionFailed) as error:
            wait_for("waits for contract.other_shapes", error, judge, level=1)

    return Once(move)


@pytest.fixture(scope="session")
def overfit_run(
    settings: Config, build: Build, config: ModelConfig, device: str, submission: AnySubmission, seed: int,
    training_images: Once[TrainingImages],
) -> Once[overfit.Trained]:  # fmt: skip
    def start(another: bool) -> Network:
        return build(config, derive_seed("another start", seed)) if another else build(config)

    def run() -> overfit.Trained:
        try:
            few, others = (to_float(images) for images in training_images())
        except UserError as error:
            raise NotJudged(f"there are no images to learn: {error}") from error
        budget = load_grading().overfit["cpu" if device == "cpu" else "gpu"]
        submission.warm_up()
        diffusion = GaussianDiffusion.of(settings)
        return overfit.run(start, diffusion, few, others, budget, settings.training.learning_rate)

    return Once(run)


@pytest.fixture
def trained(network: Network, overfit_run: Once[overfit.Trained], judge: Judge) -> overfit.Trained:
    """The result of the overfit run, for checks of a trained network."""
    try:
        return overfit_run()
    except (CheckFailed, SubmissionFailed) as error:
        wait_for("waits for training.overfits", error, judge, level=1)
