"""The network's output stands in for the fresh noise z.

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
        noise = model(x_t, t)
        beta = d.extract(d.betas, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - beta / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * noise
        )
        sigma = d.extract(d.posterior_variance, t, x_t.shape).sqrt()
        return mean + sigma * noise

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
