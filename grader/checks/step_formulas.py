"""One reverse step: the right formulas, and the form in which wrong ones are listed (wrong_means.py, wrong_sigmas.py).

A mean is a function (schedule, t, x_t, eps) → mean of x_{t-1}, tensors of any one shape; a sigma is a function
(schedule, t) → number.
"""

import math
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor

from grader.checks.schedule import Schedule, ScheduleAt

Mean = Callable[[Schedule, int, Tensor, Tensor], Tensor]
Sigma = Callable[[Schedule, int], float]
Formula = TypeVar("Formula", Mean, Sigma)

TINY = 1e-20  # in place of 1 - alpha_bar before the first step, which is 0: a wrong formula divides by it
INDEX = "In diffusion.py t = 0 is the least noisy step: index with t as it comes."  # ends hints


class Mistake(NamedTuple, Generic[Formula]):
    """A wrong formula and its hint; several formulas where either variance is possible, or x_0 may be clipped."""

    name: str
    hint: str
    formulas: tuple[Formula, ...]


# ---- right


def x0_estimate(h: ScheduleAt, x: Tensor, eps: Tensor) -> Tensor:
    """Eq. 4 solved for x_0."""
    return (x - math.sqrt(1 - h.alpha_bar) * eps) / math.sqrt(h.alpha_bar)


def posterior_weights(h: ScheduleAt) -> tuple[float, float]:
    """Weights of x_0 and x_t in Eq. 7."""
    c1 = math.sqrt(h.alpha_bar_prev) * h.beta / (1 - h.alpha_bar)
    c2 = math.sqrt(h.alpha) * (1 - h.alpha_bar_prev) / (1 - h.alpha_bar)
    return c1, c2


def eps_form(s: Schedule, t: int, x: Tensor, eps: Tensor) -> Tensor:
    """Eq. 11."""
    h = s.at(t)
    return (x - h.beta / math.sqrt(1 - h.alpha_bar) * eps) / math.sqrt(h.alpha)


def clipped_form(s: Schedule, t: int, x: Tensor, eps: Tensor) -> Tensor:
    """Eq. 7 with the x_0 estimate clipped to [-1, 1]; equal to Eq. 11 where nothing is clipped."""
    h = s.at(t)
    c1, c2 = posterior_weights(h)
    return c1 * x0_estimate(h, x, eps).clamp(-1, 1) + c2 * x


def sigma_beta(s: Schedule, t: int) -> float:
    return math.sqrt(s.at(t).beta)


def sigma_beta_tilde(s: Schedule, t: int) -> float:
    return math.sqrt(s.at(t).beta_tilde)


RIGHT_MEANS: dict[str, Mean] = {"eps form": eps_form, "clipped x_0": clipped_form}
RIGHT_SIGMAS: dict[str, Sigma] = {"beta-tilde": sigma_beta_tilde, "beta": sigma_beta}
