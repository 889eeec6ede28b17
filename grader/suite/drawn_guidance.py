"""What level 6 asks guided_eps, drawn from the grading's seed: batches, labels, answers of a network, and w."""

from collections.abc import Sequence

import torch

from grader.checks.guidance_formulas import Question
from grader.suite.drawn_sampler import Drawn

SCALARS = 1200  # of x_t
PIXELS = 64  # of an image, at least: more than twice the images, so that their answers can be told apart
MOST_T = 1000
ENDS = (0.0, 1.0)
# Where w is drawn, besides: below 0, between, a little above 1, and far above. None is a whole number, or near one of
# another's places, so that no two formulas of guidance_formulas.py agree on all of them.
RANGES = ((-2.7, -0.3), (0.15, 0.85), (1.15, 1.85), (2.15, 2.85), (4.15, 7.85))


def ws(drawn: Drawn) -> list[float]:
    """The w other than 0 and 1."""
    numbers = drawn.random("w")
    return [round(numbers.uniform(*at), 3) for at in RANGES]


def question(
    drawn: Drawn, purpose: str, *, images: tuple[int, int] = (3, 8), classes: tuple[int, int] = (3, 9), nulls: int = 0
) -> Question:
    """A batch of different t and labels of classes, `nulls` of them K, and answers to all that may be asked."""
    numbers = drawn.random("guidance", purpose)
    B, C, H, W = drawn.shape(f"guidance {purpose}", max(SCALARS, PIXELS * images[1]), images)
    K, generator = numbers.randint(*classes), torch.Generator().manual_seed(drawn.number("guidance", purpose))
    y = torch.tensor(labels(numbers.sample, K, B))
    y[:nulls] = K
    order = torch.randperm(B, generator=generator)
    return Question(
        torch.randn(B, C, H, W, generator=generator),
        torch.tensor([numbers.randrange(MOST_T) for _ in range(B)]),
        y[order],
        torch.randn(B, K + 1, C, H, W, generator=generator),
    )


def own_label(drawn: Drawn) -> Question:
    """Whose images are asked about together and one by one."""
    return question(drawn, "own label", images=(4, 8))


def labels(sample, classes: int, count: int) -> list[int]:  # type: ignore[no-untyped-def]  # of random.Random
    """`count` labels: all classes in a random order, and again."""
    found: list[int] = []
    while len(found) < count:
        found += sample(range(classes), classes)
    return found[:count]


def shuffled(drawn: Drawn, count: int, purpose: str) -> list[int]:
    """0 … count − 1 in a random order, but not in their own."""
    order: Sequence[int] = drawn.random("order", purpose).sample(range(count), count)
    return list(order if list(order) != sorted(order) else reversed(order))
