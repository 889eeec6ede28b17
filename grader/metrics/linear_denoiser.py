"""The best denoiser that is linear in x_t, which knows the mean and the covariance of the pixels, and nothing else.

A diffusion model that has learnt what its images show does better; one that has stored some of them does much worse on
others. So it is a yardstick for any network, data set and t, that needs no network of our own.
"""

import torch
from torch import Tensor

from assignment.ddpm.data import to_float
from assignment.ddpm.diffusion import GaussianDiffusion

FITTED = 20_000  # images, at most, that it is fitted to


class LinearDenoiser:
    """The posterior mean of the noise for Gaussian images (the Wiener filter).

    With images N(mu, Σ), x_t = sqrt(a) x_0 + sqrt(1 - a) eps, and a = alpha_bar[t]:

        E[eps | x_t] = sqrt(1 - a) (a Σ + (1 - a) I)^-1 (x_t - sqrt(a) mu)
    """

    def __init__(self, images: Tensor, diffusion: GaussianDiffusion) -> None:
        """Fit it to uint8 images (M, C, H, W)."""
        pixels = to_float(images[:FITTED]).flatten(1)  # (M, D)
        self.mean = pixels.mean(0)  # (D,)
        centred = pixels - self.mean
        variances, self.directions = torch.linalg.eigh(centred.T @ centred / len(pixels))  # (D,), (D, D)
        self.variances, self.alpha_bar = variances.clamp_min(0), diffusion.alpha_bar.cpu()

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t (B, C, H, W), t (B,) → predicted noise (B, C, H, W), on the CPU."""
        a = self.alpha_bar[t][:, None]  # (B, 1)
        centred = (x_t.flatten(1) - a.sqrt() * self.mean) @ self.directions  # (B, D)
        eps = (1 - a).sqrt() * centred / (a * self.variances + 1 - a)
        return (eps @ self.directions.T).view_as(x_t)
