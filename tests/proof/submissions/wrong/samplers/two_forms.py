"""p_sample adds noise of variance beta, sample has a step of its own with beta-tilde: both right, but not mixed.

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
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - beta / root * model(x_t, t))
        return mean + (t > 0).view(-1, 1, 1, 1) * beta.sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        T = self.diffusion.num_timesteps
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(T)):
            t = torch.full((shape[0],), i, device=self.device)
            eps = model(x, t)
            x = self.step(x, eps, t)
        return x.clamp(-1, 1)
