"""Noise schedules that people write into their sampler, where they should take `diffusion`'s."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from grader.checks.schedule import OtherSchedule, Schedule
from grader.checks.step_formulas import Mean, Sigma, clipped_form, eps_form, sigma_beta, sigma_beta_tilde

SHIPPED = (1e-4, 0.02)  # what published code writes where it should ask for the schedule


def _linear_betas(T: int) -> Tensor:
    return torch.linspace(*SHIPPED, T, dtype=torch.float64)


def _thousand_betas(T: int) -> Tensor:
    return torch.linspace(*SHIPPED, max(T, 1000), dtype=torch.float64)


def _rescaled_betas(T: int) -> Tensor:
    """Nichol & Dhariwal's: as much noise in all as in 1000 steps."""
    return torch.linspace(SHIPPED[0] * 1000 / T, SHIPPED[1] * 1000 / T, T, dtype=torch.float64)


def _quadratic_betas(first: float, last: float) -> Callable[[int], Tensor]:
    return lambda T: torch.linspace(math.sqrt(first), math.sqrt(last), T, dtype=torch.float64).square()


def _sigmoid_betas(T: int) -> Tensor:
    first, last = SHIPPED
    return torch.linspace(-6, 6, T, dtype=torch.float64).sigmoid() * (last - first) + first


def _cosine_betas(largest: float) -> Callable[[int], Tensor]:
    """Nichol & Dhariwal 2021, Eq. 17."""

    def betas(T: int) -> Tensor:
        when = torch.linspace(0, 1, T + 1, dtype=torch.float64)
        alpha_bar = ((when + 0.008) / 1.008 * math.pi / 2).cos().square()
        return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=largest)

    return betas


OWN_SCHEDULES: dict[str, tuple[Callable[[int], Tensor], ...]] = {
    "a cosine schedule": (_cosine_betas(0.999), _cosine_betas(0.9999)),
    "fixed betas from 1e-4 to 0.02": (_linear_betas, _thousand_betas, _rescaled_betas),
    "betas that grow by a square": (_quadratic_betas(*SHIPPED), _quadratic_betas(0.00085, 0.012)),
    "betas that grow by a sigmoid": (_sigmoid_betas,),
}
OWN_SCHEDULE = (
    "the network was trained with the schedule that `diffusion` has, so sampling has to use it too: take betas, alphas "
    "and alpha_bar from `diffusion`."
)


def _on(rule: Callable[[int], Tensor], s: Schedule) -> Schedule:
    return OtherSchedule(s.T, s.beta_start, s.beta_end, rule)


def own_means(rule: Callable[[int], Tensor]) -> tuple[Mean, Mean]:
    return (
        lambda s, t, x, eps: eps_form(_on(rule, s), t, x, eps),
        lambda s, t, x, eps: clipped_form(_on(rule, s), t, x, eps),
    )


def own_sigmas(rule: Callable[[int], Tensor]) -> tuple[Sigma, Sigma]:
    return lambda s, t: sigma_beta_tilde(_on(rule, s), t), lambda s, t: sigma_beta(_on(rule, s), t)
