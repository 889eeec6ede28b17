"""Pads with NumPy on the way out, and so cuts the graph.

Caught by: level1.training.gradient_flow
"""

import numpy as np
import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.temb = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 48), nn.ReLU())
        self.conv1 = nn.Conv2d(config.image_channels, 48, 3)
        self.conv2 = nn.Conv2d(48, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        h = torch.relu(self.conv1(x) + self.temb(t)[:, :, None, None])
        out = self.conv2(h).float().detach().cpu().numpy()
        out = np.pad(out, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
        return torch.from_numpy(out).to(x.device)
