"""One convolution has no padding, so the output is two pixels smaller than the image.

Caught by: level1.contract.shapes
"""

import torch.nn as nn
import torch.nn.functional as F


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.t_embed = nn.Embedding(config.num_timesteps, 48)
        self.c1 = nn.Conv2d(config.image_channels, 48, 3, padding="same")
        self.c2 = nn.Conv2d(48, 48, 3, padding="same")
        self.c3 = nn.Conv2d(48, 48, 3, padding="same")
        self.c4 = nn.Conv2d(48, config.image_channels, 3)

    def forward(self, x, t):
        emb = self.t_embed(t).unsqueeze(-1).unsqueeze(-1)
        h = F.leaky_relu(self.c1(x) + emb)
        h = h + F.leaky_relu(self.c2(h) + emb)
        h = h + F.leaky_relu(self.c3(h))
        return self.c4(h)
