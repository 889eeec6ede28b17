"""What the machine offers, each choice with its reason: device, half precision, memory."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from assignment.ddpm.errors import UserError

T = TypeVar("T")
NVIDIA = Path("/dev/nvidiactl")  # there where a driver for GPUs is loaded


@dataclass(frozen=True)
class Choice(Generic[T]):
    value: T
    reason: str  # printed beside the value, so that people can follow what the machine decided

    def __str__(self) -> str:
        return f"{str(self.value).removeprefix('torch.')} ({self.reason})"


def choose_device(wanted: str) -> Choice[torch.device]:
    """`auto` prefers cuda, then mps, then cpu. Raises UserError if the requested device is not available."""
    # in order of preference
    have = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        best = next(kind for kind, there in have.items() if there)
        reasons = {"mps": "no CUDA device found", "cpu": "neither CUDA nor MPS found"}
        if best == "cuda":
            reasons["cuda"] = f"found {torch.cuda.get_device_name()}"
        elif torch.version.cuda is None and NVIDIA.exists():
            reasons["cpu"] = "this torch is a build for CPUs; `make env TORCH=cuda` takes the one for your GPU"
        return Choice(torch.device(best), reasons[best])
    device = torch.device(wanted)
    # "cuda" without a number means the first GPU
    if not have[device.type] or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        available = ", ".join(kind for kind, there in have.items() if there)
        raise UserError(f"runtime.device={wanted}: not on this machine, which has {available}")
    return Choice(device, "as configured")


def half_precision(device: torch.device) -> Choice[torch.dtype | None]:
    """The half precision that the device has instructions for; None if there is none, or none was tried."""
    # Without instructions for it, half precision is emulated: right, and far slower than float32.
    if device.type == "cuda":
        # bfloat16 first: it has the range of float32, so gradients neither overflow nor vanish in it
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Choice(torch.bfloat16, "native on this GPU")
        return Choice(torch.float16, "with loss scaling; this GPU has no native bfloat16")
    if device.type == "cpu":
        if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported():
            return Choice(torch.bfloat16, "this CPU has bfloat16 instructions")
        return Choice(None, "this CPU has no bfloat16 instructions")
    return Choice(None, "half precision is not measured here yet")


def choose_num_images(wanted: int | None, device: torch.device) -> Choice[int]:
    """How many samples to draw: on a CPU, 1000 steps of a U-Net on 64 images can take longer than a short training."""
    if wanted is not None:
        return Choice(wanted, "as configured")
    if device.type == "cpu":
        return Choice(16, "on a CPU; sampling.num_images=64 draws more")
    return Choice(64, f"on {device.type.upper()}")


def memory_available(device: torch.device) -> int:
    """Bytes to plan with: the free memory of a GPU, elsewhere the memory of the machine."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]  # (free, total)
    # all of the machine's, as nothing portable says how much of it is free; MPS shares it with the CPU
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out; CPU and MPS raise a plain RuntimeError."""
    # By its message, for lack of a type; any other RuntimeError must not match, or bugs would look like lack of memory.
    text = str(error).lower()
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(s in text for s in ("out of memory", "can't allocate memory"))
    )
