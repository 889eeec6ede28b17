"""The last image of every batch is NaN, which is never larger than a limit.

Caught by: level4.contract.shapes
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def step(self, x, eps, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x.shape)
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x.shape) * (x - beta / root * eps)
        return mean + d.extract(d.posterior_variance, t, x.shape).sqrt() * torch.randn_like(x)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        return self.step(x_t, model(x_t, t), t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        T = self.diffusion.num_timesteps
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(T)):
            t = torch.full((shape[0],), i, device=self.device)
            eps = model(x, t)
            x = self.step(x, eps, t)
        return torch.cat([x[:-1].clamp(-1, 1), torch.full_like(x[-1:], torch.nan)])
