"""The reference sampler: ancestral sampling, Algorithm 2 of Ho et al. 2020."""

import torch
from torch import Tensor, nn

from assignment.ddpm.diffusion import GaussianDiffusion


class DDPMSampler:
    """The eps form of the mean (Eq. 11), variance beta-tilde (Eq. 7), one clamp at the very end."""

    def __init__(self, diffusion: GaussianDiffusion, device: torch.device | str) -> None:
        self.diffusion = diffusion
        self.device = torch.device(device)

    @torch.no_grad()
    def p_sample(self, model: nn.Module, x_t: Tensor, t: Tensor) -> Tensor:
        """One reverse step: x_t (B, C, H, W), t (B,) → x_{t-1} (B, C, H, W)."""
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)  # (B, 1, 1, 1)
        sqrt_one_minus_alpha_bar = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        sqrt_recip_alpha = d.extract(d.sqrt_recip_alpha, t, x_t.shape)
        sigma = d.extract(d.posterior_variance, t, x_t.shape).sqrt()  # 0 at t = 0: the last step adds no noise

        mean = sqrt_recip_alpha * (x_t - beta / sqrt_one_minus_alpha_bar * model(x_t, t))
        return mean + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model: nn.Module, shape: tuple[int, int, int, int]) -> Tensor:
        """x_T ~ N(0, I) of `shape` (B, C, H, W) → x_0 in [-1, 1]. Leaves the model in eval mode."""
        model.eval()
        x = torch.randn(shape, device=self.device)
        for step in reversed(range(self.diffusion.num_timesteps)):
            t = torch.full(shape[:1], step, device=self.device)  # (B,)
            x = self.p_sample(model, x, t)
        return x.clamp(-1, 1)
