"""Noise is left out only where all images are at t = 0.

Caught by: level4.step.mixed_t
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion, self.device = diffusion, device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d, shape = self.diffusion, x_t.shape
        eps = model(x_t, t)
        x_0 = (x_t - d.extract(d.sqrt_one_minus_alpha_bar, t, shape) * eps) / d.extract(d.sqrt_alpha_bar, t, shape)
        x_0 = x_0.clamp(-1, 1)
        alpha, alpha_bar = d.extract(d.alphas, t, shape), d.extract(d.alpha_bar, t, shape)
        prev = alpha_bar / alpha
        mean = (prev.sqrt() * (1 - alpha) * x_0 + alpha.sqrt() * (1 - prev) * x_t) / (1 - alpha_bar)
        z = torch.zeros_like(x_t) if (t == 0).all() else torch.randn_like(x_t)
        return mean + torch.sqrt(1 - alpha) * z

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
