"""WaveNet in two dimensions (as in DiffWave): dilations 1, 2, 4, gated units, and a sum of skip outputs."""

import math

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class WaveLayer(nn.Module):
    def __init__(self, ch, dilation):
        super().__init__()
        self.diffusion_projection = nn.Linear(ch, ch)
        self.dilated_conv = nn.Conv2d(ch, 2 * ch, 3, padding=dilation, dilation=dilation)
        self.output_projection = nn.Conv2d(ch, 2 * ch, 1)

    def forward(self, x, step):
        y = x + self.diffusion_projection(step)[..., None, None]
        gate, filt = self.dilated_conv(y).chunk(2, dim=1)
        y = self.output_projection(torch.sigmoid(gate) * torch.tanh(filt))
        residual, skip = y.chunk(2, dim=1)
        return (x + residual) / math.sqrt(2.0), skip


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        ch = 32
        self.step = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, ch), nn.SiLU(), nn.Linear(ch, ch))
        self.input_projection = nn.Conv2d(config.image_channels, ch, 1)
        self.residual_layers = nn.ModuleList([WaveLayer(ch, d) for d in (1, 2, 4, 1)])
        self.skip_projection = nn.Conv2d(ch, ch, 1)
        self.output_projection = nn.Conv2d(ch + config.image_channels, config.image_channels, 1)

    def forward(self, x, t):
        step = self.step(t)
        h = torch.relu(self.input_projection(x))
        total = 0
        for layer in self.residual_layers[:-1]:
            h, skip = layer(h, step)
            total = total + skip
        h, skip = self.residual_layers[-1](h, step)
        total = (total + skip + h) / math.sqrt(len(self.residual_layers))
        return self.output_projection(torch.cat([torch.relu(self.skip_projection(total)), x], dim=1))
