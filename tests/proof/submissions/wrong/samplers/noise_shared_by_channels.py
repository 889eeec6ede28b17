"""The three colours of an image share their noise.

Caught by: level4.step.fresh_noise
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        batch, _, height, width = x_t.shape
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - d.extract(d.betas / d.sqrt_one_minus_alpha_bar, t, x_t.shape) * model(x_t, t)
        )
        z = torch.randn(batch, 1, height, width, device=x_t.device)
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * z

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
