"""Coefficients of shape (B,) meet x of shape (B, C, H, W) as they are.

Caught by: level4.contract.shapes
Hint: diffusion.extract(values, t, x_t.shape) gives (B, 1, 1, 1)
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta_t = d.betas[t]
        mean = d.sqrt_recip_alpha[t] * (x_t - beta_t * model(x_t, t) / d.sqrt_one_minus_alpha_bar[t])
        return mean + torch.sqrt(d.posterior_variance[t]) * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
