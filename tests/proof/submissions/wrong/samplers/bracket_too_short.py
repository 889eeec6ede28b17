"""Operator precedence: 1 / sqrt(alpha) multiplies x_t only.

Caught by: level4.step.mean
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        recip = d.extract(d.sqrt_recip_alpha, t, x_t.shape)
        weight = d.extract(d.betas, t, x_t.shape) / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = recip * x_t - weight * model(x_t, t)
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * torch.randn_like(mean)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
