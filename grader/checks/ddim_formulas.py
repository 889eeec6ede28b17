"""DDIM's step (Song et al. 2021, arXiv 2010.02502), as formulas of `step_formulas`: on a Subsequence, from i to i − 1.

The paper's alpha is our alpha_bar. Eta is the subsequence's, so steps of several etas can be judged together.
"""

import math

import torch
from torch import Tensor

from grader.checks.gaussian_world import GaussianOracle
from grader.checks.schedule import Schedule
from grader.checks.step_formulas import Mean, Sigma, x0_estimate
from grader.checks.subsequence import Subsequence


def subsequence(s: Schedule) -> Subsequence:
    assert isinstance(s, Subsequence), "DDIM's formulas are of two timesteps, and of eta"
    return s


def ddim_sigma(s: Schedule, i: int) -> float:
    """Eq. 16: eta times the root of beta-tilde; 0 in the last step."""
    return subsequence(s).eta * math.sqrt(s.at(i).beta_tilde)


def with_sigma(sigma: Sigma) -> Mean:
    """The mean of Eq. 12 that goes with a sigma, be it the right one: a root that is not there counts as 0."""

    def mean(s: Schedule, i: int, x: Tensor, eps: Tensor) -> Tensor:
        h = s.at(i)
        rest = max(1 - h.alpha_bar_prev - sigma(s, i) ** 2, 0.0)
        return math.sqrt(h.alpha_bar_prev) * x0_estimate(h, x, eps) + math.sqrt(rest) * eps

    return mean


ddim_mean: Mean = with_sigma(ddim_sigma)

Moments = tuple[float, float]


def expected_moments(s: Subsequence, oracle: GaussianOracle) -> Moments:
    """Mean and standard deviation of what DDIM makes of the Gaussian world's noise, exactly."""
    m, v = 0.0, 1.0
    for i in reversed(range(s.T)):
        offset, gain = affine(s, oracle, i)
        m, v = gain * m + offset, gain**2 * v + ddim_sigma(s, i) ** 2
    return m, math.sqrt(v)


def affine(s: Subsequence, oracle: GaussianOracle, i: int) -> tuple[float, float]:
    """Offset and gain of a step's mean in the Gaussian world, which is linear in x: two points determine it."""
    x = torch.tensor([[0.0], [1.0]], dtype=torch.float64)  # (2, 1)
    offset, there = ddim_mean(s, i, x, oracle(x, s.timesteps[i])).flatten().tolist()
    return offset, there - offset
