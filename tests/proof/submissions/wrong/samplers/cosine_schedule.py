"""Eq. 11 on a cosine schedule of its own, as another paper trains with.

Caught by: level4.step.mean
Hint: on a cosine schedule
"""

import math

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.device = device
        self.T = diffusion.num_timesteps
        steps = torch.arange(self.T + 1, dtype=torch.float64) / self.T
        f = torch.cos((steps + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = torch.clip(1 - f[1:] / f[:-1], 0, 0.999).float().to(device)
        self.betas = betas
        self.alphas = 1.0 - betas
        self.alphas_cumprod = torch.cumprod(self.alphas, dim=0)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        beta = self.betas[t].view(-1, 1, 1, 1)
        alpha = self.alphas[t].view(-1, 1, 1, 1)
        alpha_bar = self.alphas_cumprod[t].view(-1, 1, 1, 1)
        mean = (x_t - beta / torch.sqrt(1 - alpha_bar) * model(x_t, t)) / torch.sqrt(alpha)
        return mean + (t > 0).view(-1, 1, 1, 1) * torch.sqrt(beta) * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.T)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
