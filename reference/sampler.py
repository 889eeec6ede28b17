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
        """One reverse step: x_t (B, C, H, W), t (B,), one for each image → x_{t-1} (B, C, H, W)."""
        d = self.diffusion
        # Each image by its own t: a batch may mix timesteps. A coefficient taken from t[0] would be wrong for the rest.
        beta = d.extract(d.betas, t, x_t.shape)  # (B, 1, 1, 1)
        sqrt_one_minus_alpha_bar = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)  # (B, 1, 1, 1)
        sqrt_recip_alpha = d.extract(d.sqrt_recip_alpha, t, x_t.shape)  # (B, 1, 1, 1)
        # Eq. 7. The variance beta works as well (section 3.2), but then t = 0 has to be masked: beta[0] is not 0.
        sigma = d.extract(d.posterior_variance, t, x_t.shape).sqrt()  # 0 at t = 0: the last step adds no noise

        mean = sqrt_recip_alpha * (x_t - beta / sqrt_one_minus_alpha_bar * model(x_t, t))  # Eq. 11, (B, C, H, W)
        return mean + sigma * torch.randn_like(x_t)  # fresh noise at each step, independent for each pixel

    @torch.no_grad()
    def sample(self, model: nn.Module, shape: tuple[int, int, int, int]) -> Tensor:
        """x_T ~ N(0, I) of `shape` (B, C, H, W) → x_0 in [-1, 1]. Leaves the model in eval mode."""
        # Algorithm 2; its t = T, …, 1 is our T-1, …, 0
        model.eval()  # else dropout and batch statistics change the answer at each of the T steps
        x = torch.randn(shape, device=self.device)  # (B, C, H, W)
        for step in reversed(range(self.diffusion.num_timesteps)):
            t = torch.full(shape[:1], step, device=self.device)  # (B,), integer as `step` is
            x = self.p_sample(model, x, t)  # (B, C, H, W)
        return x.clamp(-1, 1)  # not earlier: a noisy x rightly goes beyond [-1, 1]
