"""Your sampler (level 4): Algorithm 2 of Ho et al. 2020, from pure noise to an image.

Try it with    uv run python main.py --config configs/digits.yaml --solution --custom-sampler
"""

from collections.abc import Callable

import torch
from torch import Tensor

from assignment.ddpm.diffusion import GaussianDiffusion


class DDPMSampler:
    """The reverse process. `diffusion` holds every schedule you need, and the index convention (see diffusion.py)."""

    def __init__(self, diffusion: GaussianDiffusion, device: torch.device | str) -> None:
        self.diffusion = diffusion
        self.device = torch.device(device)

    def p_sample(self, model: Callable[[Tensor, Tensor], Tensor], x_t: Tensor, t: Tensor) -> Tensor:
        """One reverse step, x_t → x_{t-1}, in which every image has its own t: those of a batch may differ.

        So `if t > 0:` can't be asked of a batch, and a coefficient is looked up for each image: see diffusion.extract.

        Args:
            model: eps_hat = model(x_t, t)
            x_t: (B, C, H, W)
            t: (B,), integers in [0, T), one for each image
        Returns:
            x_{t-1} (B, C, H, W); without noise for the images at t = 0, the last step
        """
        raise NotImplementedError("DDPMSampler.p_sample: Eq. 11 plus noise, about 5 lines")

    def sample(self, model: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, int, int, int]) -> Tensor:
        """Images from noise: start at x_T ~ N(0, I) of `shape` (B, C, H, W) visit t = T-1, …, 0 → x_0 in [-1, 1].

        All images take the same step here; model and p_sample get it as integers, (B,). The result is float32.
        """
        raise NotImplementedError("DDPMSampler.sample: Algorithm 2, about 6 lines")
