"""Predicts x_0 and divides by a noise level √(t/T) of its own, which is 0 at the least noisy step.

Caught by: level1.contract.finite
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.T = config.num_timesteps
        self.emb = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 32), nn.SiLU())
        self.conv1 = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, config.image_channels, 3, padding=1)

    def denoise(self, x, t, sigma):
        h = torch.relu(self.conv1(x) + self.emb(t)[:, :, None, None])
        h = h + torch.relu(self.conv2(h))
        return x - sigma * self.conv3(h)

    def forward(self, x, t):
        sigma = (t.float() / self.T).sqrt()[:, None, None, None]
        return (x - self.denoise(x, t, sigma)) / sigma
