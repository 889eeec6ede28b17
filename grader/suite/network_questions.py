"""What the checks of level 1 ask a network."""

import torch
from torch import Tensor

from assignment.ddpm.seeds import derive_seed
from grader.checks import friendly_notes, learning
from grader.errors import SubmissionFailed
from grader.student.network import Network

GRADIENT_STEPS = 4
IMAGES, BATCH = 32, 16  # that are asked about at two t
LARGEST = 256  # batch of training that is asked for
T_STEPS, T_EVERY, T_IMAGES = 600, 20, 4  # of the training in which t is learnt: steps at most, between looks; images
T_RATE, T_DONE = 2e-3, 0.6  # its learning rate; of the loss without t: no need to go on
Question = tuple[Tensor, Tensor]  # x (B, C, H, W), t (B,)


def spread(num_timesteps: int, count: int, seed: int | None = None) -> Tensor:
    """`count` timesteps over [0, T) with both ends, (count,) int64; with a seed, drawn at random within equal parts."""
    even = torch.linspace(0, num_timesteps - 1, count, dtype=torch.float64)
    if seed is not None:
        generator = torch.Generator().manual_seed(derive_seed("spread", seed))
        inner = torch.rand(count - 2, generator=generator, dtype=torch.float64) - 0.5
        even[1:-1] += 0.9 * inner * (num_timesteps - 1) / max(1, count - 1)
    return even.round().long()


def shuffled(count: int, *seed: int | str) -> list[int]:
    """0 … count − 1 in a random order, but not in their own."""
    generator = torch.Generator().manual_seed(derive_seed("order", *seed))
    order = torch.randperm(count, generator=generator).tolist()
    return order if order != sorted(order) else order[::-1]


def one_by_one(network: Network, x: Tensor, t: Tensor) -> Tensor:
    """Answers to each image alone: x (B, C, H, W), t (B,) → (B, C, H, W)."""
    return torch.cat([network(x[i : i + 1], t[i : i + 1]) for i in range(len(x))])


def in_a_training_batch(network: Network, x: Tensor, t: Tensor, size: int) -> Tensor:
    """Answers to x (B, C, H, W), t (B,) at random places among others, all as many as training takes at a time."""
    others, other_t = network.at_random(min(max(size, 2 * len(x)), LARGEST) - len(x), "training batch")
    order = shuffled(len(x) + len(others), "training batch", network.seed)
    y = torch.empty(len(order), *x.shape[1:])
    y[order] = network(torch.cat([x, others])[order], torch.cat([t, other_t])[order])
    return y[: len(x)]


def of_very_different_sizes(x: Tensor) -> Tensor:
    """Images (B, C, H, W) as companions, from a tenth to five times as large."""
    return x * torch.logspace(-1, 0.7, len(x)).view(-1, 1, 1, 1)


def at_two_t(network: Network) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy images, and the answers to them at two t within the schedule, (N, C, H, W) each."""
    x, _ = network.at_random(IMAGES, "two t")
    both = spread(network.config.num_timesteps, 4, seed=network.seed)[1:3]
    one, other = (torch.cat([network(part, t.expand(len(part)).contiguous()) for part in x.split(BATCH)]) for t in both)
    return x, one, other


def learn_t(network: Network) -> tuple[float, int]:
    """Train until t alone tells what is asked for: +1 everywhere at one t, −1 at another, for the same noise.

    Two t, far apart, as a table has a row for each, and a network that is smooth in t takes long to tell near ones.

    Returns:
        the loss on other noise, as a part of that of the best answer that knows no t, which is 0; and the steps taken
    """
    generator = torch.Generator().manual_seed(derive_seed("learn t", network.seed))
    low, high = torch.rand(2, generator=generator).tolist()
    last = network.config.num_timesteps - 1
    signs = torch.tensor([1.0, -1.0])[torch.randperm(2, generator=generator)].repeat_interleave(T_IMAGES)
    t = torch.tensor([round(part * last) for part in (0.1 + 0.3 * low, 0.6 + 0.3 * high)]).repeat_interleave(T_IMAGES)

    def images(*purpose: int | str) -> Tensor:
        return network.noise(T_IMAGES, "learn t", *purpose)[0].repeat(2, 1, 1, 1)

    unseen = images("unseen")
    target = signs.view(-1, 1, 1, 1).expand_as(unseen)
    for done in range(T_EVERY, T_STEPS + 1, T_EVERY):
        x = torch.stack([images(done, k) for k in range(T_EVERY)])
        all_t, targets = (each.expand(T_EVERY, *each.shape).contiguous() for each in (t, target))
        network.train(x, all_t, targets, learning_rate=T_RATE, seed=done)
        loss = (network(unseen, t) - target).square().mean().item()
        if loss <= T_DONE:
            break
    return loss, done


def notes_on_t(network: Network) -> dict[str, str]:
    """Friendly notes on how t enters; none for a network that fails when it is watched."""
    last = network.config.num_timesteps - 1
    x, _ = network.at_random(2, "angles")
    t = torch.tensor([last, last, last // 2])
    try:
        return friendly_notes.on_t(network.angles(torch.cat([x, x[:1]]), t), t)
    except SubmissionFailed:
        return {}


def notes_on_modes(network: Network) -> dict[str, str]:
    """Friendly notes on train and eval mode; none for a network that fails when it is asked."""
    try:
        return friendly_notes.on_modes(*network.modes(*network.at_random(2, "modes")))
    except SubmissionFailed:
        return {}


def alike(network: Network) -> list[Question]:
    """Questions that a cache may take for one another: by shape, t, sum, norm, first pixels, or rounded values.

    Asked from the first to the last, and elsewhere from the last to the first, no cache keeps the same answer.
    """
    batch = network.number(2, 3, "alike")
    x, t = network.at_random(batch, "alike")
    other, other_t = network.at_random(batch, "alike, other")
    later = (t + 1 + other_t % max(1, network.config.num_timesteps - 1)) % network.config.num_timesteps
    begins_alike, ends_alike = other.clone(), other.clone()
    begins_alike[:, :, 0], ends_alike[:, :, -1] = x[:, :, 0], x[:, :, -1]
    larger, _ = network.noise(batch + 1, "alike, larger", scale=3.0)
    return [
        (x, t),
        (other, t),
        (x.roll(1, -1), t),  # the same values: sum, norm, extremes
        (-x, t),
        (begins_alike, t),
        (ends_alike, t),
        (torch.cat([x[:1], other[1:]]), t),
        (x + 1e-5 * other, t),  # so near that rounded pixels are the same, and answers are not
        (x.flip(0), t),
        (larger, torch.cat([t, t[-1:]])),
        (other[:-1], t[:-1]),
        (x, later),  # the last one of its shape, and of its x, has another t than the first
    ]


def few_steps(network: Network) -> learning.Gradients:
    """A few optimiser steps on noise; returns which parameters got gradients."""
    inputs = [network.noise(4, "steps", k) for k in range(GRADIENT_STEPS)]
    x, t = (torch.stack(parts) for parts in zip(*inputs, strict=True))  # (K, 4, C, H, W), (K, 4)
    noise = torch.stack([network.noise(4, "targets", k)[0] for k in range(GRADIENT_STEPS)])  # (K, 4, C, H, W)
    reply = network.train(x, t, noise, learning_rate=1e-3, seed=network.seed, gradients=True)
    return reply.values["gradients"]
