"""Losses of a finished training on frozen (image, t, noise) triples, beside the reference's on the same ones."""

from typing import Any

import torch
from torch import Tensor

from assignment.ddpm.progress import progress_bar
from grader.checks.beats_reference import Comparison, check_new_images, check_same_loss, compare, decide
from grader.metrics.new_images import new_images
from grader.metrics.randomness import randomness
from grader.metrics.triples import EDGES, losses, widths
from grader.student.network import Network
from grader.student.once import done_once
from grader.student.opponent import Opponent
from grader.student.outlook import longer, outlook
from grader.student.trained_network import BATCH, TrainedNetwork

AGAIN = 256  # triples, at most, of as many images
NEW = 1024  # … with images that nobody has


class TrainedLosses:
    """Everything that checks need to know about one training's losses, computed once."""

    def __init__(self, trained: TrainedNetwork) -> None:
        self.trained = trained

    @property
    @done_once
    def opponent(self) -> Opponent:
        """The reference. Raises NotJudged where there is none."""
        return Opponent(self.trained)

    @property
    def edges(self) -> list[int]:
        """The bins of t, by their edges."""
        return [round(edge * self.trained.diffusion.num_timesteps) for edge in EDGES]

    def look(self, network: Network, part: str, look: int) -> tuple[Tensor, ...]:
        """One look at a part of the data: losses of student and reference, bins of t, indices of images; (N,) each."""
        trained, triples = self.trained, self.opponent.triples(part, look)
        reference = self.opponent.losses(part, look, triples)
        with progress_bar(len(triples.t), "triples", f"loss, {part} images") as bar:
            student = losses(
                network, trained.diffusion, triples, batch_size=BATCH[trained.kind], progress=bar.update
            )  # fmt: skip
        self.latest = triples, student
        return student, reference, triples.bins, triples.index

    @property
    @done_once
    def on_validation(self) -> Comparison:
        """Look after look, until it is clear which loss is lower or no triples are left."""
        network, seen = self.trained.network(), []
        for look in range(self.opponent.looks):
            seen.append(self.look(network, "validation", look))
            student, reference, bins, index = (torch.cat(values) for values in zip(*seen, strict=True))
            found = compare(student, reference, bins, widths(), index)
            if decide(found, self.opponent.looks) != "open":
                break
        return found

    @property
    @done_once
    def asked_again(self) -> tuple[Tensor, Tensor]:
        """Losses of some validation triples among all others, and from a process that sees only these; (M,) each.

        Each is of another image, and the latest triples are taken: by then there was most to remember.
        """
        _ = self.on_validation
        triples, before = self.latest
        trained = self.trained
        order = randomness(trained.chosen_seed.shared, "loss again", trained.seed).order(len(triples.t)).tolist()
        rows = list({int(triples.index[row]): row for row in order}.values())[:AGAIN]
        trained.submission.stop()  # clears whatever it has noted
        return before[rows], losses(
            trained.network(), trained.diffusion, triples.at(rows), batch_size=BATCH[trained.kind]
        )

    @property
    @done_once
    def on_new_images(self) -> Comparison | None:
        """On validation images that are changed, so that nobody has them; None where everything is public anyway."""
        trained, opponent = self.trained, self.opponent
        if not opponent.key:
            return None
        # of noise of their own: whoever has the plain images knows the noise in those
        some = opponent.triples("new images", 0).first(NEW)
        some = some.of(new_images(some.images, randomness(opponent.key, "new images")))
        with progress_bar(len(some.t), "triples", "loss, new images") as bar:
            student = losses(
                trained.network(), trained.diffusion, some, batch_size=BATCH[trained.kind], progress=bar.update
            )
        reference = opponent.measured(some, "the reference's loss, new images")
        return compare(student, reference, some.bins, widths(), some.index)

    def check_they_count(self) -> dict[str, float]:
        """Judge whether the losses are those of a denoiser: the same when asked again, and on images nobody has."""
        same = check_same_loss(*self.asked_again)
        new = self.on_new_images
        return same | (check_new_images(self.on_validation, new) if new else {})

    @property
    @done_once
    def on_test(self) -> Comparison:
        student, reference, bins, index = self.look(self.trained.network(), "test", 0)
        return compare(student, reference, bins, widths(), index)

    @property
    def go_on(self) -> str:
        """How to go on, in sentences."""
        return outlook(self.trained)

    @property
    def longer(self) -> str:
        """The settings to train on with; empty where the network has to be changed."""
        return longer(self.trained)

    @property
    def along(self) -> list[dict[str, Any]]:
        """The reference's losses during its training: dicts with epoch and loss.

        They are recorded for the public triples; on these, the reference ends a little higher or lower, and so it will
        have stood on the way.
        """
        record = self.trained.record
        ratio = self.on_validation.reference / record.chosen["loss"]
        return [row | {"loss": ratio * row["loss"]} for row in record.chosen["milestones"]]
