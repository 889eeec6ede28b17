"""Fills a float32 tensor by boolean mask from a linear layer: under autocast the dtypes differ.

Caught by: level1.contract.autocast
"""

from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class TwoExperts(nn.Module):
    """One projection of the embedding for the clean half of the steps, one for the noisy half."""

    def __init__(self, dim: int, out: int, border: float) -> None:
        super().__init__()
        self.clean, self.noisy = nn.Linear(dim, out), nn.Linear(dim, out)
        self.out, self.border = out, border

    def forward(self, emb: Tensor, t: Tensor) -> Tensor:
        result = emb.new_zeros(len(t), self.out)
        low = t < self.border
        result[low] = self.clean(emb[low])
        result[~low] = self.noisy(emb[~low])
        return result


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.sinusoid = SinusoidalTimestepEmbedding(64)
        self.experts = TwoExperts(64, 48, config.num_timesteps / 2)
        self.conv_in = nn.Conv2d(config.image_channels, 48, 3, padding=1)
        self.conv_mid = nn.Conv2d(48, 48, 3, padding=1)
        self.conv_out = nn.Conv2d(48, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.experts(self.sinusoid(t), t)[:, :, None, None]
        h = nn.functional.silu(self.conv_in(x) + emb)
        h = h + nn.functional.silu(self.conv_mid(h) + emb)
        return self.conv_out(h)
