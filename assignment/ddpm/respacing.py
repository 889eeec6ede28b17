"""A schedule of fewer steps: every k-th step of another one, to draw samples sooner.

Nichol & Dhariwal 2021 (arXiv 2102.09672, section 4): it has the same alpha_bar at the steps that it keeps. The network
is called with its own t, so nothing changes for it.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from assignment.ddpm.diffusion import GaussianDiffusion


class Respaced(GaussianDiffusion):
    """Every k-th step of another schedule, as a schedule of its own; `timesteps` (S,) lists which."""

    def __init__(self, diffusion: GaussianDiffusion, steps: int) -> None:
        last = diffusion.num_timesteps - 1
        self.timesteps = torch.linspace(0, last, min(steps, last + 1), dtype=torch.float64).round().long()  # (S,)
        self.num_timesteps, self.device = len(self.timesteps), diffusion.device
        alpha_bar = diffusion.alpha_bar.cpu().double()[self.timesteps]  # (S,)
        self._follow(1 - alpha_bar / torch.cat([alpha_bar.new_ones(1), alpha_bar[:-1]]))


class WithItsOwnT(nn.Module):
    """A network as a sampler on a respaced schedule calls it: t counts the steps that are kept."""

    def __init__(self, predict: Callable[..., Tensor], timesteps: Tensor) -> None:
        super().__init__()
        self.predict, self.timesteps = predict, timesteps

    def forward(self, x: Tensor, t: Tensor, *y: Tensor) -> Tensor:
        """x (B, C, H, W), t (B,) in [0, S), labels y (B,) if there are any → predicted noise (B, C, H, W)."""
        return self.predict(x, self.timesteps.to(t.device)[t], *y)
