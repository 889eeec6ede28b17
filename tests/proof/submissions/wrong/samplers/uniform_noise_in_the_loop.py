"""The loop of sample has a step of its own, with uniform noise of the right variance; p_sample is right.

Caught by: level4.end_to_end
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
        d = self.diffusion
        for i in reversed(range(T)):
            t = torch.full((shape[0],), i, device=self.device)
            eps = model(x, t)
            sigma = d.posterior_variance[i].sqrt()
            z = (torch.rand_like(x) - 0.5) * 12**0.5
            x = d.sqrt_recip_alpha[i] * (x - d.betas[i] / d.sqrt_one_minus_alpha_bar[i] * eps) + sigma * z
        return x.clamp(-1, 1)
