"""p_sample clips its estimate of x_0, the step of sample doesn't: both right, but one of them throughout.

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
        signal, noise = (d.extract(v, t, x_t.shape) for v in (d.sqrt_alpha_bar, d.sqrt_one_minus_alpha_bar))
        x_0 = ((x_t - noise * model(x_t, t)) / signal).clamp(-1, 1)
        return self.step(x_t, (x_t - signal * x_0) / noise, t)

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
