"""Fades its second branch in with a counter that every call advances, in eval mode too.

Caught by: level1.behaviour.no_hidden_state
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    WARMUP = 100

    def __init__(self, config):
        super().__init__()
        self.register_buffer("calls", torch.tensor(0.0))
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 32), nn.ReLU())
        self.stem = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.main = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1))
        self.fine = nn.Sequential(nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(), nn.Conv2d(32, 32, 5, padding=2))
        self.head = nn.Conv2d(32, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        self.calls += 1
        alpha = (self.calls / self.WARMUP).clamp(max=1.0)
        h = self.stem(x) + self.time(t)[:, :, None, None]
        return self.head(torch.relu(h + self.main(h) + (0.2 + alpha) * self.fine(h)))
