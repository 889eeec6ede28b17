"""Pools the whole image to one vector without a skip: the noise of a single pixel can't be told any more.

Caught by: level1.training.overfits
"""

from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.size, c = config.image_size, 32
        self.encoder = nn.Sequential(
            nn.Conv2d(config.image_channels, c, 3, padding=1), nn.SiLU(),
            nn.Conv2d(c, c, 3, stride=2, padding=1), nn.SiLU(), nn.AdaptiveAvgPool2d(1),
        )  # fmt: skip
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(c), nn.Linear(c, c), nn.SiLU())
        self.seed = nn.ConvTranspose2d(c, c, 4)
        self.decoder = nn.Sequential(
            nn.SiLU(), nn.Conv2d(c, c, 3, padding=1), nn.SiLU(), nn.Conv2d(c, config.image_channels, 3, padding=1)
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        code = self.encoder(x) + self.time(t)[:, :, None, None]
        h = nn.functional.interpolate(self.seed(code), size=(self.size, self.size), mode="bilinear")
        return self.decoder(h)
