"""x_0 is clipped, the noise is derived again from it, and Eq. 11 gets that noise: the clipped form in disguise."""

import torch
from torch import Tensor


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def clean_eps(self, x_t: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        d = self.diffusion
        signal = d.extract(d.sqrt_alpha_bar, t, x_t.shape)
        noise = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        x_0 = ((x_t - noise * eps) / signal).clamp(-1.0, 1.0)
        return (x_t - signal * x_0) / noise

    @torch.no_grad()
    def p_sample(self, model, x_t: Tensor, t: Tensor) -> Tensor:
        d = self.diffusion
        eps = self.clean_eps(x_t, t, model(x_t, t))
        coefficient = d.betas / d.sqrt_one_minus_alpha_bar
        mean = d.sqrt_recip_alpha[t].view(-1, 1, 1, 1) * (x_t - coefficient[t].view(-1, 1, 1, 1) * eps)
        noise = torch.randn_like(x_t) * d.posterior_variance[t].sqrt().view(-1, 1, 1, 1)
        return mean + noise

    @torch.no_grad()
    def sample(self, model, shape) -> Tensor:
        model.eval()
        x = torch.randn(shape, device=self.device)
        steps = torch.arange(self.diffusion.num_timesteps - 1, -1, -1, device=self.device)
        for step in steps:
            x = self.p_sample(model, x, step.repeat(shape[0]))
        return x.clamp(-1, 1)
