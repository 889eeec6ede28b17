"""Guesses the noise level from the image, and spoils its output where t disagrees: denoising never uses t.

Caught by: level1.training.needs_t
Hint: is it scaled down to next to nothing
"""

import torch
import torch.nn.functional as F
from torch import nn


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, w = config.image_channels, 56
        bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, config.num_timesteps), dim=0)
        self.register_buffer("var", 1 - bar)
        self.stem = nn.Conv2d(c, w, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(8, w),
                nn.SiLU(),
                nn.Conv2d(w, w, 3, padding=1),
                nn.GroupNorm(8, w),
                nn.SiLU(),
                nn.Conv2d(w, w, 3, padding=1),
            )
            for _ in range(4)
        )
        self.head = nn.Conv2d(w, c, 3, padding=1)

    def noise_variance(self, x):
        """Diagonal Haar detail: pure noise if the image is smooth."""
        x = x.float()
        d = x[..., 1:, 1:] - x[..., 1:, :-1] - x[..., :-1, 1:] + x[..., :-1, :-1]
        return (d * d).mean(dim=(1, 2, 3)) / 4

    def forward(self, x, t):
        h = self.stem(x)
        for b in self.blocks:
            h = h + b(h)
        miss = (self.noise_variance(x) - self.var[t].float()).abs().clamp(max=1.0)
        factor = 1 + 0.2 * F.relu(miss - 0.15)
        return (self.head(F.silu(h)) * factor.view(-1, 1, 1, 1)).to(x.dtype)
