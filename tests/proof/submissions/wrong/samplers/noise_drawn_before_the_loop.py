"""sample draws one z before its loop and hands it to every step; a step called alone draws its own.

Caught by: level4.step.fresh_noise
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t, noise=None):
        d = self.diffusion
        if noise is None:
            noise = torch.randn_like(x_t)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - d.extract(d.betas, t, x_t.shape) / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * model(x_t, t)
        )
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * noise

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        noise = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device), noise)
        return x.clamp(-1, 1)
