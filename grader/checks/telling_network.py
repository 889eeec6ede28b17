"""A network whose share in every step shows: what the judge answers while a sampling is recorded.

A perfect network's answer is nearly a multiple of x_t where t is large, so that x / sqrt(1 − alpha_bar) could stand in
for it unseen. Here half of the pixels, others in each call, get noise on top.
"""

import torch
from torch import Tensor

from grader.checks.schedule import Schedule

SURPLUS = 2.0  # standard deviation of the noise on top, where there is any


class TellingNetwork:
    """eps_hat = network(x, t): by Eq. 4 that of an image in [−0.95, 0.95], plus noise for half of the pixels.

    Without the noise on top the estimate of x_0 stays inside of [−1, 1], where all right forms agree; with it they
    differ, and the coefficient of eps shows by itself. The image pulls x back, so that it never runs away.
    """

    def __init__(self, schedule: Schedule, seed: int) -> None:
        self.schedule, self.generator = schedule, torch.Generator().manual_seed(seed)
        self.x_0: Tensor | None = None  # (B, C, H, W), drawn with the first call

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """x (B, C, H, W), t (B,) or one number → (B, C, H, W) float32; a t beyond the schedule counts as its end."""
        if self.x_0 is None:
            self.x_0 = 1.9 * torch.rand(x.shape, generator=self.generator) - 0.95
        steps = t.long().flatten().clamp(0, self.schedule.T - 1)
        a_bar = self.schedule.alpha_bar[steps].view(-1, 1, 1, 1).float()
        eps = (x - a_bar.sqrt() * self.x_0) / (1 - a_bar).sqrt()
        on_top = torch.rand(x.shape, generator=self.generator) < 0.5
        return eps + SURPLUS * on_top * torch.randn(x.shape, generator=self.generator)
