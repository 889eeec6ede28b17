"""Is what drew the samples a denoiser? Its answers to the held-out images among them, and to rows asked again."""

from typing import Any

import torch
from torch import Tensor

from assignment.ddpm.data import to_float
from grader.checks.denoises import STORE, bins_of, check_denoises, check_none_by_heart, check_same_alone
from grader.checks.finding import CheckFailed
from grader.metrics.companions import Asked, Companions, Predict
from grader.metrics.linear_denoiser import LinearDenoiser
from grader.metrics.randomness import randomness
from grader.student.once import done_once
from grader.student.trained_network import BATCH, TrainedNetwork

AGAIN = 256  # held-out images, and as many samples, that are asked for after the drawing …
TRAINING = 512  # … among training images; of a store of one in 40, a dozen are met


class TrainedDenoiser:
    """A network that samples were drawn from, judged by what stood among them. Computed once."""

    def __init__(self, trained: TrainedNetwork, companions: Companions, *, autocast: bool) -> None:
        self.trained, self.companions, self.autocast = trained, companions, autocast
        self.luck = randomness(trained.chosen_seed.shared, "again", trained.seed)

    @property
    @done_once
    def linear(self) -> LinearDenoiser:
        return LinearDenoiser(self.trained.images.train, self.trained.diffusion)

    @property
    @done_once
    def losses(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of network and linear denoiser on the held-out images among the samples, and their t; (N,) each."""
        asked, noise = self.companions.held_out, self.companions.noise
        return _loss(asked.y, noise), _loss(self.linear(asked.x_t, asked.t), noise), asked.t

    def check_denoises(self) -> dict[str, object]:
        """Judge the loss on the held-out images, and that no answer came of the company it was given in."""
        trained = self.trained
        found = check_denoises(*self.losses, trained.diffusion.num_timesteps, trained.wanted.denoises)
        among, again, other, _, _ = self.asked_again
        try:
            alone = check_same_alone(among, again, other)
        except CheckFailed as failed:
            failed.measurements = found | _alone(failed.measurements)
            raise
        return found | _alone(alone)

    def check_none_by_heart(self) -> dict[str, float]:
        """Judge whether training images are denoised far better than the held-out ones."""
        steps = self.trained.diffusion.num_timesteps
        loss, linear, t = self.losses
        _, _, _, training, asked_t = self.asked_again
        bins = bins_of(t, steps)
        low = (bins >= 0) & (bins < STORE)
        return check_none_by_heart(training, (loss / linear)[low], bins_of(asked_t, steps), bins[low])

    @property
    @done_once
    def asked_again(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Rows from the drawing, in another process and in two other orders, among training images.

        Returns:
            answers given in the drawing, and twice afterwards, (N, C, H, W) each; losses on the training images as
            parts of the linear denoiser's, (M,), and their t, (M,)
        """
        kept = self.companions
        some = [of[self.luck.order(len(of.t))[:AGAIN]] for of in (kept.held_out, kept.samples)]
        rows = Asked.all_of(some)
        x_t, t, noise = self._training_rows()
        asked, steps = torch.cat([rows.x_t, x_t]), torch.cat([rows.t, t])
        self.trained.submission.stop()  # clears whatever it has noted while it drew
        network = self.trained.network()

        def predict(x: Tensor, t: Tensor) -> Tensor:
            return network(x, t, autocast=self.autocast)

        first, second = (self._in_some_order(predict, asked, steps) for _ in range(2))
        n = len(rows.t)
        part = _loss(first[n:], noise) / _loss(self.linear(x_t, t), noise)
        return rows.y, first[:n], second[:n], part, t

    def _training_rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """Training images, noised to small t at which samples were drawn: x_t, t, noise."""
        luck, trained = self.luck, self.trained
        bins = bins_of(self.companions.held_out.t, trained.diffusion.num_timesteps)
        among = self.companions.held_out.t[(bins >= 0) & (bins < STORE)]
        t = among[luck.below(len(among), TRAINING)]
        images = trained.images.train[luck.below(len(trained.images.train), TRAINING)]
        noise = luck.normal(*images.shape)
        return trained.diffusion.q_sample(to_float(images), t, noise), t, noise

    def _in_some_order(self, predict: Predict, x: Tensor, t: Tensor) -> Tensor:
        order = self.luck.order(len(t))
        y = torch.empty_like(x)
        y[order] = torch.cat([predict(x[part], t[part]) for part in order.split(BATCH[self.trained.kind])])
        return y


def _alone(measured: dict[str, Any]) -> dict[str, Any]:
    return {f"alone_{key}": value for key, value in measured.items()}


def _loss(y: Tensor, noise: Tensor) -> Tensor:
    """(N, C, H, W) each → (N,) float64."""
    return (y - noise).double().square().flatten(1).mean(1)
