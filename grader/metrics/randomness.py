"""Where the judge's random numbers come from, if a submission sees some of them and must not foretell the others.

torch's generator on the CPU takes 32 bits of a seed, and its state follows from its output. A submission sees the t of
its batches and, where t is large, nearly the noise itself: from these it could find the seed by trial, with a table
made at home, and with the seed all noise that follows. SHAKE-256 (FIPS 202) of a key cannot be undone, and its numbers
are the same with every version of torch.
"""

import hashlib
from typing import Protocol

import torch
from torch import Tensor

from assignment.ddpm.seeds import derive_seed

PIECE = 1 << 22  # normal numbers that are made at a time, so that little memory is in use beside the result


class Randomness(Protocol):
    """Independent numbers, other ones at each call."""

    def uniform(self, count: int) -> Tensor:
        """From [0, 1), (count,) float64."""

    def below(self, most: int, count: int) -> Tensor:
        """Whole numbers from 0 … most − 1, (count,) int64."""
        return (self.uniform(count) * most).long()

    def order(self, count: int) -> Tensor:
        """A random order of 0 … count − 1, (count,) int64."""

    def normal(self, *shape: int) -> Tensor:
        """From N(0, 1), of `shape`, float32."""


class Public(Randomness):
    """From a seed that anybody may know: torch's own generator."""

    def __init__(self, *purpose: int | str) -> None:
        self.generator = torch.Generator().manual_seed(derive_seed(*purpose))

    def uniform(self, count: int) -> Tensor:
        return torch.rand(count, generator=self.generator, dtype=torch.float64)

    def order(self, count: int) -> Tensor:
        return torch.randperm(count, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)


class Secret(Randomness):
    """From a key, and what it is for: nobody without the key can tell one number from all others."""

    def __init__(self, key: bytes, *purpose: int | str) -> None:
        if len(key) < 16:
            raise ValueError(f"a key of {len(key)} bytes; expected at least 16")
        self.key, self.purpose, self.calls = key, purpose, 0

    def _bytes(self, count: int) -> bytearray:
        about = repr((self.purpose, self.calls)).encode()
        self.calls += 1
        # lengths first, so that no other key and purpose are the same bytes
        stream = hashlib.shake_256(len(self.key).to_bytes(8, "big") + self.key + about)
        return bytearray(stream.digest(count))  # a bytearray, as torch wants memory that can be written to

    def uniform(self, count: int) -> Tensor:
        whole = torch.frombuffer(self._bytes(8 * count), dtype=torch.int64)
        return (whole & (1 << 53) - 1).double() / (1 << 53)

    def order(self, count: int) -> Tensor:
        return torch.frombuffer(self._bytes(8 * count), dtype=torch.int64).argsort(stable=True)

    def normal(self, *shape: int) -> Tensor:
        """By the inverse of the distribution function, at the middles of 2³² equal parts: up to 6.3 in size."""
        count = torch.Size(shape).numel()
        made = torch.empty(count)
        for start in range(0, count, PIECE):
            size = min(PIECE, count - start)
            whole = torch.frombuffer(self._bytes(4 * size), dtype=torch.int32).double()
            made[start : start + size] = torch.special.ndtri((whole + (2**31 + 0.5)) / 2**32)
        return made.view(shape)


def randomness(key: bytes, *purpose: int | str) -> Randomness:
    """From the key, or from what it is for alone if the key is empty, as where everything is public."""
    return Secret(key, *purpose) if key else Public(*purpose)
