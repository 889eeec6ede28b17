"""A finished training with labels, as level 6 judges it: its losses with right and wrong labels, and guided samples.

Samples are drawn with the reference's sampler and guidance; a student's own guided_eps is judged without a network.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from assignment.ddpm.data import load_part
from assignment.ddpm.device import half_precision
from assignment.ddpm.errors import RunError, UserError
from assignment.ddpm.labels import check_labels
from assignment.ddpm.seeds import derive_seed
from grader.checks.beats_reference import stratified
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.guided_samples import shares_of, wrong_labels
from grader.metrics import classifier
from grader.metrics.classifier import probabilities
from grader.metrics.draw import Predict, draw, guided, to_bytes
from grader.metrics.quality import REAL, fidelity
from grader.metrics.triples import draw_triples, losses, widths
from grader.student.network import Network
from grader.student.once import done_once
from grader.student.trained_network import BATCH, TrainedNetwork

STRENGTHS = (0.0, 1.0, 3.0)  # w
TOLD = 1024  # triples with right and wrong labels


@dataclass(frozen=True)
class GuidedSamples:
    """Of one strength of guidance."""

    images: Tensor  # (N, C, H, W) in [-1, 1]
    wished: Tensor  # (N,), the class that each was drawn as
    share: float  # of them that the classifier takes for that class
    by_class: list[float]
    fid: float
    coverage: float  # recall of Kynkäänniemi et al. 2019: share of real images that lie among the samples


def predict_at(network: Predict, w: float, num_classes: int) -> Predict:
    """(x, t, y) → noise, by the reference's guidance; at w = 0 and 1 one answer is enough."""
    if w == 0:
        return lambda x, t, y: network(x, t, torch.full_like(y, num_classes))
    return network if w == 1 else guided(network, w, num_classes)


class TrainedLabels:
    """What checks ask for of one training with labels, computed once."""

    def __init__(self, trained: TrainedNetwork) -> None:
        self.trained = trained

    @property
    def num_classes(self) -> int:
        """K. Raises NotJudged where the configuration has no classes."""
        found = self.trained.settings.model.num_classes
        if found is None:
            raise NotJudged(
                f"{self.trained.config_shown} has no model.num_classes; expected one as configs/digits_conditional.yaml"
            )
        return found

    @property
    @done_once
    def test_labels(self) -> Tensor:
        """(N,), of the test images."""
        data = self.trained.settings.data
        try:
            return check_labels(data.name, load_part(data.name, data.root, train=False).labels, self.num_classes)
        except UserError as error:
            raise NotJudged(f"there are no labels to compare with: {error}") from error

    @property
    @done_once
    def with_right_and_wrong(self) -> tuple[Tensor, Tensor]:
        """Losses on the same triples of test images, with their own labels and with others: (N,) each."""
        trained, classes = self.trained, self.num_classes
        triples = draw_triples(
            trained.test_images, trained.diffusion.num_timesteps, 0, part="test", key=trained.chosen_seed.shared
        ).first(TOLD)
        right = self.test_labels[triples.index]
        generator = torch.Generator().manual_seed(derive_seed("wrong labels", trained.seed))
        wrong = wrong_labels(right, classes, torch.rand(len(right), generator=generator))
        network, of = trained.network(), (right, wrong)
        batch = BATCH[trained.kind]
        first, second = (losses(network, trained.diffusion, triples, labels=y, batch_size=batch) for y in of)
        return first, second

    @property
    @done_once
    def beside_reference(self) -> tuple[float, float]:
        """The loss with labels on the public triples of the test images, and the reference's. Raises NotJudged."""
        trained = self.trained
        recorded = trained.record.figures["test"].get("with_labels")
        triples = draw_triples(trained.test_images, trained.diffusion.num_timesteps, 0, part="test")
        if recorded is None or trained.record.figures["fingerprints"].get("test.0") != triples.fingerprint():
            raise NotJudged(
                f"no loss of the reference with labels is recorded: make reference CONFIG={trained.config_shown}"
            )
        y = self.test_labels[triples.index]
        found = losses(trained.network(), trained.diffusion, triples, labels=y, batch_size=BATCH[trained.kind])
        return stratified(found, triples.bins, widths()).value, recorded["loss"]

    @property
    @done_once
    def samples(self) -> dict[float, GuidedSamples]:
        """By strength. Raises CheckFailed if none can be drawn, NotJudged if there is nothing to judge them by."""
        trained = self.trained
        if not classifier_of(trained.settings.data.name).knows_classes:
            raise NotJudged("the images have no labels of their own, so no classifier knows them")
        network = trained.network()
        return {w: self._drawn(network, w) for w in STRENGTHS}

    def _drawn(self, network: Network, w: float) -> GuidedSamples:
        trained, drawing = self.trained, self.trained.wanted.setting("cpu" if self.trained.kind == "cpu" else "gpu")
        fast = half_precision(torch.device(trained.submission.device)).value == torch.bfloat16
        wished = torch.arange(drawing.images) % self.num_classes
        predict = predict_at(lambda x, t, y: network(x, t, y, autocast=fast), w, self.num_classes)
        try:
            images = draw(
                predict, trained.diffusion, drawing.images, trained.shape, steps=drawing.steps,
                seed=derive_seed("guided samples", trained.seed), batch_size=BATCH[trained.kind], labels=wished,
            )  # fmt: skip
        except RunError as error:
            raise CheckFailed(f"expected samples that can be looked at, got none at w = {w:g}: {error}", "") from error
        return judged(images, wished, trained.images.train, trained.settings.data.name, self.num_classes)

    @property
    @done_once
    def real_share(self) -> float:
        """Of unseen real images: how many the classifier takes for their own class."""
        images, data = self.trained.test_images, self.trained.settings.data.name
        seen = probabilities(classifier_of(data).network, images).argmax(1)
        return (seen == self.test_labels).double().mean().item()


def classifier_of(data: str) -> classifier.Shipped:
    """Raises NotJudged where none is shipped."""
    try:
        return classifier.load(data)
    except UserError as error:
        raise NotJudged(str(error)) from error


def judged(images: Tensor, wished: Tensor, train: Tensor, data: str, num_classes: int) -> GuidedSamples:
    """Samples (N, C, H, W) of the wished classes (N,), beside training images, uint8 (M, C, H, W)."""
    as_bytes = to_bytes(images)
    seen = probabilities(classifier_of(data).network, as_bytes).argmax(1)
    by_class = shares_of(seen, wished, num_classes)
    share = (seen == wished).double().mean().item()
    found = fidelity(as_bytes, train[:REAL], data)
    return GuidedSamples(images, wished, share, by_class, found["fid"], found["recall"])


def in_words(found: dict[float, GuidedSamples]) -> str:
    """of the wished class 10 % at w = 0, 97 % at w = 1; FID 11.6, 1.2; coverage 0.89, 0.88"""
    shares = ", ".join(f"{of.share:.0%} at w = {w:g}" for w, of in found.items())
    fids = ", ".join(f"{of.fid:.1f}" for of in found.values())
    coverages = ", ".join(f"{of.coverage:.2f}" for of in found.values())
    return f"of the wished class {shares}; FID {fids}; coverage {coverages}"
