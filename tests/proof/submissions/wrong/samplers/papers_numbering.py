"""The loop runs over the paper's T … 1, and the network is given that number, one more than it was trained with.

Caught by: level4.trace.every_step_once
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def _denoise(self, x, eps, index):
        d = self.diffusion
        mean = d.extract(d.sqrt_recip_alpha, index, x.shape) * (
            x - d.extract(d.betas, index, x.shape) / d.extract(d.sqrt_one_minus_alpha_bar, index, x.shape) * eps
        )
        return mean + d.extract(d.posterior_variance, index, x.shape).sqrt() * torch.randn_like(x)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        return self._denoise(x_t, model(x_t, t), t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in range(self.diffusion.num_timesteps, 0, -1):
            t = torch.full((shape[0],), i, device=self.device)
            x = self._denoise(x, model(x, t), t - 1)
        return x.clamp(-1, 1)
