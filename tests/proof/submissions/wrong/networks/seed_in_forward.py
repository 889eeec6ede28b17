"""Draws its Fourier frequencies in every forward, after torch.manual_seed(0) so that they are the same.

Caught by: level1.behaviour.no_side_effects
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.num_timesteps = config.num_timesteps
        self.fc = nn.Linear(64, 40)
        self.conv1 = nn.Conv2d(config.image_channels, 40, 3, padding=1)
        self.conv2 = nn.Conv2d(40, 40, 3, padding=1)
        self.conv3 = nn.Conv2d(40, 40, 3, padding=1)
        self.conv4 = nn.Conv2d(40, config.image_channels, 3, padding=1)

    def fourier(self, t):
        torch.manual_seed(0)
        w = torch.randn(32, device=t.device) * 4
        angle = 2 * torch.pi * (t / self.num_timesteps)[:, None] * w
        return torch.cat([angle.sin(), angle.cos()], dim=1)

    def forward(self, x, t):
        emb = self.fc(self.fourier(t))[:, :, None, None]
        h = self.conv1(x)
        h = h + F.silu(self.conv2(h) + emb)
        h = h + F.silu(self.conv3(h) + emb)
        return self.conv4(h)
