"""Embeds t[0] and uses it for the whole batch.

Caught by: level1.timestep.uses_every_t
Waits: level1.training.needs_t for timestep.uses_every_t
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = SinusoidalTimestepEmbedding(64)
        self.fc = nn.Sequential(nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 32))
        self.enter = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.mid = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.SiLU(), nn.Conv2d(32, 32, 3, padding=1), nn.SiLU())
        self.leave = nn.Conv2d(64, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.fc(self.embed(t[0].view(1)))  # (1, 32)
        h = self.enter(x) + emb[:, :, None, None]
        return self.leave(torch.cat([h, self.mid(h)], dim=1))
