"""Your network (levels 1–3): predict the noise in a noisy image.

Train it with    make train CONFIG=configs/digits.yaml
Start small: a plain ConvNet that adds a timestep embedding to its features already learns something. Then come
U-Net skips, GroupNorm + SiLU, and self-attention at the lower resolutions.
"""

from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding  # noqa: F401  (given; you will want it)


class DiffusionModel(nn.Module):
    """eps_hat = model(x_t, t): how much of x_t is noise, and which.

    Args:
        config: `config.image_channels` (C), `config.image_size` (H = W), `config.num_timesteps` (T)
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        raise NotImplementedError("DiffusionModel.__init__: build the layers of your network here")

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Predict the noise. Level 6 (optional) asks for forward(self, x, t, y=None): see docs/students.md.

        Args:
            x: noisy images (B, C, H, W), float
            t: timesteps (B,), integers in [0, T); every sample has its own
        Returns:
            the predicted noise, same shape, dtype and device as x
        """
        raise NotImplementedError("DiffusionModel.forward: predict the noise in x at timesteps t")
