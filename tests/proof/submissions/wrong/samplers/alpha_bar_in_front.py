"""The factor in front of Eq. 11 is 1 / sqrt(alpha_bar).

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
        eps = model(x_t, t)
        inner = x_t - d.extract(d.betas, t, x_t.shape) / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * eps
        mean = inner / d.extract(d.sqrt_alpha_bar, t, x_t.shape)
        std = d.extract(d.posterior_variance, t, x_t.shape).sqrt()
        return mean + std * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        T = self.diffusion.num_timesteps
        for t in torch.arange(T - 1, -1, -1, device=self.device):
            x = self.p_sample(model, x, t.expand(shape[0]))
        return x.clamp(-1, 1)
