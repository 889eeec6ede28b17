"""Samples of a finished training: drawn with the reference sampler, looked at, and compared with real images."""

from collections.abc import Callable
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from assignment.ddpm.device import half_precision
from assignment.ddpm.errors import RunError, UserError
from assignment.ddpm.seeds import derive_seed
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.sample_claims import Measured, SampleClaims
from grader.grading_config import Drawing, Samples
from grader.metrics.companions import Companions
from grader.metrics.draw import draw, to_bytes
from grader.metrics.quality import Quality, assess, inception_fid
from grader.metrics.randomness import randomness
from grader.results import TRAIN_WITH
from grader.student.once import done_once
from grader.student.outlook import longer, outlook
from grader.student.trained_denoiser import TrainedDenoiser
from grader.student.trained_network import BATCH, TrainedNetwork


class TrainedSamples(SampleClaims):
    """What checks ask for of one training's samples, computed once."""

    def __init__(self, trained: TrainedNetwork) -> None:
        self.trained = trained

    @property
    def drawing(self) -> Drawing:
        """How many samples are drawn, in how many steps."""
        return self.trained.wanted.setting(self.setting)

    @property
    def setting(self) -> str:
        """Which settings for samples apply to this device: `cpu` or `gpu`."""
        return "cpu" if self.trained.kind == "cpu" else "gpu"

    @property
    @done_once
    def drawn(self) -> tuple[Tensor, TrainedDenoiser]:
        """The images, drawn with the reference sampler: (N, C, H, W) in [-1, 1]; and what stood among them."""
        trained, drawing = self.trained, self.drawing
        network = trained.network()
        # in the precision that this machine trains in
        fast = half_precision(torch.device(trained.submission.device)).value == torch.bfloat16
        companions = Companions(
            lambda x, t: network(x, t, autocast=fast), trained.diffusion, trained.test_images,
            randomness(trained.chosen_seed.shared, "companions", trained.seed),
        )  # fmt: skip
        try:
            images = draw(
                companions, trained.diffusion, drawing.images, trained.shape, steps=drawing.steps,
                seed=derive_seed("samples", trained.seed), batch_size=BATCH[trained.kind],
            )  # fmt: skip
        except RunError as error:
            raise CheckFailed(f"expected samples that can be looked at, got none: {error}", "") from error
        return images, TrainedDenoiser(trained, companions, autocast=fast)

    @property
    def images(self) -> Tensor:
        return self.drawn[0]

    @property
    def denoiser(self) -> TrainedDenoiser:
        return self.drawn[1]

    @property
    @done_once
    def quality(self) -> Quality:
        of, unseen = self.trained.images, self.trained.test_images
        try:
            return assess(to_bytes(self.images), self.trained.settings.data.name, of.train, of.validation, unseen)
        except UserError as error:
            raise NotJudged(str(error)) from error

    def inception_fid(self, weights: str) -> float:
        """The standard Inception FID, weights from a file or `download`. Raises NotJudged if it can't be computed."""
        try:
            return inception_fid(to_bytes(self.images), self.trained.images.train, weights)
        except UserError as error:
            raise NotJudged(str(error)) from error

    @property
    def recorded(self) -> dict[str, Any]:
        """What was measured of the reference's samples and of real images, with this device's settings."""
        found, drawing = self.trained.record.figures["samples"].get(self.setting), self.drawing
        if found is None or (found["images"], found["steps"]) != (drawing.images, drawing.steps):
            raise NotJudged(
                f"nothing is recorded for {drawing.images} samples in {drawing.steps} steps: "
                f"make reference CONFIG={self.trained.config_shown}"
            )
        return found

    @property
    def of_real_images(self) -> dict[str, Any]:
        """What was measured of as many real images never seen in training: mean and spread over many draws."""
        return self.recorded["floor"]

    def of_real(self, name: str) -> float:
        found = self.of_real_images[name]
        return found["mean"] if isinstance(found, dict) else found

    def check_classes(self) -> Measured:
        return self.with_outlook(super().check_classes)

    def check_clean(self) -> Measured:
        return self.with_outlook(super().check_clean)

    def check_fid(self) -> Measured:
        return self.with_outlook(super().check_fid)

    def check_confidence(self) -> Measured:
        return self.with_outlook(super().check_confidence)

    def with_outlook(self, check: Callable[[], Measured]) -> Measured:
        """The hint of a failure ends with how to go on."""
        try:
            return check()
        except CheckFailed as failed:
            if (go_on := outlook(self.trained)) and go_on not in failed.hint:
                failed.hint = f"{failed.hint} {go_on}"
            failed.measurements[TRAIN_WITH] = longer(self.trained)
            raise

    @property
    def wanted(self) -> Samples:
        return self.trained.wanted

    @property
    def fid_limit(self) -> float:
        return self.trained.fid_limit(self.of_real_images)

    @property
    def reference_fids(self) -> list[float]:
        """FIDs of the reference's samples; empty if it has not learnt enough to be compared with."""
        return [row["fid"] for row in self.recorded["reference"]] if self.trained.reference_has_learnt else []

    @property
    def reference_in_words(self) -> str:
        fids = self.reference_fids
        return f"{mean(fids):.1f}{self.trained.record.caveat}" if fids else ""

    @property
    @done_once
    def denoising(self) -> dict[str, object]:
        return self.with_outlook(self.denoiser.check_denoises)

    @property
    def by_heart(self) -> dict[str, float]:
        return self.denoiser.check_none_by_heart()
