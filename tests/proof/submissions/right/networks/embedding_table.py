"""A learned embedding of the timestep, one row for each of the T steps, in a small gated ConvNet."""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig


class GatedConv(nn.Module):
    """conv ⊙ sigmoid(conv + t): WaveNet's gate in two dimensions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.mix = nn.Conv2d(width, width, 1)
        self.emb = nn.Linear(width, 2 * width)

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        value, gate = (self.conv(h) + self.emb(emb)[:, :, None, None]).chunk(2, dim=1)
        return h + self.mix(value * torch.sigmoid(gate))


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = 40
        self.table = nn.Embedding(config.num_timesteps, width)
        nn.init.normal_(self.table.weight, std=0.2)
        self.enter = nn.Conv2d(config.image_channels, width, 1)
        self.body = nn.ModuleList([GatedConv(width), GatedConv(width), GatedConv(width)])
        self.leave = nn.Conv2d(width + config.image_channels, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.table(t)
        h = self.enter(x)
        for layer in self.body:
            h = layer(h, emb)
        return self.leave(torch.cat([torch.relu(h), x], dim=1))
