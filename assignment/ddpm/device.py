"""Choices that the machine makes, each with its reason: device, precision, memory layout, compilation."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from assignment.ddpm.errors import UserError


@dataclass(frozen=True)
class Choice:
    value: Any
    reason: str

    def __str__(self) -> str:
        return f"{str(self.value).removeprefix('torch.')} ({self.reason})"


def choose_device(wanted: str) -> Choice:
    """`auto` prefers cuda, then mps, then cpu. Raises UserError where the one asked for is not there."""
    have = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        best = next(kind for kind, there in have.items() if there)
        found = f"found {torch.cuda.get_device_name()}" if best == "cuda" else "no CUDA device found"
        return Choice(torch.device(best), found if best != "cpu" else "neither CUDA nor MPS found")
    device = torch.device(wanted)
    if not have[device.type] or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        available = ", ".join(kind for kind, there in have.items() if there)
        raise UserError(f"runtime.device={wanted}: not on this machine, which has {available}")
    return Choice(device, "as configured")


def choose_precision(wanted: str, device: torch.device) -> Choice:
    """The dtype of matrix products under autocast; weights, optimiser and diffusion stay float32."""
    if wanted != "auto":
        return Choice(getattr(torch, wanted), "as configured")
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Choice(torch.bfloat16, "native on this GPU")
        return Choice(torch.float16, "with loss scaling; this GPU has no native bfloat16")
    if device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return Choice(torch.bfloat16, "this CPU has bfloat16 instructions")
    reason = (
        "this CPU has no bfloat16 instructions" if device.type == "cpu" else "half precision is not measured here yet"
    )
    return Choice(torch.float32, reason)


def choose_num_images(wanted: int | None, device: torch.device) -> Choice:
    """How many samples to draw: on a CPU, 1000 steps of a U-Net on 64 images can take longer than a short training."""
    if wanted is not None:
        return Choice(wanted, "as configured")
    if device.type == "cpu":
        return Choice(16, "on a CPU; sampling.num_images=64 draws more")
    return Choice(64, f"on {device.type.upper()}")


def choose_switch(wanted: bool | str, device: torch.device, works: Callable[[], None]) -> Choice:
    """`auto` turns a GPU optimisation on where there is a CUDA device and a trial run with it goes through."""
    if wanted != "auto":
        return Choice(bool(wanted), "as configured")
    if device.type != "cuda":
        return Choice(False, "no gain measured on a CPU" if device.type == "cpu" else "not measured here yet")
    try:
        works()
    except Exception as error:  # nearly anything: a network for which the optimisation fails is trained without it
        if is_out_of_memory(error):
            raise
        first_line = (str(error) or repr(error)).splitlines()[0]
        return Choice(False, f"this network does not run with it: {first_line}")
    return Choice(True, "CUDA device, and a trial step went through")


class Runner(nn.Module):
    """A network as it is run: under autocast, in its memory layout, compiled or not. Always answers in float32.

    Owns nothing new: `runner.model` is the network itself, so training the runner trains the network.
    """

    def __init__(
        self, model: nn.Module, *, precision: torch.dtype, channels_last: bool = False, compile: bool = False
    ) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last) if channels_last else model
        self.precision, self.channels_last = precision, channels_last
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self._call = torch.compile(model, dynamic=False) if compile else model

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x (B, C, H, W), t (B,) → predicted noise (B, C, H, W), float32."""
        x = x.contiguous(memory_format=self.memory_format)
        if self.precision == torch.float32:
            return self._call(x, t)
        with torch.autocast(x.device.type, self.precision):
            return self._call(x, t).float()


def trial_step(runner: Runner, shape: tuple[int, int, int, int], device: torch.device) -> None:
    """One forward and backward pass on noise, leaving nothing behind; raises what the network raises."""
    buffers = [buffer.clone() for buffer in runner.buffers()]
    t = torch.zeros(shape[0], dtype=torch.long, device=device)
    try:
        runner.train()
        runner(torch.randn(shape, device=device), t).square().mean().backward()
    finally:
        runner.zero_grad(set_to_none=True)
        for buffer, before in zip(runner.buffers(), buffers, strict=True):
            buffer.copy_(before)  # the running statistics of a BatchNorm


def memory_available(device: torch.device) -> int:
    """Bytes that can be allocated on the device: free memory of a GPU, of the machine elsewhere."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception is some device's way of saying so; CPU and MPS raise a plain RuntimeError."""
    text = str(error).lower()
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(s in text for s in ("out of memory", "can't allocate memory"))
    )
