"""The timesteps that a DDIM sampler visits, as a schedule of their own, in which every step goes from i to i − 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from grader.checks.schedule import Schedule, ScheduleAt


@dataclass(frozen=True)
class Subsequence(Schedule):
    """Of a schedule, only some timesteps; they are counted by i = 0 … S−1 from the least noisy, and T is S here.

    Alpha_bar is that of the timesteps themselves (the paper's section 4.2), before the first it is 1. Beta and
    beta-tilde follow: those of DDPM, if it jumped so far.
    """

    whole: Schedule
    timesteps: tuple[int, ...]  # rising, (S,)
    eta: float

    @classmethod
    def of(cls, whole: Schedule, timesteps: Sequence[int], eta: float) -> "Subsequence":
        return cls(len(timesteps), whole.beta_start, whole.beta_end, whole, tuple(timesteps), eta)

    @classmethod
    def jump(cls, whole: Schedule, t: int, t_prev: int, eta: float) -> "Subsequence":
        """The one step from t to t_prev, which may be −1: that is its last step, `len(timesteps) − 1` → one below."""
        return cls.of(whole, [t] if t_prev < 0 else [t_prev, t], eta)

    @cached_property
    def alpha_bar(self) -> Tensor:
        return self.whole.alpha_bar[torch.tensor(self.timesteps)]  # (S,)

    @cached_property
    def beta(self) -> Tensor:
        return 1 - self.alpha_bar / self.alpha_bar_prev  # (S,)

    @property
    def visits(self) -> list[int]:
        return list(reversed(self.timesteps))

    @property
    def about(self) -> str:
        return f"{self.T} of T = {self.whole.T} timesteps, eta = {self.eta:g}"

    @property
    def last(self) -> int:
        """The number of the noisiest of them."""
        return len(self.timesteps) - 1

    def whole_at(self, i: int, by: int = 0) -> ScheduleAt:
        """The whole schedule at timestep i, or some timesteps beside it."""
        return self.whole.at(self.timesteps[i] + by)


def visited(T: int, steps: int) -> list[int]:
    """The timesteps of the convention by falling t: evenly spaced from T−1 to 0, both included, rounded."""
    return torch.linspace(T - 1, 0, steps, dtype=torch.float64).round().long().tolist()
