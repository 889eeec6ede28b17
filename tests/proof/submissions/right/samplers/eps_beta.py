"""Eq. 11 with the larger variance, sigma² = beta ("fixedlarge"), and noise masked for each sample."""

import torch
from torch import Tensor

from assignment.ddpm.diffusion import GaussianDiffusion


class DDPMSampler:
    def __init__(self, diffusion: GaussianDiffusion, device) -> None:
        self.diffusion, self.device = diffusion, device

    @torch.no_grad()
    def p_sample(self, model, x_t: Tensor, t: Tensor) -> Tensor:
        def pick(values: Tensor) -> Tensor:
            return values[t][:, None, None, None]

        diff = self.diffusion
        alpha, alpha_bar, beta = pick(diff.alphas), pick(diff.alpha_bar), pick(diff.betas)
        mean = (x_t - (1 - alpha) / (1 - alpha_bar).sqrt() * model(x_t, t)) / alpha.sqrt()
        not_last = (t > 0).float()[:, None, None, None]
        return mean + not_last * beta.sqrt() * torch.randn(x_t.shape, device=x_t.device)

    @torch.no_grad()
    def sample(self, model, shape) -> Tensor:
        model.eval()
        img = torch.randn(*shape, device=self.device)
        for step in reversed(range(0, self.diffusion.num_timesteps)):
            t = torch.ones(shape[0], device=self.device, dtype=torch.int64) * step
            img = self.p_sample(model, img, t)
        return torch.clamp(img, -1.0, 1.0)
