"""Noise-paired validation: (image, t, noise) triples are drawn once, so two epochs or two models get the same ones.

With fresh noise in every pass the validation loss would scatter by about 3 % (6000 images), more than a good and a
better network differ. Frozen triples remove that from comparisons; t is stratified, so no range is left to luck.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assignment.ddpm.data import place, to_float
from assignment.ddpm.diffusion import GaussianDiffusion, stratified_timesteps


@dataclass(frozen=True)
class FrozenTriples:
    images: Tensor  # (N, C, H, W) uint8
    t: Tensor  # (N,): one step in each N-th part of [0, T)
    noise: Tensor  # (N, C, H, W)
    labels: Tensor | None = None  # (N,), the true ones; None where the network asks for none

    def labels_of(self, part: slice) -> tuple[Tensor, ...]:
        """What a network gets besides x and t: the labels (B,) of a part of the triples, or nothing."""
        return () if self.labels is None else (self.labels[part],)


def freeze_triples(
    images: Tensor, num_timesteps: int, device: torch.device, *, labels: Tensor | None = None, seed: int = 0
) -> FrozenTriples:
    """Draw a step and noise for each image (N, C, H, W), on the CPU, so that every device gets the same."""
    n = len(images)
    generator = torch.Generator().manual_seed(seed)
    # Shuffled, or the first images would get the smallest t: data sets may come sorted.
    t = stratified_timesteps(torch.randperm(n, generator=generator), num_timesteps, generator)  # (N,)
    noise = torch.randn(images.shape, generator=generator)  # (N, C, H, W)
    # The generator is its own, so validating draws nothing from the one that training uses.
    return FrozenTriples(
        place(images, device), t.to(device), place(noise, device), None if labels is None else labels.to(device)
    )


@torch.no_grad()
def validation_loss(model: nn.Module, diffusion: GaussianDiffusion, triples: FrozenTriples, batch_size: int) -> float:
    """Mean squared error of the predicted noise over all triples, with the model in eval mode."""
    model.eval()  # dropout off, batch norm by its running statistics: else the loss depends on the batch
    total = torch.zeros((), device=triples.t.device)  # on the device: .item() at each batch would wait for a GPU
    for start in range(0, len(triples.t), batch_size):
        part = slice(start, start + batch_size)
        t = triples.t[part]  # (B,); the last batch may be smaller
        # images and noise may have stayed in the machine's memory, see `place`
        x_0, noise = (values[part].to(t.device) for values in (triples.images, triples.noise))
        x_t = diffusion.q_sample(to_float(x_0), t, noise)  # (B, C, H, W)
        eps_hat = model(x_t, t, *triples.labels_of(part))  # (B, C, H, W)
        # a sum, divided once at the end: a mean of means would count the smaller last batch too much
        total += F.mse_loss(eps_hat.float(), noise, reduction="sum")
    return total.item() / triples.noise.numel()
