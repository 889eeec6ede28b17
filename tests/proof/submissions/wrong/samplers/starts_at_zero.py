"""Sampling starts from the mean of x_T, zero, in place of a draw.

Caught by: level4.trace.starts_from_noise
"""

import torch
from torch import Tensor


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t: Tensor, t: Tensor) -> Tensor:
        d = self.diffusion
        beta = d.betas[t].view(len(t), 1, 1, 1)
        alpha_bar = d.alpha_bar[t].view(len(t), 1, 1, 1)
        mean = (x_t - beta * model(x_t, t) / (1 - alpha_bar) ** 0.5) / (1 - beta) ** 0.5
        return mean + (t > 0).view(len(t), 1, 1, 1) * beta**0.5 * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape) -> Tensor:
        model.eval()
        x = torch.zeros(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
