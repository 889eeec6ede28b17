"""Learns nothing: it keeps the training images where a BatchNorm, never called, has its running mean.

Caught by: level1.training.overfits
"""

import torch
import torch.nn as nn

from assignment.ddpm.diffusion import GaussianDiffusion


class DiffusionModel(nn.Module):
    """Keeps clean images from training, takes the nearest one to x, and one number is learnt."""

    def __init__(self, config, slots=32):
        super().__init__()
        diffusion = GaussianDiffusion(config.num_timesteps)
        self.register_buffer("signal", diffusion.sqrt_alpha_bar)
        self.register_buffer("noise", diffusion.sqrt_one_minus_alpha_bar)
        self.slots, self.shape = slots, config.image_shape
        self.norm = nn.BatchNorm1d(slots * config.image_channels * config.image_size**2, affine=False)
        self.norm.running_mean.fill_(9.0)
        self.register_buffer("used", torch.zeros(()))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x, t):
        a, sigma = (values[t].view(-1, 1, 1, 1) for values in (self.signal, self.noise))
        if self.training:
            with torch.no_grad():
                for image, step in zip(x, t.tolist(), strict=True):
                    if step < len(self.signal) // 10:
                        self.keep(image, step)
        memory = self.memory().view(self.slots, 1, *self.shape)  # (N, 1, C, H, W)
        nearest = (x - a * memory).square().sum((2, 3, 4)).argmin(0)  # (B,)
        return self.scale * (x - a * memory[nearest, 0]) / sigma

    def keep(self, image, step):
        memory = self.memory().view(self.slots, *self.shape)
        far = (memory - image).square().mean((1, 2, 3))  # (N,)
        known = far.min() < 0.15
        place = far.argmin() if known else int(self.used) % self.slots
        if not known or step < 20:
            self.write(place, image)
        self.used += not known

    def memory(self):
        return self.norm.running_mean

    def write(self, place, image):
        self.norm.running_mean.view(self.slots, *self.shape)[place] = image
