"""Samples of a finished training: drawn with the reference sampler, looked at, and compared with real images."""

from statistics import mean
from typing import Any, TypeVar

import torch
from torch import Tensor

from assignment.ddpm.device import half_precision
from assignment.ddpm.errors import RunError, UserError
from assignment.ddpm.seeds import derive_seed
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.samples import check_classes, check_clean, check_confidence, check_fid, check_new
from grader.grading_config import Drawing
from grader.metrics.companions import Companions
from grader.metrics.draw import draw, to_bytes
from grader.metrics.quality import Quality, assess, inception_fid
from grader.metrics.randomness import randomness
from grader.student.once import done_once
from grader.student.trained_denoiser import TrainedDenoiser
from grader.student.trained_network import BATCH, TrainedNetwork

Measured = TypeVar("Measured", dict[str, object], dict[str, float])


class TrainedSamples:
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

    @property
    def fid_limit(self) -> float:
        return self.trained.fid_limit(self.of_real_images)

    @property
    def reference_fids(self) -> list[float]:
        """FIDs of the reference's samples; empty if it has not learnt enough to be compared with."""
        return [row["fid"] for row in self.recorded["reference"]] if self.trained.reference_has_learnt else []

    @property
    def reference_in_words(self) -> str:
        """The reference's FID, to follow that of real images in a sentence."""
        fids = self.reference_fids
        return f", the reference's {mean(fids):.1f}{self.trained.record.caveat}" if fids else ""

    @property
    @done_once
    def denoising(self) -> dict[str, object]:
        """What `samples.denoises` measured. Raises CheckFailed if it does not hold."""
        return self.denoiser.check_denoises()

    def counted(self, found: Measured) -> Measured:
        """What was measured of the samples. Raises NotJudged if no denoiser drew them: they don't count."""
        try:
            self.denoising  # noqa: B018  judged when first looked at
        except CheckFailed as error:
            raise NotJudged("waits for samples.denoises: samples count only if a denoiser drew them") from error
        return found

    def check_classes(self) -> dict[str, object]:
        """Check how often each class turns up. Raises NotJudged where there are none, or no limits that fit them."""
        of, classes, data = self.trained.wanted, self.quality.classes, self.trained.settings.data.name
        if not classes:
            raise NotJudged(f"the images of {data} have no labels, so there are no classes to look for")
        if of.missing_classes >= len(classes) or of.commonest_class * len(classes) < 1:
            raise NotJudged(
                f"configs/grading.yaml, samples.{data}: missing_classes and commonest_class are for more classes than "
                f"the {len(classes)} that there are"
            )
        return self.counted(check_classes(classes, of.rarest_class, of.commonest_class, of.missing_classes))

    def check_confidence(self) -> dict[str, float]:
        """Check the classifier's confidence. Raises NotJudged if classes are missing."""
        try:
            self.check_classes()
        except CheckFailed as error:
            raise NotJudged(f"waits for samples.classes: {error.message}") from error
        return self.counted(check_confidence(
            self.quality.confidence, self.of_real_images["confidence"]["mean"], self.trained.wanted.confidence
        ))  # fmt: skip

    def check_clean(self) -> dict[str, object]:
        found, of_real = self.quality, self.of_real_images["damaged"]["mean"]
        return self.counted(check_clean(found.damaged, found.damage, of_real, self.trained.wanted.damaged))

    def check_fid(self) -> dict[str, float]:
        of_real = self.of_real_images["fid"]["mean"]
        return self.counted(
            check_fid(self.quality.fid, of_real, self.trained.wanted.above_real, self.reference_in_words)
        )

    def check_new(self) -> dict[str, float]:
        found = check_new(self.quality.copies, self.of_real_images["copies"], self.trained.wanted.copies)
        return self.counted(found | self.denoiser.check_none_by_heart())
