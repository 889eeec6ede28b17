"""Labels: which class each image shows. Only a configuration with model.num_classes asks for them (level 6)."""

import torch
from torch import Tensor

from assignment.ddpm.errors import UserError
from assignment.ddpm.seeds import derive_seed


def check_labels(name: str, labels: Tensor | None, num_classes: int) -> Tensor:
    """The labels (N,) of a part of the data set `name`, int64. Raises UserError if they are not of so many classes."""
    if labels is None:
        raise UserError(
            f"model.num_classes={num_classes}: the images of data.name={name} have no labels; set it to null"
        )
    labels = torch.as_tensor(labels).long()  # (N,)
    classes = int(labels.max()) + 1
    if classes != num_classes:
        raise UserError(f"model.num_classes={num_classes}: the images of data.name={name} are of {classes} classes")
    return labels


def drop_labels(y: Tensor, num_classes: int, share: float, *, seed: int, step: int) -> Tensor:
    """Labels (B,) of which a random share became num_classes, "no class" (Ho & Salimans 2022, Algorithm 1).

    One network learns both noises that guidance needs: with the class, and without it.
    """
    # From a generator of its own, on the CPU: t and noise of a step are the same as without labels, on every device.
    generator = torch.Generator().manual_seed(derive_seed("labels", seed, step))
    dropped = torch.rand(len(y), generator=generator) < share  # (B,)
    return y.masked_fill(dropped.to(y.device), num_classes)


def a_row_each(num_images: int, num_classes: int) -> Tensor:
    """Labels for about so many images, as many of each class, in the order of the classes: 0, 0, …, 1, 1, …"""
    each = -(-num_images // num_classes)  # rounded up: every class gets one
    return torch.arange(num_classes).repeat_interleave(each)  # (K · each,)
