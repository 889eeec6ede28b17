"""Losses that are measured once for a class, and stored in the user's cache.

A file is named after everything that its losses follow from, so none is ever out of date. It is written in one step:
whoever is killed leaves no half of one. Of several graders that want the same losses, one measures and the others wait.
"""

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

import safetensors.torch
import torch
from torch import Tensor

from assignment.ddpm.files import replacing
from assignment.ddpm.measured_once import cache_folder
from grader.metrics.triples import Triples

PATIENCE = 3600.0  # seconds to wait for another grader; then measure all the same, as its machine may be gone
POLL = 0.2  # seconds


def name_of(triples: Triples, *about: object) -> str:
    """A name for the losses on these triples, of a network and a machine that `about` describes."""
    digest = hashlib.sha256(repr((about, torch.__version__)).encode())
    for tensor in (triples.images, triples.t, triples.noise):
        digest.update(repr((tensor.dtype, tensor.shape)).encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return f"losses-{digest.hexdigest()[:32]}"


def kept(name: str, count: int, measure: Callable[[], Tensor]) -> Tensor:
    """Losses (count,) float64: the stored ones of that name, or else measured, and stored if that's possible."""
    try:
        file = cache_folder() / f"{name}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError:  # no home, or one that can't be written to
        return measure()
    with _one_at_a_time(file.with_suffix(".lock")):
        found = _read(file, count)
        if found is None:
            found = measure()
            with suppress(OSError), replacing(file) as temporary:
                safetensors.torch.save_file({"losses": found}, temporary)
        return found


def _read(file: Path, count: int) -> Tensor | None:
    """None if there is no such file, or one that holds something else."""
    try:
        found = safetensors.torch.load_file(file)["losses"]
    except Exception:  # on a foreign file the reader raises almost anything
        return None
    usable = found.shape == (count,) and found.dtype == torch.float64 and bool(found.isfinite().all())
    return found if usable else None


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Wait for other processes in here, for at most PATIENCE; the system frees the lock of one that was killed."""
    with ExitStack() as stack:
        with suppress(OSError):  # somebody else's cache, or a file system without locks
            _wait_for(stack.enter_context(open(lock, "w")))
        yield


def _wait_for(file: IO[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(POLL)
