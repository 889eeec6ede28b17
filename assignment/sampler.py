"""Your sampler (level 4): Algorithm 2 of Ho et al. 2020, from pure noise to an image.

Try it with    uv run python main.py --config configs/digits.yaml --solution --custom-sampler
Below it, DDIMSampler (level 5) and guided_eps (level 6) are optional: leave them as they are if your course does not
ask for them.
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
        """Images from noise: start at x_T ~ N(0, I) of `shape` (B, C, H, W), then visit t = T-1, …, 0 → x_0 in [-1, 1].

        All images take the same step here; model and p_sample get it as integers, (B,). The model is in eval mode, and
        no gradients are recorded. The result is float32.
        """
        raise NotImplementedError("DDPMSampler.sample: Algorithm 2, about 6 lines")


class DDIMSampler:
    """Level 5, optional: the same network in few steps, by DDIM (Song et al. 2021, arXiv 2010.02502).

    Of the T timesteps only `steps` are visited, 2 ≤ steps ≤ T: evenly spaced from T-1 down to 0, both included, and
    rounded to integers. The paper's alpha (no bar) is our alpha_bar; after the last step, from t = 0, there is no noise
    left, so there it is 1. That end is called t = -1: mind that alpha_bar[-1] is the *last* entry of a tensor.
    """

    def __init__(self, diffusion: GaussianDiffusion, device: torch.device | str, steps: int, eta: float) -> None:
        self.diffusion = diffusion
        self.device = torch.device(device)
        self.steps = steps
        self.eta = eta  # 0: no noise at all; 1: as much as DDPM with posterior_variance

    def p_sample(
        self, model: Callable[[Tensor, Tensor], Tensor], x_t: Tensor, t: Tensor, t_prev: Tensor
    ) -> Tensor:  # fmt: skip
        """One step, x_t → x_{t_prev}, over as many timesteps as lie between; x_0 is not clipped on the way.

        Args:
            model: eps_hat = model(x_t, t)
            x_t: (B, C, H, W)
            t: (B,), integers in [0, T), one for each image
            t_prev: (B,), integers in [-1, t), one for each image; -1 means the finished image
        Returns:
            x_{t_prev} (B, C, H, W)
        """
        raise NotImplementedError("DDIMSampler.p_sample: Eq. 12, with sigma by Eq. 16, about 8 lines")

    def sample(self, model: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, int, int, int]) -> Tensor:
        """Images from noise of `shape` (B, C, H, W) in `steps` calls of the model → x_0 in [-1, 1], float32.

        The model and p_sample get the timesteps themselves, not their numbers among those visited.
        """
        raise NotImplementedError("DDIMSampler.sample: choose the timesteps, then step through them, about 8 lines")


def guided_eps(
    model: Callable[[Tensor, Tensor, Tensor], Tensor], x_t: Tensor, t: Tensor, y: Tensor, w: float, num_classes: int
) -> Tensor:  # fmt: skip
    """Level 6, optional: the noise by classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598).

    w = 0 is the network's answer for "no class", w = 1 the one for the wished class, and w > 1 goes on in the same
    direction. So the paper's w is ours - 1.

    Args:
        model: eps_hat = model(x_t, t, y), each image by its own label; num_classes in place of a label is "no class"
        x_t: (B, C, H, W)
        t: (B,), integers in [0, T), one for each image
        y: (B,), integers in [0, num_classes), the wished class of each image
        w: how strongly; one for the whole batch
    Returns:
        (B, C, H, W), to be used in place of model(x_t, t)
    """
    raise NotImplementedError("guided_eps: Eq. 6, about 4 lines")
