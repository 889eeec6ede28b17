"""Coefficients (B,) and images meet in einsum."""

import torch
from torch import einsum


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion, self.device = diffusion, device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        keep = d.sqrt_recip_alpha[t]  # (B,)
        remove = keep * d.betas[t] / d.sqrt_one_minus_alpha_bar[t]  # (B,)
        sigma = d.posterior_variance[t].sqrt()  # (B,)
        weights = torch.stack([keep, -remove, sigma])  # (3, B)
        parts = torch.stack([x_t, model(x_t, t), torch.randn_like(x_t)])  # (3, B, C, H, W)
        return einsum("kb,kbchw->bchw", weights, parts)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        batch, *_ = shape
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((batch,), i, device=self.device))
        return x.clamp(-1.0, 1.0)
