"""What a trained network keeps, and its loss with that alone, in new processes that have seen nothing else.

Kept are the parameters that training moved, and the statistics of torch.nn's own layers. Whatever other buffer changed
is back at its initial value: it could hold the training images themselves. If the loss is lost with that, the network
may fill those buffers again, from other images, without learning: an average survives this, and a memory does not.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from assignment.ddpm.diffusion import GaussianDiffusion, stratified_timesteps
from assignment.ddpm.seeds import derive_seed
from grader.student.network import Network

LOOKS = 64  # triples (image, t, noise) that the loss is measured on, t stratified over [0, T)
SMALLEST_BATCH, LARGEST_BATCH = 8, 16  # images per request; the last ones are asked about together
REFILLS, CHUNK = 300, 10  # steps on other images, at most, and steps per request

State = dict[str, Tensor]
Batches = Callable[[int], tuple[Tensor, ...]]  # so many steps' x_t, t and noise, (K, B, …) each


@dataclass(frozen=True)
class Triples:
    """What the loss is measured on."""

    x_0: Tensor  # (N, C, H, W)
    t: Tensor  # (N,), rising
    noise: Tensor  # (N, C, H, W)
    x_t: Tensor  # (N, C, H, W)
    alpha_bar: Tensor  # (N,)

    @classmethod
    def draw(cls, diffusion: GaussianDiffusion, images: Tensor, generator: torch.Generator) -> "Triples":
        t = stratified_timesteps(torch.arange(LOOKS), diffusion.num_timesteps, generator)
        x_0 = images[torch.randint(len(images), (LOOKS,), generator=generator)]
        noise = torch.randn(x_0.shape, generator=generator)
        return cls(x_0, t, noise, diffusion.q_sample(x_0, t, noise), diffusion.alpha_bar[t])

    def ask(self, network: Network, generator: torch.Generator, t: Tensor | None = None) -> Tensor:
        """The predictions (N, C, H, W), asked for in a random order and in batches of random sizes."""
        t, y = self.t if t is None else t, torch.empty_like(self.x_t)
        left = torch.randperm(len(t), generator=generator)
        while len(left):
            size = int(torch.randint(SMALLEST_BATCH, LARGEST_BATCH + 1, (), generator=generator))
            rows = left[:size] if len(left) >= size + SMALLEST_BATCH else left
            left, y[rows] = left[len(rows) :], network(self.x_t[rows], t[rows])
        return y

    def losses(self, y: Tensor) -> Tensor:
        """The mean square error of each prediction, (N,) float64."""
        return (y - self.noise).double().square().flatten(1).mean(1)


@dataclass(frozen=True)
class Answers:
    """A restored network's answers to the triples."""

    y: Tensor  # (N, C, H, W)
    losses: Tensor  # (N,)
    at_wrong_t: Tensor  # (N,), losses with t that are not those of x_t, but a quarter of T or more away

    @property
    def loss(self) -> float:
        return self.losses.mean().item()


@dataclass(frozen=True)
class Restored:
    answers: Answers
    reset: tuple[str, ...]  # buffers that changed in training, and were not kept
    loss_with_all: float  # with all buffers as they were at the end


def measure(network: Network, initial: State, triples: Triples, others: Batches, limit: float) -> Restored:
    """Stops the network's process; `others` are training steps on other images."""
    final = network.state()
    trained, statistics = network.kinds(triples.x_t[:LARGEST_BATCH], triples.t[:LARGEST_BATCH])
    reset = tuple(
        key for key, value in final.items()
        if key not in trained | statistics and key in initial and not torch.equal(initial[key], value)
    )  # fmt: skip
    kept = final | {key: initial[key] for key in reset}
    answers = ask_afresh(network, kept, triples)
    if answers.loss < limit or not reset:
        return Restored(answers, reset, answers.loss)
    refilled = refill(fresh(network, kept, "refilled"), others)
    again = ask_afresh(network, kept | {key: refilled[key] for key in reset if key in refilled}, triples)
    if again.loss < limit:
        return Restored(again, reset, again.loss)
    with_all = ask_afresh(network, final, triples).loss
    return Restored(min(answers, again, key=lambda one: one.loss), reset, with_all)


def fresh(network: Network, state: State, purpose: str) -> Network:
    """Another network of the same configuration, in a new process, with this state."""
    network.submission.stop()
    seed = derive_seed(purpose, network.seed)
    built = Network(network.submission, network.deadlines, network.config, seed=seed, inputs=network.inputs)
    built.load(state)
    return built


def ask_afresh(network: Network, state: State, triples: Triples) -> Answers:
    """Ask twice, in other batches, another order and another process: the higher loss counts."""
    found = []
    for time in range(2):
        generator = torch.Generator().manual_seed(derive_seed("restored", network.seed, time))
        restored = fresh(network, state, f"restored {time}")
        found.append(triples.ask(restored, generator))
    y = max(found, key=lambda y: triples.losses(y).mean().item())
    return Answers(y, triples.losses(y), at_wrong_t(restored, triples, generator))


def at_wrong_t(network: Network, triples: Triples, generator: torch.Generator) -> Tensor:
    """The losses (N,) where x_t is asked about with the t of another triple."""
    n = len(triples.t)
    shift = int(torch.randint(n // 4, 3 * n // 4 + 1, (), generator=generator))
    return triples.losses(triples.ask(network, generator, triples.t.roll(shift)))


def refill(network: Network, batches: Batches) -> State:
    """The state after training steps that move no parameter."""
    for step in range(0, REFILLS, CHUNK):
        network.train(*batches(CHUNK), learning_rate=0.0, seed=derive_seed("refill", network.seed, step))
    return network.state()
