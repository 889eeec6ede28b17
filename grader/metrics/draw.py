"""Draw samples from a network with the reference samplers, in all T steps or fewer (assignment/ddpm/respacing.py)."""

from collections.abc import Callable

import torch
from torch import Tensor

from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.respacing import Respaced, WithItsOwnT
from assignment.ddpm.sampling import draw_samples
from reference.sampler import DDIMSampler, DDPMSampler, guided_eps

Predict = Callable[..., Tensor]


def guided(network: Predict, w: float, num_classes: int) -> Predict:
    """A network with classes by the reference's guidance: (x, t, y) → predicted noise."""
    return lambda x, t, y: guided_eps(network, x, t, y, w, num_classes)


def draw(
    predict: Predict,
    diffusion: GaussianDiffusion,
    num_images: int,
    shape: tuple[int, int, int],
    *,
    steps: int,
    seed: int,
    batch_size: int | None = None,
    labels: Tensor | None = None,
) -> Tensor:
    """Draw `num_images` of `shape` (C, H, W) → (num_images, C, H, W) in [-1, 1], on the CPU.

    Args:
        predict: x_t (B, C, H, W), t (B,) on the diffusion's device → predicted noise; with labels, y (B,) follows
        labels: (num_images,), the wished classes
        steps: of the sampler, at most T
    """
    respaced = Respaced(diffusion, steps)
    return draw_samples(
        DDPMSampler(respaced, respaced.device), WithItsOwnT(predict, respaced.timesteps), num_images, shape,
        num_timesteps=respaced.num_timesteps, device=respaced.device, seed=seed, batch_size=batch_size,
        labels=labels,
    )  # fmt: skip


def draw_ddim(
    predict: Predict,
    diffusion: GaussianDiffusion,
    num_images: int,
    shape: tuple[int, int, int],
    *,
    steps: int,
    seed: int,
    batch_size: int | None = None,
    labels: Tensor | None = None,
) -> Tensor:
    """The same with DDIM without noise (Song et al. 2021), in `steps` of the T timesteps."""
    own = torch.arange(diffusion.num_timesteps)  # this sampler calls the network with its own t
    return draw_samples(
        DDIMSampler(diffusion, diffusion.device, steps, eta=0.0), WithItsOwnT(predict, own), num_images, shape,
        num_timesteps=steps, device=diffusion.device, seed=seed, batch_size=batch_size,
        labels=labels,
    )  # fmt: skip


def to_bytes(samples: Tensor) -> Tensor:
    """[-1, 1] → uint8, rounded, any shape; the caller has rejected values that are not finite or out of range."""
    return ((samples + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
