"""A finished training as levels 1 to 3 judge it: its weights in the student's class, its data, the reference's record.

Samples and losses are in trained_samples.py and trained_losses.py. They are computed by the judge: the worker sees x_t
and t, and answers with the predicted noise.
"""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assignment.ddpm.checkpoint import LOG
from assignment.ddpm.config import Config
from assignment.ddpm.data import Images, load_images, to_float
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError
from assignment.ddpm.seeds import derive_seed
from grader.checks.finding import NotJudged
from grader.grading_config import Samples, load_grading
from grader.metrics.record import Record, load_record
from grader.student.deadlines import Deadlines
from grader.student.network import Network
from grader.student.once import done_once
from grader.student.training_log import Epoch, read_log
from grader.student.weights import Weights, read_weights
from grader.submission.process import AnySubmission

BATCH = {"cpu": 64, "mps": 256, "cuda": 512}


class TrainedNetwork:
    """Everything that checks need to know about one training, computed once."""

    def __init__(
        self,
        submission: AnySubmission,
        deadlines: Deadlines,
        settings: Config,
        *,
        config: Path,
        weights: Path,
        seed: int,
    ) -> None:
        self.submission, self.deadlines, self.settings, self.seed = submission, deadlines, settings, seed
        self.config_file, self.name, self.weights_file = config, config.stem, weights
        self.code = hashlib.sha256(submission.sources.get("model.py", b"")).hexdigest()
        self.shape = settings.model.image_shape
        self.diffusion = GaussianDiffusion.of(settings)
        self.kind = submission.device.split(":")[0]

    @property
    @done_once
    def images(self) -> Images:
        try:
            return load_images(self.settings.data.name, self.settings.data.root, limit=None, shape=self.shape)
        except UserError as error:
            raise NotJudged(f"there are no images to compare with: {error}") from error

    @property
    @done_once
    def weights(self) -> Weights:
        minutes = self.deadlines.pace.step * len(self.images.train) * self.settings.training.epochs / 60
        again = f"`uv run python main.py --config {self.config_shown}` (about {max(1, minutes):.0f} min on this device)"
        return read_weights(self.weights_file, self.code, again)

    @property
    def config_shown(self) -> Path:
        """The configuration's file as one types it."""
        file, here = self.config_file.resolve(), Path.cwd()
        return file.relative_to(here) if file.is_relative_to(here) else file

    def network(self) -> Network:
        """The student's network with the trained weights, built anew: the worker may have been replaced."""
        network = Network(self.submission, self.deadlines, self.settings.model, seed=derive_seed("finished", self.seed))
        network.load(self.weights.state)
        return network

    def at_both_ends(self) -> tuple[Tensor, Tensor]:
        """The answers to half-noised images at t = 0 and at t = T − 1, (2, C, H, W) each."""
        network = self.network()
        x, _ = network.noise(2, "both ends")
        t = torch.full((2,), self.diffusion.num_timesteps // 2)
        x_t = self.diffusion.q_sample(to_float(self.images.validation[:2]), t, x)
        last = self.diffusion.num_timesteps - 1
        return network(x_t, torch.zeros_like(t)), network(x_t, torch.full_like(t, last))

    @property
    @done_once
    def record(self) -> Record:
        """The reference's results. Raises NotJudged where there are none."""
        found = load_record(self.name)
        if found is None:
            raise NotJudged(f"no results of the reference are recorded: make reference CONFIG={self.config_shown}")
        return found

    @property
    def wanted(self) -> Samples:
        """What samples have to show."""
        found = load_grading().samples.get(self.settings.data.name)
        if found is None:
            raise NotJudged(f"configs/grading.yaml says nothing about samples of {self.settings.data.name}")
        return found

    @property
    def reference_has_learnt(self) -> bool:
        """Whether the reference's own samples pass the FID limit; if not, there is nothing to compare with."""
        recorded = self.record.figures["samples"].values()
        return any(row["fid"] <= self.fid_limit(of["floor"]) for of in recorded for row in of["reference"])

    def fid_limit(self, of_real_images: dict[str, Any]) -> float:
        return of_real_images["fid"]["mean"] + self.wanted.above_real

    @property
    def log(self) -> list[Epoch]:
        """The losses by epoch, as the training has noted them. Raises UserError where that is no log."""
        return read_log(self.weights_file.with_name(LOG))

    @property
    def reference_curve(self) -> list[tuple[float, float]]:
        """The reference's validation loss after so many epochs, where that is recorded and worth comparing with."""
        try:
            chosen = self.record.chosen if self.reference_has_learnt else None
        except (NotJudged, UserError):
            return []
        if chosen is None:
            return []
        return [
            (row["epoch"], row["loss"]) for row in (*chosen["milestones"], chosen | {"epoch": chosen["kept_epoch"]})
        ]
