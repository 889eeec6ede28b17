"""Works out its number of levels from a table of known image sizes, in which 32 is missing.

Caught by: level1.contract.builds
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding

LEVELS = {8: 1, 28: 2, 64: 3}


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        levels, c = LEVELS[config.image_size], 24
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(2 * c), nn.Linear(2 * c, c))
        self.first = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(c, c, 3, stride=2, padding=1) for _ in range(levels))
        self.up = nn.ModuleList(nn.Conv2d(2 * c, c, 3, padding=1) for _ in range(levels))
        self.last = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.time(t)[:, :, None, None]
        hs = [self.first(x)]
        for down in self.down:
            hs.append(F.silu(down(hs[-1]) + emb))
        h = hs.pop()
        for up in self.up:
            skip = hs.pop()
            h = F.interpolate(h, size=skip.shape[-2:])
            h = F.silu(up(torch.cat([h, skip], dim=1)) + emb)
        return self.last(h)
