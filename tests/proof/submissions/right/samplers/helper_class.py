"""A helper class holds the coefficients of one batch of timesteps."""

from dataclasses import dataclass

import torch
from torch import Tensor

from assignment.ddpm.diffusion import GaussianDiffusion


@dataclass
class Coefficients:
    x_0: Tensor
    x_t: Tensor
    sigma: Tensor
    signal: Tensor
    noise: Tensor

    @classmethod
    def of(cls, d: GaussianDiffusion, t: Tensor, shape: torch.Size) -> "Coefficients":
        alpha_bar = d.extract(d.alpha_bar, t, shape)
        before = d.extract(d.alpha_bar, (t - 1).clamp(min=0), shape)
        before = torch.where(t.view(-1, 1, 1, 1) > 0, before, torch.ones_like(before))
        beta = d.extract(d.betas, t, shape)
        return cls(
            x_0=before.sqrt() * beta / (1 - alpha_bar),
            x_t=(1 - beta).sqrt() * (1 - before) / (1 - alpha_bar),
            sigma=(beta * (1 - before) / (1 - alpha_bar)).sqrt(),
            signal=alpha_bar.sqrt(),
            noise=(1 - alpha_bar).sqrt(),
        )


class DDPMSampler:
    def __init__(self, diffusion: GaussianDiffusion, device: torch.device) -> None:
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t: Tensor, t: Tensor) -> Tensor:
        c = Coefficients.of(self.diffusion, t, x_t.shape)
        x_0 = torch.clamp((x_t - c.noise * model(x_t, t)) / c.signal, -1, 1)
        return c.x_0 * x_0 + c.x_t * x_t + c.sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape) -> Tensor:
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full(shape[:1], i, device=self.device))
        return x.clamp(-1, 1)
