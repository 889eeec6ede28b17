"""Ancestral sampling, Algorithm 2 of Ho et al. 2020, by the scheduler of the diffusers library.

It draws the samples of levels 1 to 3. Level 4 asks for your own, without the library.
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.diffusion import GaussianDiffusion


class DDPMSampler:
    """Variance beta-tilde (Eq. 7), one clamp at the very end."""

    def __init__(self, diffusion: GaussianDiffusion, device: torch.device | str) -> None:
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler  # takes a second

        betas = diffusion.betas.cpu().numpy()  # (T,)
        self.scheduler = DDPMScheduler(len(betas), trained_betas=betas, variance_type="fixed_small", clip_sample=False)
        self.device = torch.device(device)

    @torch.no_grad()
    def p_sample(self, model: nn.Module, x_t: Tensor, t: Tensor) -> Tensor:
        """One reverse step: x_t (B, C, H, W), t (B,) → x_{t-1} (B, C, H, W)."""
        eps, x = model(x_t, t), torch.empty_like(x_t)  # (B, C, H, W) each
        for step in t.unique().tolist():  # the library takes one t for a whole batch
            mine = t == step  # (B,) bool
            x[mine] = self.scheduler.step(eps[mine], step, x_t[mine]).prev_sample
        return x

    @torch.no_grad()
    def sample(self, model: nn.Module, shape: tuple[int, int, int, int]) -> Tensor:
        """x_T ~ N(0, I) of `shape` (B, C, H, W) → x_0 in [-1, 1]. Leaves the model in eval mode."""
        model.eval()
        x = torch.randn(shape, device=self.device)
        for step in reversed(range(len(self.scheduler.betas))):
            x = self.p_sample(model, x, torch.full(shape[:1], step, device=self.device))
        return x.clamp(-1, 1)
