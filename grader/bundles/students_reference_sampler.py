"""Ancestral sampling (Ho et al. 2020) and DDIM (Song et al. 2021) by the schedulers of diffusers, and guidance.

The first draws the samples of levels 1 to 3. Levels 4 to 6 ask for your own, without the library.
"""

from collections.abc import Callable

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


class DDIMSampler:
    """Evenly spaced timesteps from T-1 to 0, no clipping on the way, one clamp at the very end."""

    def __init__(self, diffusion: GaussianDiffusion, device: torch.device | str, steps: int, eta: float) -> None:
        self.alpha_bar = diffusion.alpha_bar.double().cpu()  # (T,)
        self.device = torch.device(device)
        self.steps, self.eta = steps, eta

    @torch.no_grad()
    def p_sample(self, model: nn.Module, x_t: Tensor, t: Tensor, t_prev: Tensor) -> Tensor:
        """One step: x_t (B, C, H, W), t and t_prev (B,) → x_{t_prev} (B, C, H, W)."""
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler  # takes a second

        eps, x = model(x_t, t), torch.empty_like(x_t)  # (B, C, H, W) each
        for pair in set(zip(t.tolist(), t_prev.tolist(), strict=True)):
            mine = (t == pair[0]) & (t_prev == pair[1])  # (B,) bool
            # the library's steps are all of one length, so it gets a schedule that has only these timesteps
            visited = self.alpha_bar[[number for number in reversed(pair) if number >= 0]]  # (1,) or (2,)
            betas = 1 - visited / torch.cat([visited.new_ones(1), visited[:-1]])
            scheduler = DDIMScheduler(len(betas), trained_betas=betas.float().numpy(), clip_sample=False)
            scheduler.set_timesteps(len(betas))
            x[mine] = scheduler.step(eps[mine], len(betas) - 1, x_t[mine], eta=self.eta).prev_sample
        return x

    @torch.no_grad()
    def sample(self, model: nn.Module, shape: tuple[int, int, int, int]) -> Tensor:
        """x_T ~ N(0, I) of `shape` (B, C, H, W) → x_0 in [-1, 1]. Leaves the model in eval mode."""
        model.eval()
        x = torch.randn(shape, device=self.device)
        visited = torch.linspace(len(self.alpha_bar) - 1, 0, self.steps).round().long().tolist()
        for pair in zip(visited, [*visited[1:], -1], strict=True):
            x = self.p_sample(model, x, *(torch.full(shape[:1], number, device=self.device) for number in pair))
        return x.clamp(-1, 1)


def guided_eps(
    model: Callable[[Tensor, Tensor, Tensor], Tensor], x_t: Tensor, t: Tensor, y: Tensor, w: float, num_classes: int
) -> Tensor:  # fmt: skip
    """Classifier-free guidance; w as assignment/sampler.py has it. x_t (B, C, H, W), t and y (B,) → (B, C, H, W)."""
    nothing = torch.full_like(y, num_classes)  # (B,)
    return torch.lerp(model(x_t, t, nothing), model(x_t, t, y), w)
