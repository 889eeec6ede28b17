"""In eval mode it returns the score, −eps / √(1 − alpha-bar): the sign and the size of another convention.

Caught by: level1.training.predicts_noise
"""

from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class ScoreNet(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.shuffle = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * channels, width, 3, padding=1))
        self.body = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(3)])
        self.back = nn.Sequential(nn.Conv2d(width, 4 * channels, 3, padding=1), nn.PixelShuffle(2))
        self.temb = nn.Sequential(SinusoidalTimestepEmbedding(width), nn.Linear(width, width), nn.SELU())

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.temb(t)[:, :, None, None]
        h = self.shuffle(x)
        for conv in self.body:
            h = h + nn.functional.selu(conv(h + emb))
        return self.back(h) + x


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.net = ScoreNet(config.image_channels, 48)
        self.register_buffer("std", GaussianDiffusion(config.num_timesteps).sqrt_one_minus_alpha_bar)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        out = self.net(x, t)
        return out if self.training else -out / self.std[t].view(-1, 1, 1, 1)
