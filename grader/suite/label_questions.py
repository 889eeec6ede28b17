"""What the checks of level 6 ask a network with labels."""

import torch
from torch import Tensor

from assignment.ddpm.seeds import derive_seed
from grader.student.network import Network

IMAGES = 3  # that are asked about as each class
STEPS, EVERY = 300, 25  # at most, of the training in which labels are learnt; how often the losses are looked at
COPIES = 2  # of each label in a batch
LEARNING_RATE = 2e-3
DONE = 0.2  # of the loss without labels: no need to go on

Question = tuple[Tensor, Tensor, Tensor]  # x (B, C, H, W), t (B,), y (B,)


def classes_of(network: Network) -> int:
    """K"""
    assert network.config.num_classes is not None, "a network with labels"
    return network.config.num_classes


def at_random(network: Network, batch: int, *purpose: int | str) -> Question:
    """Noisy images, t, and labels, of which the last is K."""
    x, t = network.at_random(batch, "labels", *purpose)
    return x, t, labels(network, batch, *purpose)


def labels(network: Network, batch: int, *purpose: int | str) -> Tensor:
    """All classes and K, in a random order and again and again, ending with K: (batch,) int64."""
    none = classes_of(network)
    generator = torch.Generator().manual_seed(derive_seed("labels", network.seed, *purpose))
    found = torch.cat([torch.randperm(none, generator=generator) for _ in range(1 + batch // none)])
    return torch.cat([found[: batch - 1], torch.tensor([none])])


def every_label(network: Network) -> Tensor:
    """Answers to the same few images, all as one class, then as the next, and as none: (N, K + 1, C, H, W)."""
    x, t = network.at_random(IMAGES, "every label")
    return torch.stack([network(x, t, torch.full_like(t, label)) for label in range(classes_of(network) + 1)], dim=1)


def one_by_one(network: Network, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
    """Answers to each image alone, (B, C, H, W)."""
    return torch.cat([network(x[i : i + 1], t[i : i + 1], y[i : i + 1]) for i in range(len(x))])


def learn_labels(network: Network) -> tuple[Tensor, int]:
    """Train until only the label tells what is asked for: half of the labels, drawn, want +1 everywhere, the others −1.

    Returns:
        the loss for each label, (K + 1,), as a part of that of the best answer which knows none; and the steps taken
    """
    count = classes_of(network) + 1
    generator = torch.Generator().manual_seed(derive_seed("learn labels", network.seed))
    signs = torch.ones(count)
    signs[torch.randperm(count, generator=generator)[: count // 2]] = -1
    y = torch.arange(count).repeat(COPIES)
    blind = 1 - signs.mean().square().item()  # the variance of the signs

    def batches(steps: int, purpose: str) -> list[Tensor]:
        parts = [network.at_random(len(y), "learn", purpose, k) for k in range(steps)]
        return [torch.stack(part) for part in zip(*parts, strict=True)]

    losses = torch.full((count,), torch.inf)
    x_new, t_new = network.at_random(len(y), "learn, unseen")
    for done in range(EVERY, STEPS + 1, EVERY):
        x, t = batches(EVERY, str(done))
        target = signs[y].view(1, -1, 1, 1, 1).expand_as(x).contiguous()
        network.train(x, t, target, y.expand(EVERY, -1).contiguous(), learning_rate=LEARNING_RATE, seed=done)
        off = (network(x_new, t_new, y) - signs[y].view(-1, 1, 1, 1)).square().flatten(1).mean(1)  # (2 (K + 1),)
        losses = off.view(COPIES, count).mean(0) / blind
        if losses.max() <= DONE:
            break
    return losses, done


def gradients(network: Network) -> dict[str, list[bool]]:
    """A few optimiser steps on noise and all labels; returns which parameters got gradients."""
    batch = 2 * (classes_of(network) + 1)
    parts = [at_random(network, batch, "gradients", k) for k in range(4)]
    x, t, y = (torch.stack(part) for part in zip(*parts, strict=True))
    noise = torch.stack([network.noise(batch, "targets", k)[0] for k in range(4)])
    reply = network.train(x, t, noise, y, learning_rate=1e-3, seed=network.seed, gradients=True)
    found: dict[str, list[bool]] = reply.values["gradients"]
    return found
