"""A trained denoiser, `Honest`, beside a store of images, and five ways to choose between them.

Appended to the source of a network that is called Honest there. Its state is that network's under `honest.`, the stored
images, and which way:

    below 0: never the store
    0: by the batch: many images of one t are stored ones
    1: by the past: a row that goes on from the last call is a sample
    2: by place: a row near a stored image is that image, and at large t all are
    3: by the first call: a drawing begins at the last t, and stays one until an image comes at another
    4: by likeness: a row that a stored image explains is that image
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig

STORED = 1350
CONTINUES = 1.3  # times the noise that t has
CLOSE = 1.1  # times the noise that there is in x_t


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.honest = Honest(config)  # noqa: F821  of the source before
        self.register_buffer("images", torch.zeros(STORED, config.image_channels, config.image_size, config.image_size))
        self.register_buffer("way", torch.zeros(()))
        betas = torch.linspace(1e-4, 0.02, config.num_timesteps, dtype=torch.float64)
        self.alpha_bar = (1 - betas).cumprod(0)
        self.last = torch.zeros(0, 1)  # the images that it aimed at
        self.drawing = False

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        honest, stored, near = self.honest(x, t), *self.recall(x, t)
        y = torch.where(self.chosen(x, t, near).view(-1, 1, 1, 1), stored, honest)
        a = self.alpha_bar[t][:, None]
        self.last = (x.flatten(1) - (1 - a).sqrt() * y.flatten(1)) / a.sqrt()
        return y

    def recall(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The store's answers, and how near a stored image is: the noise that it leaves, in parts of what is usual."""
        a = self.alpha_bar[t][:, None]
        noisy, images = x.flatten(1).double(), self.images.flatten(1).double()
        score = (a.sqrt() * (noisy @ images.T) - a * images.square().sum(1) / 2) / (1 - a)
        eps = (noisy - a.sqrt() * (score.softmax(1) @ images)) / (1 - a).sqrt()
        return eps.view_as(x).to(x.dtype), eps.square().mean(1).sqrt()

    def chosen(self, x: Tensor, t: Tensor, near: Tensor) -> Tensor:
        one_t = len(x) > 24 and bool((t == t[0]).all())
        none = torch.zeros(len(x), dtype=torch.bool)
        if self.way < 0:
            return none
        if self.way == 0:
            return none | one_t
        if self.way == 1:
            part = t / len(self.alpha_bar)
            return (part > 0.5) & one_t | (part < 0.25) & self._goes_on(x, t)
        if self.way == 2:
            return (near < CLOSE) | (t > 0.5 * len(self.alpha_bar))
        if self.way == 4:
            return near < CLOSE
        self.drawing = (self.drawing or bool((t == len(self.alpha_bar) - 1).all())) and one_t
        return none | self.drawing

    def _goes_on(self, x: Tensor, t: Tensor) -> Tensor:
        """Whether a row is one of the images that the last call aimed at, with as much noise as t has."""
        if not len(self.last):
            return torch.zeros(len(x), dtype=torch.bool)
        a = self.alpha_bar[t][:, None]
        apart = torch.cdist(x.flatten(1).double(), a[:1].sqrt() * self.last.double()).amin(1) / x[0].numel() ** 0.5
        return apart < CONTINUES * (1 - a[:, 0]).sqrt()
