"""Features move with t by half a hundredth of their size, which no weight can enlarge.

Caught by: level1.training.needs_t
Hint: is it scaled down to next to nothing
"""

from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.conv = nn.GroupNorm(8, width), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, h, faint):
        return h + self.conv(F.silu(self.norm(h) + faint))


class DiffusionModel(nn.Module):
    def __init__(self, config, width=48):
        super().__init__()
        self.T = config.num_timesteps
        self.first = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width) for _ in range(3))
        self.last = nn.Conv2d(width, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        faint = 0.005 * (t / self.T).view(-1, 1, 1, 1)
        h = self.first(x)
        for block in self.blocks:
            h = block(h, faint)
        return self.last(F.silu(h))
