"""A world in which the perfect network is known: images are Gaussian pixels.

If x_0 ~ N(m, s²), E[eps | x_t] is linear in x_t, every reverse step is linear, and mean and spread of the samples
follow from a recursion of two numbers.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.checks.schedule import Schedule
from grader.checks.step_formulas import RIGHT_SIGMAS, eps_form


@dataclass(frozen=True)
class GaussianOracle:
    """eps_hat = oracle(x, t): the perfect network for pixels from N(mean, std²)."""

    schedule: Schedule
    mean: float
    std: float

    def __call__(self, x: Tensor, t: Tensor | int) -> Tensor:
        """x (B, C, H, W), t (B,) or a number → (B, C, H, W) in x's dtype; a t beyond the schedule counts as its end."""
        steps = torch.as_tensor(t).long().flatten().clamp(0, self.schedule.T - 1)
        a_bar = self.schedule.alpha_bar[steps].view(-1, *[1] * (x.ndim - 1))
        slope = (1 - a_bar).sqrt() / (a_bar * self.std**2 + 1 - a_bar)
        return (slope * (x.double() - a_bar.sqrt() * self.mean)).to(x.dtype)

    def expected_moments(self, variance: str) -> tuple[float, float]:
        """Mean and standard deviation of what Algorithm 2 returns with one of RIGHT_SIGMAS, exactly."""
        s, sigma = self.schedule, RIGHT_SIGMAS[variance]
        m, v = 0.0, 1.0
        for t in reversed(range(s.T)):
            x = torch.tensor([[0.0], [1.0]], dtype=torch.float64)  # (2, 1)
            offset, there = eps_form(s, t, x, self(x, t)).flatten().tolist()  # linear: two points determine the step
            gain = there - offset
            m, v = gain * m + offset, gain**2 * v + (sigma(s, t) ** 2 if t else 0.0)
        return m, math.sqrt(v)
