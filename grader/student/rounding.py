"""Weights at half the size: what is learnt in bfloat16, everything else as it is; and what that costs in loss."""

from pathlib import Path
from typing import NamedTuple

import safetensors
import safetensors.torch
import torch

from assignment.ddpm.config import Config
from assignment.ddpm.errors import RunError
from assignment.ddpm.files import replacing
from grader.checks.finding import CheckFailed, NotJudged
from grader.errors import SubmissionFailed
from grader.grading_config import load_grading
from grader.metrics.triples import draw_triples, losses, widths
from grader.student.budget import TimeBudget
from grader.student.deadlines import UNHURRIED, Deadlines
from grader.student.trained_network import BATCH, TrainedNetwork
from grader.student.weights import WeightsAt
from grader.submission.in_process import InProcessSubmission
from grader.submission.seed import PUBLIC, Seed


class Rounded(NamedTuple):
    before: float  # loss on the public validation triples
    after: float
    standard_error: float  # of the difference, both measured on the same triples

    def __str__(self) -> str:
        change = (self.after - self.before) / self.before
        return f"bfloat16 changes its loss by {change:+.3%} ± {self.standard_error / self.before:.3%}"


def round_weights(submission: Path, settings: Config, config: Path, weights: Path, target: Path) -> Rounded | str:
    """Write a copy in bfloat16; returns the loss before and after, or why it can't be measured here.

    Runs the submission in this process: for those whose own it is. Buffers keep their precision, as tables of t or of a
    schedule would be spoilt.

    Raises:
        RunError: the weights don't load, or can't be read
    """
    work = InProcessSubmission(submission, device="cpu")
    try:
        before = _trained(work, settings, config, weights)
        learnt = {name for name, _, trainable in before.network().built.values["parameters"] if trainable}
        _write(weights, target, learnt)
        return _compare(before, _trained(work, settings, config, target))
    except NotJudged as error:
        return f"what bfloat16 costs in loss was not measured: {error}"
    except (CheckFailed, SubmissionFailed) as error:
        raise RunError(f"{weights}: {error.message}") from error
    finally:
        work.close()


def _trained(work: InProcessSubmission, settings: Config, config: Path, weights: Path) -> TrainedNetwork:
    deadlines = Deadlines(UNHURRIED, TimeBudget(load_grading().time))
    seed = Seed(PUBLIC, "public", b"")
    return TrainedNetwork(work, deadlines, settings, config=config, weights=WeightsAt(weights), seed=seed)


def _write(weights: Path, target: Path, learnt: set[str]) -> None:
    with safetensors.safe_open(weights, framework="pt") as opened:
        about = opened.metadata() or {}
    state = safetensors.torch.load_file(weights)
    halved = {
        name: value.bfloat16() if name in learnt and value.is_floating_point() else value
        for name, value in state.items()
    }  # fmt: skip
    with replacing(target) as temporary:
        safetensors.torch.save_file(halved, str(temporary), metadata=about)


def _compare(before: TrainedNetwork, after: TrainedNetwork) -> Rounded:
    triples = draw_triples(before.images.validation, before.diffusion.num_timesteps, 0, part="validation")
    found = [losses(one.network(), one.diffusion, triples, batch_size=BATCH["cpu"]) for one in (before, after)]
    weight = _weights_of_bins(triples.bins)
    first, second = (float((loss * weight).sum()) for loss in found)
    difference = (found[1] - found[0]) * weight * len(weight)
    return Rounded(first, second, float(difference.std() / len(weight) ** 0.5))


def _weights_of_bins(bins: torch.Tensor) -> torch.Tensor:
    """(N,): how much each triple counts, so that the mean is that over uniform t."""
    count = torch.bincount(bins, minlength=len(widths())).double()
    return (widths() / count)[bins]
