"""A finished training as levels 1 to 3 judge it: its weights in the student's class, its data, the reference's record.

Samples and losses are in trained_samples.py and trained_losses.py. They are computed by the judge: the worker sees x_t
and t, and answers with the predicted noise.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assignment.ddpm import invocation
from assignment.ddpm.config import Config
from assignment.ddpm.data import Images, load_images, load_test, to_float
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError
from assignment.ddpm.milestones import recorded_loss
from assignment.ddpm.seeds import derive_seed
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.learning import linear_baseline
from grader.errors import Raised, SubmissionFailed
from grader.grading_config import Samples, load_grading
from grader.metrics.randomness import randomness
from grader.metrics.record import Record, has_learnt, load_record
from grader.results import UNTRAINED, cut
from grader.student.deadlines import Deadlines
from grader.student.network import Network
from grader.student.once import done_once
from grader.student.training_log import Epoch, read_log
from grader.student.training_time import epoch_seconds, seconds_per_image
from grader.student.weights import MOST, Weights, WeightsAt, read_weights
from grader.submission import programs
from grader.submission.process import AnySubmission
from grader.submission.seed import Seed
from grader.submission.weights_files import FOUND, GIVEN, HANDED_IN, TRAINED

BATCH = {"cpu": 64, "mps": 256, "cuda": 512}
TIMED = {"cpu": 8, "mps": 64, "cuda": 128}  # images of a step that is timed
FEWEST = 4  # images that are looked at with the t of either end; up to twice as many, less one
ASKED = 128  # images that are asked about with a right and a wrong t
END = 0.02  # of the schedule, at either end
FACT = 20  # characters of a fact about weights
FORM = "`make submit` packs a training's weights as they are wanted: as safetensors, each configuration's once."
ELSEWHERE = "if they are elsewhere, say where: data.root=FOLDER (with pytest: --set data.root=FOLDER)"


class TrainedNetwork:
    """Everything that checks need to know about one training, computed once."""

    def __init__(
        self,
        submission: AnySubmission,
        deadlines: Deadlines,
        settings: Config,
        *,
        config: Path,
        weights: WeightsAt,
        seed: Seed,
    ) -> None:
        self.submission, self.deadlines, self.settings = submission, deadlines, settings
        self.seed, self.chosen_seed = seed.number, seed
        self.config_file, self.name, self.weights_at = config, config.stem, weights
        self.shape = settings.model.image_shape
        self.diffusion = GaussianDiffusion.of(settings)
        self.kind = submission.device.split(":")[0]

    @property
    @done_once
    def images(self) -> Images:
        try:
            return load_images(self.settings.data.name, self.settings.data.root, limit=None, shape=self.shape)
        except UserError as error:
            raise NotJudged(f"there are no images to compare with: {error}; {ELSEWHERE}") from error

    @property
    @done_once
    def test_images(self) -> Tensor:
        """(N, C, H, W) uint8, seen by no training."""
        try:
            return load_test(self.settings.data.name, self.settings.data.root, shape=self.shape)
        except UserError as error:
            raise NotJudged(f"there are no test images: {error}; {ELSEWHERE}") from error

    @property
    @done_once
    def weights(self) -> Weights:
        """Raises NotJudged where there are none, and CheckFailed where they can't be read or are refused."""
        at, rules = self.weights_at, load_grading().weights
        if at.refused:
            raise CheckFailed(f"expected weights of {self.name} that can be read: {at.refused}", FORM)
        if not at.file.exists() and not at.file.is_symlink():
            raise NotJudged(self._missing())
        weights = read_weights(at.file, rules.bytes if at.origin == HANDED_IN else MOST)
        changed = programs.change(weights.about, self.source)
        if changed and at.origin == FOUND and not at.own:  # what differs would show somebody else's code
            raise NotJudged(f"{self._missing()}; what lies in {at.file.parent.name} is of another model.py")
        if changed and rules.changed_code == "refuse":
            raise CheckFailed(
                f"expected weights of this model.py, got {at.shown} of another: {changed}", self._way(weights)
            )
        return weights

    @property
    def source(self) -> bytes:
        return self.submission.sources.get("model.py", b"")

    @property
    @done_once
    def change(self) -> str:
        """What differs from the model.py that the weights were trained with; empty if it is the same program."""
        return programs.change(self.weights.about, self.source)

    def _missing(self) -> str:
        """Why there are no weights. After a deadline nobody can train, so only main.py's own user is told to."""
        at = self.weights_at
        if at.origin == TRAINED:
            return f"the course's training on {self.name} has left no weights"
        if not at.own:
            return f"no weights of {self.name} were handed in; expected weights/{self.name}.safetensors"
        run = f"{invocation.python()} main.py --config {self.config_shown}"
        return f"{UNTRAINED}{at.file.parent}: train first with `{run}`{self._takes()}"

    def _takes(self) -> str:
        """How long training this very network would take on this device; empty where it can't be trained."""
        try:
            network = Network(self.submission, self.deadlines, self.settings.model, seed=derive_seed("time", self.seed))
            per_image = seconds_per_image(network, TIMED[self.kind], steps=2)
            images = self.images
        except (SubmissionFailed, NotJudged):
            return ""
        seconds = epoch_seconds(per_image, len(images.train), len(images.validation)) * self.settings.training.epochs
        minutes = max(1, seconds / 60)
        says = f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} hours"
        return f" (about {says} for this network on this device)"

    def _way(self, weights: Weights) -> str:
        """How to get the code back that weights were trained with."""
        if "source" not in weights.about:
            return "Hand in the model.py that they were trained with."
        command = f"{invocation.python()} -m grader code {self.weights_at.shown} FILE"
        return f"`{command}` writes out the model.py that they were trained with."

    def weights_facts(self) -> dict[str, str]:
        """Where the weights came from and what is known of them, for results.json: whatever they are."""
        at = self.weights_at
        facts = {"from": at.origin, "file": at.shown}
        facts |= {"path": str(at.file.resolve())} if at.origin in (GIVEN, TRAINED) else {}
        try:
            about = self.weights.about
        except NotJudged:
            return facts | {"from": "none"}
        except CheckFailed as error:
            return facts | {"problem": error.message}
        told = {name: cut(about[name], FACT) for name in ("epoch", "val_loss") if name in about}
        return facts | told | ({"changed_code": self.change} if self.change else {})

    @property
    def config_shown(self) -> Path:
        """The configuration's file as one types it."""
        file, here = self.config_file.resolve(), Path.cwd()
        return file.relative_to(here) if file.is_relative_to(here) else file

    def network(self) -> Network:
        """The student's network with the trained weights, built anew: the worker may have been replaced."""
        network = Network(self.submission, self.deadlines, self.settings.model, seed=derive_seed("finished", self.seed))
        weights = self.weights
        try:
            network.load(weights.state)
        except Raised as error:
            if not self.change:
                raise
            says = f"the weights in {self.weights_at.shown} don't fit this model.py, which has changed: {self.change}"
            raise CheckFailed(says, self._way(weights)) from error
        return network

    def at_both_ends(self) -> tuple[Tensor, Tensor]:
        """The answers to the same noised images at a small t and at a large one, (B, C, H, W) each.

        Which images, how many, how much noise and which t is drawn anew by each seed, so that no batch tells what it
        is for.
        """
        network, images, T = self.network(), self.images.validation, self.diffusion.num_timesteps
        luck = randomness(self.chosen_seed.shared, "both ends", self.seed)
        count = FEWEST + int(luck.uniform(1) * FEWEST)
        at, near, far = (luck.uniform(count) for _ in range(3))  # (B,) each
        x_0 = to_float(images[luck.order(len(images))[:count]])
        x_t = self.diffusion.q_sample(x_0, ((1 + 2 * at) / 4 * T).long(), luck.normal(*x_0.shape))
        end = max(1, round(END * T))
        return network(x_t, (near * end).long()), network(x_t, T - 1 - (far * end).long())

    @property
    @done_once
    def at_right_and_wrong_t(self) -> tuple[Tensor, Tensor, float]:
        """Losses on validation images with their own t, and with t a quarter of T or more away, (N,) float64 each.

        And the loss of the best scaling of x_t, which knows nothing of images.
        """
        network, images, T = self.network(), self.images.validation, self.diffusion.num_timesteps
        luck = randomness(self.chosen_seed.shared, "wrong t", self.seed)
        x_0 = to_float(images[luck.below(len(images), ASKED)])
        t = (luck.uniform(ASKED) * T).long()
        other = (t + ((1 + 2 * luck.uniform(ASKED)) / 4 * T).long()) % T
        noise = luck.normal(*x_0.shape)
        x_t = self.diffusion.q_sample(x_0, t, noise)

        def losses(t: Tensor) -> Tensor:
            size = BATCH[self.kind]
            y = torch.cat([network(x, at) for x, at in zip(x_t.split(size), t.split(size), strict=True)])
            return (y - noise).double().square().flatten(1).mean(1)

        return losses(t), losses(other), linear_baseline(x_0, self.diffusion.alpha_bar)

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
        return has_learnt(self.record.figures, self.wanted.above_real)

    def fid_limit(self, of_real_images: dict[str, Any]) -> float:
        return of_real_images["fid"]["mean"] + self.wanted.above_real

    @property
    def log(self) -> list[Epoch]:
        """The losses by epoch, as the training has noted them. Raises UserError where that is no log."""
        return read_log(self.weights_at.log)

    @property
    def reference_curve(self) -> list[tuple[float, float]]:
        """The reference's validation loss after so many epochs, where that is recorded and worth comparing with."""
        try:
            chosen = self.record.chosen if self.reference_has_learnt else None
        except (NotJudged, UserError):
            return []
        if chosen is None:
            return []
        last = chosen | {"epoch": chosen["kept_epoch"]}
        return [(row["epoch"], recorded_loss(row)) for row in (*chosen["milestones"], last)]
