"""The finished images are not clamped.

Caught by: level4.contract.range
"""

import torch
from torch import Tensor


class DDPMSampler:
    def __init__(self, diffusion, device) -> None:
        self.diffusion = diffusion
        self.device = torch.device(device)

    @torch.no_grad()
    def p_sample(self, model, x_t: Tensor, t: Tensor) -> Tensor:
        d = self.diffusion
        eps = model(x_t, t)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - d.extract(d.betas, t, x_t.shape) / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * eps
        )
        sigma = d.extract(d.posterior_variance, t, x_t.shape).sqrt()
        return mean + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape) -> Tensor:
        model.eval()
        x_t = torch.randn(shape, device=self.device)
        for t in reversed(range(self.diffusion.num_timesteps)):
            x_t = self.p_sample(model, x_t, torch.full((shape[0],), t, device=self.device))
        return x_t
