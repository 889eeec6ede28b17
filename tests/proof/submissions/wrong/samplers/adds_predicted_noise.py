"""The predicted noise is added, not taken away.

Caught by: level4.step.mean
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def mean(self, x_t, t, eps):
        d = self.diffusion
        step = d.extract(d.betas, t, x_t.shape) / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        return d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t + step * eps)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        sigma = self.diffusion.extract(self.diffusion.posterior_variance, t, x_t.shape).sqrt()
        return self.mean(x_t, t, model(x_t, t)) + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
