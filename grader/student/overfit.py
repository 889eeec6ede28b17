"""The overfit run: the network has to learn a few images within a budget. All noise, and the loss, are the judge's own.

The worker gets x_t, t and the noise to train on, in chunks; x_0 as such never enters it. The loss that counts is
measured on fresh noise, in new processes that have seen nothing else: see restored.py for what is kept.

Architectures differ in how fast they start and which learning rate they bear. So a run goes on for as long as the loss
falls, in a time that the reference's pace sets; one that fails is repeated with a quarter of the rate, and one that has
learnt something and got stuck once more from other initial weights: of a U-ViT, 2 of 60 starts led nowhere.
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
from grader.student import restored
from grader.student.network import Network
from grader.student.restored import Restored, Triples

CHUNK = 10  # steps per request
CONFIDENT = 0.8  # of the limit: the training loss (noisy) at which the run may end early
EVERY, WITHIN = 50, 200  # steps between looks at the loss; steps within which it has to reach …
LAST = 5  # … or within the last fifth of the run, as slow progress hides in the noise of a few looks, …
LOWER = 0.99  # … this share of the lowest loss before, to count as falling
STARTED, START = 0.9, 1000  # a loss above this: nothing is learnt yet, which may take the first attempt so many steps
START_BOX = 2.0  # times the reference's time for the least steps: what that may take
BOX = 15.0  # and what a run may take that goes on
GENTLER = 0.25  # of the learning rate, at the second attempt


@dataclass(frozen=True)
class Trained:
    """The result of the overfit run: the judge's own triples, and the network's answers to them."""

    baseline: float
    limit: float  # which the loss has to be below
    steps: int
    seconds_per_image: float  # of training
    learning_rate: float
    falling: bool  # whether the loss still fell when the run ended
    triples: Triples
    restored: Restored

    @property
    def loss(self) -> float:
        return self.restored.answers.loss

    @property
    def y(self) -> Tensor:
        """Predicted noise, (LOOKS, C, H, W)."""
        return self.restored.answers.y


def run(
    build: Callable[[bool], Network], diffusion: GaussianDiffusion, images: Tensor, others: Tensor, budget: Budget,
    learning_rate: float,
) -> Trained:  # fmt: skip
    """Train on `images`, and measure; the best of up to three attempts, if the first one fails.

    Args:
        build: makes the network anew; with True, from other initial weights
        images, others: (N, C, H, W) in [-1, 1]; those to learn, and some of the same kind that are not learnt
    """
    attempts: list[Trained] = []
    rate, start, confident = learning_rate, START, CONFIDENT
    for before in range(3):
        try:
            attempts.append(_attempt(build(before == 2), diffusion, images, others, budget, rate, start, confident))
        except CheckFailed:  # numbers that are not finite
            if before and not attempts:
                raise
        limit = attempts[-1].limit if attempts else math.inf
        if attempts and attempts[-1].loss < limit:
            break
        if before and not min(trained.loss for trained in attempts) < STARTED:
            break  # nothing is learnt at either rate
        if attempts and attempts[-1].restored.loss_with_all < limit:
            confident = 0.0  # lost with the buffers: training may go on until there is enough to lose
        else:
            rate, start = learning_rate if before else GENTLER * learning_rate, 0
    return min(attempts, key=lambda trained: trained.loss)


def _attempt(
    network: Network, diffusion: GaussianDiffusion, images: Tensor, others: Tensor, budget: Budget,
    learning_rate: float, start: int, confident: float,
) -> Trained:  # fmt: skip
    """One run; it may take `start` steps until it learns at all, and ends early at a share `confident` of the limit."""
    generator = torch.Generator().manual_seed(derive_seed("overfit", network.seed))
    triples = Triples.draw(diffusion, images, generator)
    baseline = linear_baseline(images, diffusion.alpha_bar)
    limit = budget.share * baseline

    def batches(of: Tensor, count: int) -> tuple[Tensor, ...]:
        steps = [_triples(diffusion, of, budget.batch, generator) for _ in range(count)]
        return tuple(torch.stack(parts) for parts in zip(*steps, strict=True))

    def evaluate() -> float:
        return triples.losses(triples.ask(network, generator)).mean().item()

    initial = network.state()
    done, seconds, looks = 0, 0.0, [math.inf]
    least = network.pace.step * budget.steps * budget.batch  # seconds of the reference
    # by our own clock, too: a worker's CPU time is small if it sleeps, and it is the worker that reports it
    end = time.monotonic() + network.deadlines.granted(least)
    while done < budget.longest:
        count = min(CHUNK, budget.longest - done)
        seed = derive_seed("overfit", network.seed, done)
        values = network.train(*batches(images, count), learning_rate=learning_rate, seed=seed).values
        done, seconds, losses = done + count, seconds + values["seconds"], values["losses"]
        if sum(losses) / len(losses) < limit and evaluate() < confident * limit:
            break
        if done % EVERY == 0:
            looks.append(evaluate())
        may_start = done < start and seconds < START_BOX * least and min(looks) > STARTED
        is_late = not seconds <= BOX * least or time.monotonic() > end
        if done >= budget.steps and (is_late or not (may_start or is_falling(looks))):
            break

    found = restored.measure(network, initial, triples, lambda count: batches(others, count), limit)
    per_image = seconds / done / budget.batch
    return Trained(baseline, limit, done, per_image, learning_rate, is_falling(looks), triples, found)


def is_falling(looks: list[float]) -> bool:
    """Whether the last losses, one every EVERY steps, are lower than all before them."""
    recent = max(WITHIN // EVERY, len(looks) // LAST)
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
