"""Squeezes the raw t with tanh: 1 for every t above ten.

Caught by: level1.timestep.whole_range
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.lift = nn.Conv2d(config.image_channels + 1, 32, 3, padding=1)
        self.body = nn.ModuleList([nn.Conv2d(33, 32, 3, padding=1) for _ in range(3)])
        self.drop = nn.Conv2d(32, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        level = torch.tanh(t.float()).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
        h = self.lift(torch.cat([x, level], dim=1))
        for conv in self.body:
            h = h + torch.relu(conv(torch.cat([h, level], dim=1)))
        return self.drop(h)
