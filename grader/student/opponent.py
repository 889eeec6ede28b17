"""The reference as level 2's opponent: the triples that decide, and its losses on them.

The triples follow from the course's secret, or from the seed, so that no submission knows their noise. The reference's
losses on them are measured with its recorded weights: for a secret once a class, as all its submissions get the same
triples. Where the weights are missing, as in the students' copy, and where the seed is public, the triples are public
ones, for which the losses are recorded.
"""

import hashlib
from dataclasses import astuple
from pathlib import Path

import torch
from torch import Tensor

from assignment.ddpm.config import Config, load_config
from assignment.ddpm.errors import UserError
from assignment.ddpm.runner import Runner
from grader import ROOT
from grader.checks.finding import NotJudged
from grader.metrics.kept_losses import kept, name_of
from grader.metrics.reference import load_network, measure_losses
from grader.metrics.triples import LOOKS, Triples, draw_triples
from grader.student.once import done_once
from grader.student.trained_network import TrainedNetwork
from grader.submission.seed import FROM_SECRET

SAMPLE = 128  # public triples on which weights are compared with the record
# of the loss: two CPUs differ by 1e-7, TF32 on a GPU may by 1e-3; weights off by 5 % of their size differ by 0.02
SAME = 0.01


class Opponent:
    """The reference for one configuration, in one grading."""

    def __init__(self, trained: TrainedNetwork) -> None:
        self.trained, self.record = trained, trained.record
        self.again = f"make reference CONFIG={trained.config_shown}"
        if not trained.reference_has_learnt:
            raise NotJudged(f"the recorded reference has learnt too little: {self.again}")
        as_recorded = load_config(trained.config_file)
        if _what_it_learns(as_recorded) != _what_it_learns(trained.settings):
            raise NotJudged(
                f"the reference was trained as {trained.config_shown} says: leave model.… and diffusion.… as they are"
            )
        self.weights = ROOT / self.record.figures["weights"]
        self.key = trained.chosen_seed.shared if self.weights.is_file() else b""

    @property
    def follow_from(self) -> str:
        """What the triples follow from: `secret`, `seed` or `nothing`."""
        if not self.key:
            return "nothing"
        return "secret" if self.trained.chosen_seed.origin == FROM_SECRET else "seed"

    @property
    def in_words(self) -> str:
        """Which triples these are."""
        if self.key:
            known = "the course's secret" if self.follow_from == "secret" else "the seed of this grading"
            return f"on triples that follow from {known}"
        if self.trained.chosen_seed.shared:
            return "on public triples, which a network could know, as the reference's weights are not here"
        return "on public triples"

    @property
    def looks(self) -> int:
        """How many looks at the validation images may be taken."""
        return len(LOOKS) if self.key else self.record.looks

    def triples(self, part: str, look: int) -> Triples:
        images = self.trained.test_images if part == "test" else self.trained.images.validation
        return draw_triples(images, self.trained.diffusion.num_timesteps, look, part=part, key=self.key)

    def losses(self, part: str, look: int, triples: Triples) -> Tensor:
        """The reference's on these triples, (N,) float64. Raises NotJudged if there are none to compare with."""
        if not self.key:
            recorded = self.record.look(part, look, triples)
            if recorded is None:
                raise NotJudged(
                    f"torch {torch.__version__} draws other noise than the reference's record knows: {self.again}"
                )
            return recorded
        return self.measured(triples, f"the reference's loss, {part} images")

    def measured(self, triples: Triples, what: str) -> Tensor:
        """The same for any triples, by its weights. Raises NotJudged where these are not those of the record."""

        def measure() -> Tensor:
            return self._measure(triples, what)

        if self.follow_from != "secret":  # nobody else gets these triples
            return measure()
        settings = self.trained.settings
        about = (_digest(self.weights), self.trained.kind, astuple(settings.model), astuple(settings.diffusion))
        return kept(name_of(triples, *about), len(triples.t), measure)

    def _measure(self, triples: Triples, what: str) -> Tensor:
        trained = self.trained
        return measure_losses(self._network, trained.diffusion, triples, torch.device(trained.submission.device), what)

    @property
    @done_once
    def _network(self) -> Runner:
        """Raises NotJudged where the weights are not those of the record."""
        trained, device = self.trained, torch.device(self.trained.submission.device)
        try:
            network, _ = load_network(trained.settings.model, self.weights, device)
        except UserError as error:
            raise NotJudged(f"{error}: {self.again}") from error
        public = draw_triples(trained.images.validation, trained.diffusion.num_timesteps, 0, part="validation")
        recorded = self.record.look("validation", 0, public)
        if recorded is not None:  # else another torch draws other noise, and nothing can be compared
            few, recorded = public.first(SAMPLE), recorded[:SAMPLE]
            now = measure_losses(network, trained.diffusion, few, device, "the reference's weights")
            off = ((now - recorded).abs().mean() / recorded.mean()).item()
            if not off <= SAME:
                raise NotJudged(f"{self.weights} are not the weights whose losses are recorded: {self.again}")
        return network


def _what_it_learns(settings: Config) -> tuple[object, ...]:
    return settings.data.name, settings.model, settings.diffusion


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
