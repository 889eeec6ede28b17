"""Eq. 11 with alpha_bar of the step before: within 3 % of the right spread at T = 1000.

Caught by: level4.step.mean
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        first = diffusion.alpha_bar[:1]
        self.alpha_bar = torch.cat([first, diffusion.alpha_bar[:-1]])

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)
        alpha_bar = d.extract(self.alpha_bar, t, x_t.shape)
        mean = (x_t - beta / (1 - alpha_bar).sqrt() * model(x_t, t)) * d.extract(d.sqrt_recip_alpha, t, x_t.shape)
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
