"""The first rungs of the ladder: a plain ConvNet, without t and with it. The further ones are in tests/proof."""

import torch.nn.functional as F
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class ConvNet(nn.Module):
    """Four convolutions; t never reaches them."""

    def __init__(self, config: ModelConfig, width: int = 48) -> None:
        super().__init__()
        self.first = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.last = nn.Conv2d(width, config.image_channels, 3, padding=1)

    def features(self, x: Tensor, t: Tensor) -> Tensor:
        return self.first(x)  # (B, width, H, W)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.features(x, t)
        for layer in self.body:
            h = layer(F.silu(h))
        return self.last(F.silu(h))  # (B, C, H, W)


class ConvNetWithT(ConvNet):
    """The same four convolutions; the embedding of t is added once, to the first features."""

    def __init__(self, config: ModelConfig, width: int = 48) -> None:
        super().__init__(config, width)
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(width), nn.Linear(width, width))

    def features(self, x: Tensor, t: Tensor) -> Tensor:
        return self.first(x) + self.time(t)[:, :, None, None]
