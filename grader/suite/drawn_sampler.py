"""What levels 4 and 5 ask about: schedules, shapes and timesteps, drawn from the grading's seed.

So no submission can tell the test by its numbers, or be right at the tested points only. The ranges are those in which
right samplers pass and wrong ones show: betas that end between 0.3 and 0.45 leave 1e-2 … 1e-13 of the image after T
steps, and make each wrong formula of the bank visible; more would leave nothing to divide by in float32.
"""

import itertools
import math
import random
from dataclasses import dataclass

from assignment.ddpm.seeds import derive_seed
from grader.checks.gaussian_world import GaussianOracle
from grader.checks.schedule import Schedule

Shape = tuple[int, int, int, int]  # (B, C, H, W)


@dataclass(frozen=True)
class Drawn:
    """Draws by purpose: the same purpose always gets the same."""

    seed: int

    def random(self, *purpose: int | str) -> random.Random:
        return random.Random(derive_seed("drawn", self.seed, *purpose))

    def number(self, *purpose: int | str) -> int:
        """A seed, which says nothing about any other."""
        return derive_seed("level 4", self.seed, *purpose)

    def steep(self, purpose: str, fewest: int = 16, most: int = 24) -> Schedule:
        """Few and large steps, which show wrong formulas: T in [fewest, most]."""
        numbers = self.random("schedule", purpose)
        return Schedule(
            numbers.randint(fewest, most), round(numbers.uniform(0.007, 0.011), 5), round(numbers.uniform(0.3, 0.45), 4)
        )

    def shape(
        self, purpose: str, scalars: int, images: tuple[int, int], channels: tuple[int, ...] = (1, 2, 3)
    ) -> Shape:
        """(B, C, H, W) of at least so many scalars, or a few more: not square, and no size that is another one."""
        numbers = self.random("shape", purpose)
        while True:
            B, C = numbers.randint(*images), numbers.choice(channels)
            H = round(math.sqrt(scalars / B / C) * numbers.uniform(0.7, 1.4))
            W = -(-scalars // (B * C * max(H, 1)))
            if H >= 3 and W >= 3 and len({B, C, H, W}) == 4:
                return B, C, H, W

    def timesteps(self, purpose: str, T: int, count: int) -> list[int]:
        """1, 2 and T − 1, where 1 − alpha_bar is least and most, and `count` drawn between, one from each part."""
        numbers, low, high = self.random("t", purpose, T), 3, T - 1
        edges = [low + round(i * (high - low) / count) for i in range(count + 1)]
        parts = [(a, b) for a, b in itertools.pairwise(edges) if a < b]
        return sorted({1, 2, T - 1, *(numbers.randrange(a, b) for a, b in parts)} & set(range(1, T)))

    def eta(self, *purpose: int | str) -> float:
        """Neither 0 nor 1, and none of their squares or roots near another right value."""
        return round(self.random("eta", *purpose).uniform(0.35, 0.8), 3)

    def pairs(self, purpose: str, T: int, count: int) -> list[tuple[int, int]]:
        """`count` different (t, t_prev), over drawn distances: the second is one of t − 1, the third starts at T − 1.

        t is at least 4 and t_prev at least 1, so that there is noise in both; what comes at the end is the last step's.
        """
        numbers, found = self.random("pairs", purpose, T), list[tuple[int, int]]()
        while len(found) < count:
            t = T - 1 if len(found) == 2 else numbers.randrange(4, T)
            t_prev = t - 1 if len(found) == 1 else numbers.randrange(1, max(2, t - 1))
            if (t, t_prev) not in found:
                found.append((t, t_prev))
        return found

    def oracle(self, schedule: Schedule) -> GaussianOracle:
        """Pixels around −0.3: 3.7 standard deviations of samples with either variance from −1, 1.7 from 0."""
        numbers = self.random("oracle")
        return GaussianOracle(schedule, round(numbers.uniform(-0.35, -0.28), 3), round(numbers.uniform(0.13, 0.15), 3))
