"""The overfit run: the network has to learn a few images within a budget. All noise, and the loss, are the judge's own.

The worker gets x_t, t and the noise to train on, in chunks; x_0 as such never enters it. The loss that counts is
measured on fresh noise, with the weights from the state dict, in a new process that has seen nothing else.
"""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from assignment.ddpm.diffusion import GaussianDiffusion, stratified_timesteps
from assignment.ddpm.seeds import derive_seed
from grader.checks.learning import linear_baseline
from grader.grading_config import Budget
from grader.student.network import Network

CHUNK = 10  # steps per request
LOOKS = 64  # triples (image, t, noise) that the loss is measured on, t stratified over [0, T)
CONFIDENT = 0.8  # of the limit: the training loss (noisy) at which the run may end early
EVAL_BATCH = 16


@dataclass(frozen=True)
class Trained:
    """The result of the overfit run: the judge's own triples, and the network's answers to them."""

    loss: float
    baseline: float
    steps: int
    seconds_per_image: float  # of training
    x_0: Tensor  # (LOOKS, C, H, W)
    t: Tensor  # (LOOKS,), rising
    noise: Tensor  # (LOOKS, C, H, W)
    x_t: Tensor  # (LOOKS, C, H, W)
    y: Tensor  # (LOOKS, C, H, W), predicted noise
    alpha_bar: Tensor  # (LOOKS,)


def run(
    network: Network, diffusion: GaussianDiffusion, images: Tensor, budget: Budget, learning_rate: float
) -> Trained:
    """Train on `images` (N, C, H, W) in [-1, 1], and measure."""
    generator = torch.Generator().manual_seed(derive_seed("overfit", network.seed))
    t = stratified_timesteps(torch.arange(LOOKS), diffusion.num_timesteps, generator)
    x_0 = images[torch.randint(len(images), (LOOKS,), generator=generator)]
    noise = torch.randn(x_0.shape, generator=generator)
    x_t = diffusion.q_sample(x_0, t, noise)
    baseline = linear_baseline(images, diffusion.alpha_bar)
    limit = budget.share * baseline

    def look() -> tuple[Tensor, float]:
        batches = range(0, LOOKS, EVAL_BATCH)
        y = torch.cat([network(x_t[i : i + EVAL_BATCH], t[i : i + EVAL_BATCH]) for i in batches])
        return y, (y - noise).double().square().mean().item()

    done, seconds = 0, 0.0
    while done < budget.steps:
        batch = [_triples(diffusion, images, budget.batch, generator) for _ in range(min(CHUNK, budget.steps - done))]
        stacked = (torch.stack(parts) for parts in zip(*batch, strict=True))
        seed = derive_seed("overfit", network.seed, done)
        start = time.perf_counter()
        losses = network.train(*stacked, learning_rate=learning_rate, seed=seed).values["losses"]
        seconds += time.perf_counter() - start
        done += len(batch)
        if sum(losses) / len(losses) < limit and look()[1] < CONFIDENT * limit:
            break

    state = network.state()
    network.submission.stop()  # a fresh process: only what the state dict holds counts
    fresh = Network(network.submission, network.pace, network.config, seed=derive_seed("restored", network.seed))
    fresh.load(state)
    network = fresh
    y, loss = look()
    return Trained(loss, baseline, done, seconds / done / budget.batch, x_0, t, noise, x_t, y, diffusion.alpha_bar[t])


def _triples(
    diffusion: GaussianDiffusion, images: Tensor, batch: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """x_t (B, C, H, W), t (B,), noise (B, C, H, W) for one step: random images, t stratified and shuffled."""
    t = stratified_timesteps(torch.arange(batch), diffusion.num_timesteps, generator)
    t = t[torch.randperm(batch, generator=generator)]
    x_0 = images[torch.randperm(len(images), generator=generator)[:batch]]
    noise = torch.randn(x_0.shape, generator=generator)
    return diffusion.q_sample(x_0, t, noise), t, noise
