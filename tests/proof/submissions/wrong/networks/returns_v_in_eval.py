"""Converts its noise into v = √alpha-bar·eps − √(1 − alpha-bar)·x_0 for the sampler, in eval mode.

Caught by: level1.training.predicts_noise
"""

import torch
import torch.nn as nn

from assignment.ddpm.diffusion import GaussianDiffusion


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        d = GaussianDiffusion(config.num_timesteps)
        self.register_buffer("a", d.sqrt_alpha_bar)
        self.register_buffer("s", d.sqrt_one_minus_alpha_bar)
        self.table = nn.Embedding(config.num_timesteps, 32)
        nn.init.normal_(self.table.weight, std=0.1)
        self.stem = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.gated = nn.ModuleList(nn.Conv2d(32, 64, 3, padding=1) for _ in range(3))
        self.head = nn.Conv2d(32 + config.image_channels, config.image_channels, 3, padding=1)

    def predict_eps(self, x, t):
        h = self.stem(x) + self.table(t)[:, :, None, None]
        for conv in self.gated:
            h = h + nn.functional.glu(conv(h), dim=1)
        return self.head(torch.cat([h, x], dim=1))

    def forward(self, x, t):
        eps = self.predict_eps(x, t)
        if not self.training:
            a, s = self.a[t][:, None, None, None], self.s[t][:, None, None, None]
            x0 = ((x - s * eps) / a).clamp(-1, 1)
            return a * eps - s * x0
        return eps
