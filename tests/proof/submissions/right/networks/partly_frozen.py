"""A frozen random stem (a parameter with requires_grad=False) and a frozen frequency table; the rest is trained."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = 36
        omega = torch.logspace(0, -3.5, 32)  # radians per step, from 1 to 1/3000
        self.omega = nn.Parameter(omega, requires_grad=False)
        self.stem = nn.Conv2d(config.image_channels, c, 5, padding=2)
        self.stem.requires_grad_(False)
        self.time = nn.Linear(64, c)
        self.convs = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1) for _ in range(4))
        self.times = nn.ModuleList(nn.Linear(c, c) for _ in range(4))
        self.last = nn.Conv2d(c + config.image_channels, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        phase = t.unsqueeze(1) * self.omega
        emb = F.elu(self.time(torch.cat([phase.sin(), phase.cos()], dim=1)))
        h = self.stem(x)
        for conv, time in zip(self.convs, self.times, strict=True):
            h = h + F.elu(conv(h) + time(emb)[:, :, None, None])
        return self.last(torch.cat([h, x], dim=1))
