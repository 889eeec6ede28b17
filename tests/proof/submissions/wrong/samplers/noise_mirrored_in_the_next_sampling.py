"""Every second sampling of a shape gets the noise of the one before with its sign changed.

Caught by: level4.step.fresh_noise
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        self.kept = {}

    def step(self, x, eps, t, z):
        d = self.diffusion
        beta = d.extract(d.betas, t, x.shape)
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x.shape) * (x - beta / root * eps)
        return mean + d.extract(d.posterior_variance, t, x.shape).sqrt() * z

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        return self.step(x_t, model(x_t, t), t, torch.randn_like(x_t))

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        T = self.diffusion.num_timesteps
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(T)):
            t = torch.full((shape[0],), i, device=self.device)
            eps = model(x, t)
            z = self.kept.pop((i, shape), None)
            if z is None:
                z = torch.randn_like(x)
                self.kept[i, shape] = -z
            x = self.step(x, eps, t, z)
        return x.clamp(-1, 1)
