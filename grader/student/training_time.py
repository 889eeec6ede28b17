"""How long would a network train? From a few steps of its own, on this machine as it is now."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assignment.ddpm.config import Config
from assignment.ddpm.data import load_images
from assignment.ddpm.device import choose_device
from grader.errors import SubmissionFailed
from grader.grading_config import load_grading
from grader.student.budget import TimeBudget
from grader.student.deadlines import Deadlines, remembered
from grader.student.network import Network
from grader.submission.fork_server import ForkServer
from grader.submission.process import Submission
from grader.submission.sources import why_missing

STEPS = 3  # that are timed, after one to warm up; the fastest counts
MOST_ON_CPU = 64  # images of a step that is timed on a CPU, where a larger batch is no faster by image
VALIDATION = 1 / 3  # of a training step's time for an image of the validation, which needs no backward pass


def training_time(
    submission: Path, settings: Config, fork_server: Callable[[bool, bool], ForkServer]
) -> dict[str, Any]:
    """Hours on this device, how many times the reference's, and for how many epochs; or the network's problem.

    Args:
        fork_server: makes one, from whether workers can be forked and whether they may use ready-made networks
    Raises:
        UserError: there are no images
        GraderFault: the grader itself failed
    """
    if why := why_missing(submission / "model.py"):
        return {"problem": why}
    device = str(choose_device(settings.runtime.device).value)
    data, fork = settings.data, device == "cpu"
    pace = remembered(settings, lambda: fork_server(fork, True), device)
    images = load_images(data.name, data.root, limit=data.limit, shape=settings.model.image_shape)
    process = Submission(submission, fork_server(fork, False), device=device)
    try:
        network = Network(process, Deadlines(pace, TimeBudget(load_grading().time)), settings.model, seed=0)
        per_image = seconds_per_image(network, min(data.batch_size, MOST_ON_CPU if fork else data.batch_size))
    except SubmissionFailed as failed:
        return {"problem": failed.message}
    finally:
        process.close()
    epochs, seconds = settings.training.epochs, epoch_seconds(per_image, len(images.train), len(images.validation))
    return {
        "hours": seconds * epochs / 3600, "epochs": epochs, "device": device,
        "times_the_reference": per_image / pace.step,
    }  # fmt: skip


def seconds_per_image(network: Network, batch: int, steps: int = STEPS) -> float:
    """Of a training step, at its fastest."""
    x, t = network.noise(batch, "training time")
    took = []
    for _ in range(1 + steps):
        began = time.perf_counter()
        network.train(x[None], t[None], x[None], learning_rate=1e-4, seed=0)
        took.append(time.perf_counter() - began)
    return min(took[1:]) / batch


def epoch_seconds(per_image: float, training: int, validation: int) -> float:
    """Of an epoch with so many images of either kind."""
    return per_image * (training + VALIDATION * validation)
