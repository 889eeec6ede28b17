"""How much of the machine a submission's process may use. Set in the worker before the submission is imported.

What exceeds a limit fails there (MemoryError, OSError), so the current check reports it and the others continue.
"""

import contextlib
import math
import os
import resource
from dataclasses import dataclass
from pathlib import Path

GIB, MIB = 1 << 30, 1 << 20
PER_CORE = 80 * MIB  # of address space that a thread reserves without using it: a malloc arena, and a stack
GPU_SHARE = 0.9  # of a GPU's memory; the judge's own networks need a little


@dataclass(frozen=True)
class Limits:
    """Of one worker. `memory_gib` is address space beyond the worker's own at the start; on a GPU it is GPU_SHARE."""

    memory_gib: float = 16.0
    processes: int = 512  # and threads, beyond those that the user already runs
    file_mib: int = 64
    scratch_mib: int = 256  # in all, if there is a sandbox


def tasks_of_user() -> int:
    """How many processes and threads this user runs, as RLIMIT_NPROC counts them; 0 without /proc."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.getuid():
                count += len(os.listdir(folder / "task"))
    return count


def apply(limits: Limits, running: int, device: str) -> None:
    """Limit this process and its children, for good. `running`: the user's tasks, by the judge's count."""
    with contextlib.suppress(OSError):  # Linux: if memory runs out nevertheless, kill this process first
        Path("/proc/self/oom_score_adj").write_text("1000")
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_FSIZE, limits.file_mib * MIB)
    if running:
        _set(resource.RLIMIT_NPROC, running + limits.processes)
    if hasattr(resource, "RLIMIT_MSGQUEUE"):
        _set(resource.RLIMIT_MSGQUEUE, 0)  # would outlive the process
    if device.startswith("cuda"):  # an address-space limit breaks CUDA
        import torch

        index = torch.device(device).index  # None for "cuda", which torch does not accept here
        torch.cuda.set_per_process_memory_fraction(GPU_SHARE, 0 if index is None else index)
    elif limits.memory_gib < math.inf and (size := _address_space()):
        _set(resource.RLIMIT_AS, int(size + limits.memory_gib * GIB + (os.cpu_count() or 1) * PER_CORE))


def describe(limits: Limits, device: str) -> str:
    """The limits in force, in words."""
    memory = f"{GPU_SHARE:.0%} of the GPU's memory" if device.startswith("cuda") else f"{limits.memory_gib:g} GiB"
    return f"limits: {memory}, {limits.processes} processes and threads, files of {limits.file_mib} MiB"


def _address_space() -> int:
    """Bytes of address space of this process; 0 without /proc."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _set(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS defines some of them without supporting them
        resource.setrlimit(what, (most, most))
