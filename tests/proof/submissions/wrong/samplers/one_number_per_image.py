"""z has the shape of t, so an image gets one number as its noise.

Caught by: level4.step.fresh_noise
Waits: level4.step.variance for step.fresh_noise
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
        sigma = d.extract(d.posterior_variance, t, x_t.shape).sqrt()
        return mean + sigma * torch.randn_like(sigma)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
