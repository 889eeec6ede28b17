"""A residual ConvNet that sees the time as one number between 0 and 1, through a small MLP."""

import torch.nn as nn
import torch.nn.functional as F


class ResBlock(nn.Module):
    def __init__(self, channels, emb_dim):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.emb = nn.Linear(emb_dim, channels)

    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.emb(emb)[..., None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return x + h


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.T = config.num_timesteps
        width, emb_dim = 64, 64
        self.time_mlp = nn.Sequential(nn.Linear(1, emb_dim), nn.SiLU(), nn.Linear(emb_dim, emb_dim), nn.SiLU())
        self.stem = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.blocks = nn.ModuleList([ResBlock(width, emb_dim) for _ in range(4)])
        self.head = nn.Sequential(
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, config.image_channels, 3, padding=1)
        )

    def forward(self, x, t):
        emb = self.time_mlp((t.float() / self.T).unsqueeze(-1))
        h = self.stem(x)
        for block in self.blocks:
            h = block(h, emb)
        return self.head(h)
