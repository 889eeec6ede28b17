"""The reference samplers: ancestral sampling (Algorithm 2 of Ho et al. 2020), DDIM (Song et al. 2021), and guidance."""

from collections.abc import Callable

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


class DDIMSampler:
    """Eqs. 12 and 16 of Song et al. 2021, whose alpha is our alpha_bar; evenly spaced timesteps from T-1 to 0."""

    def __init__(self, diffusion: GaussianDiffusion, device: torch.device | str, steps: int, eta: float) -> None:
        self.diffusion = diffusion
        self.device = torch.device(device)
        self.steps = steps
        self.eta = eta

    @torch.no_grad()
    def p_sample(self, model: nn.Module, x_t: Tensor, t: Tensor, t_prev: Tensor) -> Tensor:
        """One step: x_t (B, C, H, W), t and t_prev (B,), one of each for each image → x_{t_prev} (B, C, H, W)."""
        d = self.diffusion
        alpha_bar = d.extract(d.alpha_bar, t, x_t.shape)  # (B, 1, 1, 1)
        # Behind the last step lies the image, t = -1: no noise, so alpha_bar = 1.
        before = torch.cat([d.alpha_bar, d.alpha_bar.new_ones(1)])  # (T + 1,), so that index -1 is the one
        alpha_bar_prev = d.extract(before, t_prev, x_t.shape)  # (B, 1, 1, 1)

        # Eq. 16; 0 where alpha_bar_prev is 1, so that the last step adds no noise
        sigma = self.eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)).sqrt()
        eps = model(x_t, t)  # (B, C, H, W)
        x_0 = (x_t - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()  # Eq. 9; clipped, it could not be inverted
        direction = (1 - alpha_bar_prev - sigma.square()).clamp(min=0).sqrt() * eps  # the clamp is for rounding only
        return alpha_bar_prev.sqrt() * x_0 + direction + sigma * torch.randn_like(x_t)  # Eq. 12

    @torch.no_grad()
    def sample(self, model: nn.Module, shape: tuple[int, int, int, int]) -> Tensor:
        """x_T ~ N(0, I) of `shape` (B, C, H, W) → x_0 in [-1, 1]. Leaves the model in eval mode."""
        model.eval()
        x = torch.randn(shape, device=self.device)  # (B, C, H, W)
        visited = torch.linspace(self.diffusion.num_timesteps - 1, 0, self.steps).round().long().tolist()  # T-1, …, 0
        for step, following in zip(visited, [*visited[1:], -1], strict=True):
            t, t_prev = (torch.full(shape[:1], number, device=self.device) for number in (step, following))  # (B,)
            x = self.p_sample(model, x, t, t_prev)
        return x.clamp(-1, 1)


def guided_eps(
    model: Callable[[Tensor, Tensor, Tensor], Tensor], x_t: Tensor, t: Tensor, y: Tensor, w: float, num_classes: int
) -> Tensor:  # fmt: skip
    """Eq. 6 of Ho & Salimans 2022; w as assignment/sampler.py has it: x_t (B, C, H, W), t and y (B,) → (B, C, H, W)."""
    nothing = torch.full_like(y, num_classes)  # (B,), "no class"
    # One call for both halves: on a GPU two small batches take nearly as long as two large ones.
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([nothing, y]))  # (2B, C, H, W)
    eps_null, eps_y = both.chunk(2)  # (B, C, H, W) each
    return eps_null + w * (eps_y - eps_null)
