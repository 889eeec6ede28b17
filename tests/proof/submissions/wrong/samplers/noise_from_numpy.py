"""The noise comes from a numpy generator, which torch.manual_seed does not reach.

Caught by: level4.behaviour.reproducible
"""

import numpy as np
import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        self.rng = np.random.default_rng()

    def randn(self, shape):
        return torch.from_numpy(self.rng.standard_normal(tuple(shape), dtype=np.float32)).to(self.device)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        weight = d.extract(d.betas, t, x_t.shape) / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - weight * model(x_t, t))
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * self.randn(x_t.shape)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = self.randn(shape)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
