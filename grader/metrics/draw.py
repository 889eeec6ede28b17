"""Draw samples from a network with the reference sampler, in all T steps or in fewer.

Fewer steps follow Nichol & Dhariwal 2021 (arXiv 2102.09672, section 4): a schedule on a subset of the timesteps that
has the same alpha_bar there. The network is called with its own t, so nothing changes for it.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.sampling import draw_samples
from reference.sampler import DDPMSampler

Predict = Callable[[Tensor, Tensor], Tensor]


class Respaced(GaussianDiffusion):
    """Every k-th step of another schedule, as a schedule of its own; `timesteps` (S,) lists which."""

    def __init__(self, diffusion: GaussianDiffusion, steps: int) -> None:
        last = diffusion.num_timesteps - 1
        self.timesteps = torch.linspace(0, last, min(steps, last + 1), dtype=torch.float64).round().long()  # (S,)
        self.num_timesteps, self.device = len(self.timesteps), diffusion.device
        alpha_bar = diffusion.alpha_bar.cpu().double()[self.timesteps]  # (S,)
        self._follow(1 - alpha_bar / torch.cat([alpha_bar.new_ones(1), alpha_bar[:-1]]))


class _WithItsOwnT(nn.Module):
    def __init__(self, predict: Predict, timesteps: Tensor) -> None:
        super().__init__()
        self.predict, self.timesteps = predict, timesteps

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.predict(x, self.timesteps.to(t.device)[t])


def draw(
    predict: Predict,
    diffusion: GaussianDiffusion,
    num_images: int,
    shape: tuple[int, int, int],
    *,
    steps: int,
    seed: int,
    batch_size: int | None = None,
) -> Tensor:
    """Draw `num_images` of `shape` (C, H, W) → (num_images, C, H, W) in [-1, 1], on the CPU.

    Args:
        predict: x_t (B, C, H, W), t (B,) on the diffusion's device → predicted noise
        steps: of the sampler, at most T
    """
    respaced = Respaced(diffusion, steps)
    return draw_samples(
        DDPMSampler(respaced, respaced.device), _WithItsOwnT(predict, respaced.timesteps), num_images, shape,
        num_timesteps=respaced.num_timesteps, device=respaced.device, seed=seed, batch_size=batch_size,
    )  # fmt: skip


def to_bytes(samples: Tensor) -> Tensor:
    """[-1, 1] → uint8, rounded, any shape; the caller has rejected values that are not finite or out of range."""
    return ((samples + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
