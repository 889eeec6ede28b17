"""A small right answer for the project's tests: a ConvNet with a timestep embedding. Also copied into Trees."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig, width: int = 32) -> None:
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(width), nn.Linear(width, width))
        self.first = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.body = nn.Sequential(nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.SiLU())
        self.last = nn.Conv2d(width, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.last(self.body(self.first(x) + self.time(t)[:, :, None, None]))


class Dropout(DiffusionModel):
    """Draws random numbers, and keeps running statistics."""

    def __init__(self, config):
        super().__init__(config)
        self.body.append(nn.Sequential(nn.Dropout(0.2), nn.BatchNorm2d(32)))


class Spectral(DiffusionModel):
    """Has complex weights."""

    def __init__(self, config):
        super().__init__(config)
        self.filter = nn.Parameter(torch.randn(32, 3, 3, dtype=torch.cfloat) / 9)

    def forward(self, x, t):
        spectrum = torch.fft.rfft2(self.first(x).float())
        h = torch.fft.irfft2(F.pad(self.filter, (0, spectrum.shape[-1] - 3, 0, spectrum.shape[-2] - 3)) * spectrum)
        return self.last(self.body(h + self.time(t)[:, :, None, None]))


class Labelled(DiffusionModel):
    """Takes the label, too: config.num_classes is set."""

    def __init__(self, config):
        super().__init__(config)
        self.num_classes = config.num_classes
        self.label = nn.Embedding(config.num_classes + 1, 32)  # the last one is "no class"

    def forward(self, x, t, y=None):
        y = torch.full_like(t, self.num_classes) if y is None else y
        h = self.first(x) + (self.time(t) + self.label(y))[:, :, None, None]
        return self.last(self.body(h))
