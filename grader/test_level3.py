"""Level 3, samples of CIFAR-10: the same claims about the network trained on it. Points are in configs/grading.yaml."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from grader.check_ids import check
from grader.checks import conditioning, samples
from grader.student.trained_network import TrainedNetwork
from grader.suite.judge import Judge
from grader.suite.pictures import SAMPLES_ALT, save_samples

Measured = dict[str, Any]


@check("level3.trained.weights")
def test_weights(trained_network: TrainedNetwork, judge: Judge, show_training: Callable) -> None:
    """The trained weights are there, belong to this model.py, and load into it."""
    network = trained_network.network()
    network(*network.noise(2, "trained"))
    judge.inform("weights of level 3", trained_network.weights.describe())
    show_training(trained_network)


@check("level3.trained.uses_t")
def test_trained_network_uses_t(loaded: TrainedNetwork, measured: Measured) -> None:
    """The trained network looks at t: a noisy image gets another answer at another t."""
    measured.update(conditioning.check_depends_on_t(*loaded.at_both_ends(), loaded.diffusion.num_timesteps))


@check("level3.samples.sound")
def test_samples_are_sound(
    loaded: TrainedNetwork, with_progress: Callable, figures: Path, judge: Judge, measured: Measured
) -> None:
    """From the trained network samples can be drawn: finite images, not all alike."""
    with with_progress():
        measured.update(samples.check_sound(loaded.samples))
    picture = save_samples(loaded.samples, loaded.images.train, figures / "level3-samples.png")
    judge.show(picture, "Samples of level 3", SAMPLES_ALT)
    judge.inform("samples of level 3", f"{len(loaded.samples)} in {loaded.drawing.steps} steps, see {picture}")


@check("level3.samples.classes")
def test_samples_show_every_class(sampled: TrainedNetwork, measured: Measured) -> None:
    """The samples are varied: a classifier finds every class of the data set among them, and none too often."""
    measured.update(sampled.check_classes())


@check("level3.samples.recognizable")
def test_samples_are_recognizable(sampled: TrainedNetwork, measured: Measured) -> None:
    """One can tell what the samples show: a classifier is sure enough of their classes."""
    measured.update(sampled.check_confidence())


@check("level3.samples.clean")
def test_samples_are_clean(sampled: TrainedNetwork, measured: Measured) -> None:
    """The samples are clean, one by one: few are noisy, blurred, blocky, or made of two images."""
    measured.update(sampled.check_clean())


@check("level3.samples.fid")
def test_samples_are_like_the_data(sampled: TrainedNetwork, say_fid: Callable, measured: Measured) -> None:
    """As a crowd the samples look like the data: their Fréchet distance to it is small."""
    say_fid(sampled, level=3)
    measured.update(sampled.quality.to_json())
    measured.update(sampled.check_fid())


@check("level3.samples.new")
def test_samples_are_new(sampled: TrainedNetwork, measured: Measured) -> None:
    """The samples are new images, not copies of training images."""
    measured.update(sampled.check_new())
