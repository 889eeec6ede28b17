"""The noise has the variance of step t - 1: within 1 % of the right spread at T = 1000.

Caught by: level4.step.variance
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)
        mean = (x_t - beta / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * model(x_t, t)) / (1 - beta).sqrt()
        t_prev = torch.clamp(t - 1, min=0)
        sigma = d.extract(d.posterior_variance, t_prev, x_t.shape).sqrt()
        return mean + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
