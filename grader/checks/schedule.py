"""The judge's own noise schedule, in float64, from the same three numbers as the submission's."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor


class ScheduleAt(NamedTuple):
    """The schedule at one timestep, as plain numbers."""

    beta: float
    alpha: float
    alpha_bar: float
    alpha_bar_prev: float  # alpha_bar one step earlier; 1 at t = 0
    beta_tilde: float  # Eq. 7; 0 at t = 0


@dataclass(frozen=True)
class Schedule:
    """Linear betas; t = 0 is the least noisy step, as in assignment/ddpm/diffusion.py."""

    T: int
    beta_start: float
    beta_end: float

    @cached_property
    def beta(self) -> Tensor:
        return torch.linspace(self.beta_start, self.beta_end, self.T, dtype=torch.float64)  # (T,)

    @cached_property
    def alpha_bar(self) -> Tensor:
        return (1 - self.beta).cumprod(0)  # (T,)

    @cached_property
    def alpha_bar_prev(self) -> Tensor:
        return torch.cat([self.alpha_bar.new_ones(1), self.alpha_bar[:-1]])  # (T,)

    @cached_property
    def posterior_variance(self) -> Tensor:
        return self.beta * (1 - self.alpha_bar_prev) / (1 - self.alpha_bar)  # (T,)

    @property
    def visits(self) -> list[int]:
        """The timesteps at which a sampler asks the network, in order."""
        return list(range(self.T - 1, -1, -1))

    @property
    def about(self) -> str:
        return f"T = {self.T} steps"

    def at(self, t: int) -> ScheduleAt:
        """A t beyond either end counts as that end."""
        t = min(max(t, 0), self.T - 1)
        beta = self.beta[t].item()
        return ScheduleAt(
            beta, 1 - beta, self.alpha_bar[t].item(), self.alpha_bar_prev[t].item(), self.posterior_variance[t].item()
        )


@dataclass(frozen=True)
class OtherSchedule(Schedule):
    """Betas by a rule of their own, as in samplers that don't take them from `diffusion`."""

    rule: Callable[[int], Tensor]  # T → (T,) or more, float64

    @cached_property
    def beta(self) -> Tensor:
        return self.rule(self.T).clamp(0, 0.9999)  # alpha stays above 0
