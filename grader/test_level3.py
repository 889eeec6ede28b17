"""Level 3, samples of CIFAR-10: the same claims about the network trained on it. Points are in configs/grading.yaml."""

from typing import Any

from grader.check_ids import check
from grader.student.trained_samples import TrainedSamples
from grader.suite.fixtures_trained import CheckSound, CheckWeights, SayFid, check_uses_t
from grader.suite.trainings import Training

Measured = dict[str, Any]


@check("level3.trained.weights")
def test_weights(training: Training, check_weights: CheckWeights) -> None:
    """The trained weights are there, and load into this model.py."""
    check_weights(training.network)


@check("level3.trained.uses_t")
def test_trained_network_uses_t(loaded: Training, measured: Measured) -> None:
    """The trained network uses t: its output differs from one t to another, and a wrong t raises the loss."""
    measured.update(check_uses_t(loaded.network))


@check("level3.samples.sound")
def test_samples_are_sound(loaded: Training, check_sound: CheckSound, measured: Measured) -> None:
    """The trained network can be sampled from: its samples are finite images, and not all alike."""
    measured.update(check_sound(loaded.samples))


@check("level3.samples.denoises")
def test_samples_come_from_a_denoiser(sampled: TrainedSamples, measured: Measured) -> None:
    """In the calls that draw the samples, the network also denoises images that it has never seen."""
    measured.update(sampled.denoising)


@check("level3.samples.classes")
def test_samples_show_every_class(sampled: TrainedSamples, measured: Measured) -> None:
    """The samples are varied: a classifier finds every class of the data set among them, and none too often."""
    measured.update(sampled.check_classes())


@check("level3.samples.recognizable")
def test_samples_are_recognizable(sampled: TrainedSamples, measured: Measured) -> None:
    """The samples are recognizable: a classifier is confident enough of their classes."""
    measured.update(sampled.check_confidence())


@check("level3.samples.clean")
def test_samples_are_clean(sampled: TrainedSamples, measured: Measured) -> None:
    """Each sample is clean: few are noisy, blurred, blocky, or made of two images."""
    measured.update(sampled.check_clean())


@check("level3.samples.fid")
def test_samples_are_like_the_data(sampled: TrainedSamples, say_fid: SayFid, measured: Measured) -> None:
    """As a set, the samples look like the data: their Fréchet distance (FID) to it is small."""
    say_fid(sampled)
    measured.update(sampled.quality.to_json())
    measured.update(sampled.check_fid())


@check("level3.samples.new")
def test_samples_are_new(sampled: TrainedSamples, measured: Measured) -> None:
    """The samples are new images, not copies of training images."""
    measured.update(sampled.check_new())
