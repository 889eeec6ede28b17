"""A finished training as levels 1 to 3 judge it: its weights in the student's class, its samples, its losses.

The weights are read here, as safetensors, and loaded into the student's class in the worker. Sampling and loss are
computed here as well: the worker meets x_t and t, and answers with the predicted noise.
"""

import hashlib
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from assignment.ddpm.checkpoint import LOG
from assignment.ddpm.config import Config
from assignment.ddpm.data import Images, load_images, to_float
from assignment.ddpm.device import half_precision
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import RunError, UserError
from assignment.ddpm.progress import progress_bar
from assignment.ddpm.seeds import derive_seed
from grader.checks.beats_reference import Comparison, compare, decide
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.samples import check_classes, check_clean, check_confidence, check_fid, check_new
from grader.grading_config import Drawing, Samples, load_grading
from grader.metrics.draw import draw, to_bytes
from grader.metrics.quality import Quality, assess, inception_fid
from grader.metrics.record import Record, load_record
from grader.metrics.triples import EDGES, draw_triples, losses, widths
from grader.student.deadlines import Pace
from grader.student.network import Network
from grader.student.once import once_property
from grader.student.training_log import Epoch, read_log
from grader.student.weights import Weights, read_weights
from grader.submission.process import Submission

BATCH = {"cpu": 64, "mps": 256, "cuda": 512}


class TrainedNetwork:
    """Everything about one training that checks ask for, computed once."""

    def __init__(
        self, submission: Submission, pace: Pace, settings: Config, *, config: Path, weights: Path, seed: int
    ) -> None:
        self.submission, self.pace, self.settings, self.seed = submission, pace, settings, seed
        self.config_file, self.name, self.weights_file = config, config.stem, weights
        self.code = hashlib.sha256(submission.sources.get("model.py", b"")).hexdigest()
        m = settings.model
        self.shape = m.image_shape
        self.diffusion = GaussianDiffusion.of(settings)
        self.kind = submission.device.split(":")[0]

    @once_property
    def images(self) -> Images:
        try:
            return load_images(self.settings.data.name, self.settings.data.root, limit=None, shape=self.shape)
        except UserError as error:
            raise NotJudged(f"there are no images to compare with: {error}") from error

    @once_property
    def weights(self) -> Weights:
        minutes = self.pace.step * len(self.images.train) * self.settings.training.epochs / 60
        again = f"`uv run python main.py --config {self.config_shown}` (about {max(1, minutes):.0f} min on this device)"
        return read_weights(self.weights_file, self.code, again)

    @property
    def config_shown(self) -> Path:
        """The configuration's file as one types it."""
        file, here = self.config_file.resolve(), Path.cwd()
        return file.relative_to(here) if file.is_relative_to(here) else file

    def network(self) -> Network:
        """The student's network with the trained weights, built anew: the worker may have been replaced."""
        network = Network(self.submission, self.pace, self.settings.model, seed=derive_seed("finished", self.seed))
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
    def edges(self) -> list[int]:
        """The bins of t, by their edges."""
        return [round(edge * self.diffusion.num_timesteps) for edge in EDGES]

    @property
    def wanted(self) -> Samples:
        """What samples have to show."""
        found = load_grading().samples.get(self.settings.data.name)
        if found is None:
            raise NotJudged(f"configs/grading.yaml says nothing about samples of {self.settings.data.name}")
        return found

    @property
    def setting(self) -> str:
        """Which of the settings for samples this device takes."""
        return "cpu" if self.kind == "cpu" else "gpu"

    @property
    def drawing(self) -> Drawing:
        """How many are drawn, in how many steps."""
        return self.wanted.setting(self.setting)

    @once_property
    def samples(self) -> Tensor:
        """Drawn with the reference sampler: (N, C, H, W) in [-1, 1]."""
        network, drawing = self.network(), self.drawing
        # in the precision that this machine trains in
        fast = half_precision(torch.device(self.submission.device)).value == torch.bfloat16
        try:
            return draw(
                lambda x, t: network(x, t, autocast=fast), self.diffusion, drawing.images, self.shape,
                steps=drawing.steps, seed=derive_seed("samples", self.seed), batch_size=BATCH[self.kind],
            )  # fmt: skip
        except RunError as error:
            raise CheckFailed(f"expected samples that can be looked at, got none: {error}", "") from error

    @once_property
    def quality(self) -> Quality:
        try:
            return assess(to_bytes(self.samples), self.settings.data.name, self.images.train)
        except UserError as error:
            raise NotJudged(str(error)) from error

    def inception_fid(self, weights: str) -> float:
        """The customary FID, by Inception-v3 from a file or `download`. Raises NotJudged where it can't be had."""
        try:
            return inception_fid(to_bytes(self.samples), self.images.train, weights)
        except UserError as error:
            raise NotJudged(str(error)) from error

    @once_property
    def record(self) -> Record:
        """The reference's results. Raises NotJudged where there are none."""
        found = load_record(self.name)
        if found is None:
            raise NotJudged(f"no results of the reference are recorded: make reference CONFIG={self.config_shown}")
        return found

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

    @property
    def reference_has_learnt(self) -> bool:
        """Whether the reference's own samples keep to the limit of FID: else there is nothing to compare with."""
        recorded = self.record.figures["samples"].values()
        return any(row["fid"] <= self.fid_limit(of["floor"]) for of in recorded for row in of["reference"])

    def fid_limit(self, of_real_images: dict[str, Any]) -> float:
        return of_real_images["fid"]["mean"] + self.wanted.above_real

    @property
    def samples_record(self) -> dict[str, Any]:
        """What the reference's samples, and real images, were measured to be, in the setting of this device."""
        found, drawing = self.record.figures["samples"].get(self.setting), self.drawing
        if found is None or (found["images"], found["steps"]) != (drawing.images, drawing.steps):
            raise NotJudged(
                f"nothing is recorded for {drawing.images} samples in {drawing.steps} steps: "
                f"make reference CONFIG={self.config_shown}"
            )
        return found

    @property
    def of_real_images(self) -> dict[str, Any]:
        """What is measured of as many real images that no training has seen: mean and spread over many draws."""
        return self.samples_record["floor"]

    @property
    def reference_fids(self) -> list[float]:
        """Of the reference's samples; none where it has not learnt enough to be compared with."""
        return [row["fid"] for row in self.samples_record["reference"]] if self.reference_has_learnt else []

    @property
    def reference_in_words(self) -> str:
        """The reference's FID, to be said behind that of real images."""
        fids = self.reference_fids
        return f", the reference's {mean(fids):.1f}{self.record.caveat}" if fids else ""

    def check_classes(self) -> dict[str, object]:
        of = self.wanted
        return check_classes(self.quality.classes, of.rarest_class, of.commonest_class, of.missing_classes)

    def check_confidence(self) -> dict[str, float]:
        """The claim about the classifier's confidence. Raises NotJudged where classes are missing."""
        try:
            self.check_classes()
        except CheckFailed as error:
            raise NotJudged(f"waits for samples.classes: {error.message}") from error
        return check_confidence(
            self.quality.confidence, self.of_real_images["confidence"]["mean"], self.wanted.confidence
        )

    def check_clean(self) -> dict[str, float]:
        found = self.quality
        return check_clean(found.damaged, found.damage, self.of_real_images["damaged"]["mean"], self.wanted.damaged)

    def check_fid(self) -> dict[str, float]:
        of_real = self.of_real_images["fid"]["mean"]
        return check_fid(self.quality.fid, of_real, self.wanted.above_real, self.reference_in_words)

    def check_new(self) -> dict[str, float]:
        return check_new(self.quality.copies, self.of_real_images["copies"], self.wanted.copies)

    def look(self, network: Network, part: str, look: int) -> tuple[Tensor, ...]:
        """A look at a part of the data: losses of the student and of the reference (N,), bins of t, which image."""
        if not self.reference_has_learnt:
            raise NotJudged(f"the recorded reference has learnt too little: make reference CONFIG={self.config_shown}")
        triples = draw_triples(getattr(self.images, part), self.diffusion.num_timesteps, look, part=part)
        reference = self.record.look(part, look, triples)
        if reference is None:
            raise NotJudged(
                f"torch {torch.__version__} draws other noise than the reference's record knows: "
                f"make reference CONFIG={self.config_shown}"
            )
        with progress_bar(len(triples.t), "triples", f"loss, {part} images") as bar:
            student = losses(network, self.diffusion, triples, batch_size=BATCH[self.kind], progress=bar.update)
        return student, reference, triples.bins, triples.index

    @once_property
    def on_validation(self) -> Comparison:
        """Look after look, until it is clear who has the lower loss or there are no more triples."""
        network, seen = self.network(), []
        for look in range(self.record.looks):
            seen.append(self.look(network, "validation", look))
            student, reference, bins, index = (torch.cat(values) for values in zip(*seen, strict=True))
            found = compare(student, reference, bins, widths(), index)
            if decide(found, self.record.looks) != "open":
                break
        return found

    @once_property
    def on_test(self) -> Comparison:
        student, reference, bins, index = self.look(self.network(), "test", 0)
        return compare(student, reference, bins, widths(), index)
