"""The first and the last convolution have one channel, whatever the config says.

Caught by: level1.contract.other_shapes
"""

from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.size = config.image_size
        self.temb = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 64), nn.SiLU())
        self.head = nn.Conv2d(1, 32, 3, padding=1)
        self.film = nn.ModuleList([nn.Linear(64, 32) for _ in range(3)])
        self.convs = nn.ModuleList([nn.Conv2d(32, 32, 3, padding=1) for _ in range(3)])
        self.tail = nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.temb(t)
        h = self.head(x)
        for conv, film in zip(self.convs, self.film, strict=True):
            h = h + nn.functional.elu(conv(h) + film(emb)[..., None, None])
        return self.tail(h)
