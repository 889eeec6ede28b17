"""The overfit run: the network has to learn a few images within a budget. All noise, and the loss, are the judge's own.

The worker gets x_t, t and the noise to train on, in chunks; x_0 as such never enters it. The loss that counts is
measured on fresh noise, with the weights from the state dict, in a new process that has seen nothing else.

Architectures differ in how fast they start and which learning rate they bear. So a run goes on for as long as the loss
falls, in a time that the reference's pace sets; and one that fails is repeated with a quarter of the rate.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from assignment.ddpm.diffusion import GaussianDiffusion, stratified_timesteps
from assignment.ddpm.seeds import derive_seed
from grader.checks.finding import CheckFailed
from grader.checks.learning import linear_baseline
from grader.grading_config import Budget
from grader.student.network import Network

CHUNK = 10  # steps per request
LOOKS = 64  # triples (image, t, noise) that the loss is measured on, t stratified over [0, T)
CONFIDENT = 0.8  # of the limit: the training loss (noisy) at which the run may end early
EVAL_BATCH = 16
EVERY, WITHIN = 50, 200  # steps between looks at the loss; steps within which it has to reach …
LOWER = 0.99  # … this share of the lowest loss before, to count as falling
STARTED, START = 0.9, 1000  # a loss above this: nothing is learnt yet, which may take the first attempt so many steps
START_BOX = 2.0  # times the reference's time for the least steps: what that may take
BOX = 15.0  # and what a run may take that goes on
GENTLER = 0.25  # of the learning rate, at the second attempt


@dataclass(frozen=True)
class Trained:
    """The result of the overfit run: the judge's own triples, and the network's answers to them."""

    loss: float
    baseline: float
    steps: int
    seconds_per_image: float  # of training
    learning_rate: float
    falling: bool  # whether the loss still fell when the run ended
    x_0: Tensor  # (LOOKS, C, H, W)
    t: Tensor  # (LOOKS,), rising
    noise: Tensor  # (LOOKS, C, H, W)
    x_t: Tensor  # (LOOKS, C, H, W)
    y: Tensor  # (LOOKS, C, H, W), predicted noise
    alpha_bar: Tensor  # (LOOKS,)


def run(
    build: Callable[[], Network], diffusion: GaussianDiffusion, images: Tensor, budget: Budget, learning_rate: float
) -> Trained:
    """Train on `images` (N, C, H, W) in [-1, 1], and measure; the better of two attempts, if the first one fails."""
    attempts = []
    for rate, start in ((learning_rate, START), (GENTLER * learning_rate, 0)):
        try:
            attempts.append(_attempt(build(), diffusion, images, budget, rate, start))
        except CheckFailed:  # numbers that are not finite
            if rate != learning_rate and not attempts:
                raise
            continue
        if attempts[-1].loss < budget.share * attempts[-1].baseline:
            break
    return min(attempts, key=lambda trained: trained.loss)


def _attempt(
    network: Network, diffusion: GaussianDiffusion, images: Tensor, budget: Budget, learning_rate: float, start: int
) -> Trained:
    """One run; it may take `start` steps until it begins to learn."""
    generator = torch.Generator().manual_seed(derive_seed("overfit", network.seed))
    t = stratified_timesteps(torch.arange(LOOKS), diffusion.num_timesteps, generator)
    x_0 = images[torch.randint(len(images), (LOOKS,), generator=generator)]
    noise = torch.randn(x_0.shape, generator=generator)
    x_t = diffusion.q_sample(x_0, t, noise)
    baseline = linear_baseline(images, diffusion.alpha_bar)
    limit = budget.share * baseline

    def evaluate() -> tuple[Tensor, float]:
        batches = range(0, LOOKS, EVAL_BATCH)
        y = torch.cat([network(x_t[i : i + EVAL_BATCH], t[i : i + EVAL_BATCH]) for i in batches])
        return y, (y - noise).double().square().mean().item()

    done, seconds, looks = 0, 0.0, [math.inf]
    least = network.pace.step * budget.steps * budget.batch  # seconds of the reference
    # by our own clock, too: a worker's CPU time is small if it sleeps, and it is the worker that reports it
    end = time.monotonic() + network.deadlines.granted(least)
    while done < budget.longest:
        batch = [_triples(diffusion, images, budget.batch, generator) for _ in range(min(CHUNK, budget.longest - done))]
        stacked = (torch.stack(parts) for parts in zip(*batch, strict=True))
        seed = derive_seed("overfit", network.seed, done)
        values = network.train(*stacked, learning_rate=learning_rate, seed=seed).values
        done, seconds, losses = done + len(batch), seconds + values["seconds"], values["losses"]
        if sum(losses) / len(losses) < limit and evaluate()[1] < CONFIDENT * limit:
            break
        if done % EVERY == 0:
            looks.append(evaluate()[1])
        may_start = done < start and seconds < START_BOX * least and min(looks) > STARTED
        is_late = not seconds <= BOX * least or time.monotonic() > end
        if done >= budget.steps and (is_late or not (may_start or is_falling(looks))):
            break

    state = network.state()
    network.submission.stop()  # a fresh process: only what the state dict holds counts
    fresh = Network(network.submission, network.deadlines, network.config, seed=derive_seed("restored", network.seed))
    fresh.load(state)
    network = fresh
    y, loss = evaluate()
    per_image = seconds / done / budget.batch
    alpha_bar = diffusion.alpha_bar[t]
    return Trained(loss, baseline, done, per_image, learning_rate, is_falling(looks), x_0, t, noise, x_t, y, alpha_bar)


def is_falling(looks: list[float]) -> bool:
    """Whether the last losses, one every EVERY steps, are lower than all before them."""
    recent = WITHIN // EVERY
    return min(looks[-recent:]) < LOWER * min(looks[:-recent], default=math.inf)


def _triples(
    diffusion: GaussianDiffusion, images: Tensor, batch: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """x_t (B, C, H, W), t (B,), noise (B, C, H, W) for one step: random images, t stratified and shuffled."""
    t = stratified_timesteps(torch.arange(batch), diffusion.num_timesteps, generator)
    t = t[torch.randperm(batch, generator=generator)]
    x_0 = images[torch.randperm(len(images), generator=generator)[:batch]]
    noise = torch.randn(x_0.shape, generator=generator)
    return diffusion.q_sample(x_0, t, noise), t, noise
