"""How a network is run: precision, memory layout, attention kernel, compilation. What it computes stays the same."""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel


@dataclass(frozen=True)
class Setting:
    """How a network is run. The defaults are the plain setting."""

    precision: torch.dtype = torch.float32  # of matrix products, under autocast; weights and optimiser stay float32
    channels_last: bool = False
    attention: str = "fused"  # the kernel that torch picks; `math` computes the same by plain matrix products
    compile: bool = False
    threads: int | None = None  # of a CPU; None: as torch has it

    def __str__(self) -> str:
        words = [str(self.precision).removeprefix("torch.")]
        words += ["channels last"] if self.channels_last else []
        words += ["math attention"] if self.attention == "math" else []
        words += ["compiled"] if self.compile else []
        words += [f"{self.threads} thread{'s' if self.threads > 1 else ''}"] if self.threads else []
        return ", ".join(words)


PLAIN = Setting()


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Within it torch computes with so many threads; None: as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Runner(nn.Module):
    """Runs a network in a setting, and always answers in float32.

    Owns nothing new: `runner.model` is the network itself, so training the runner trains the network. The number of
    threads belongs to the whole process: whoever chooses it sets it.
    """

    def __init__(self, model: nn.Module, setting: Setting = PLAIN, sampling: Setting | None = None) -> None:
        """`sampling` is the setting for drawing samples; by default the same, without compilation."""
        super().__init__()
        self.setting, self.sampling = setting, sampling or replace(setting, compile=False)
        # Channels last keeps the shape (B, C, H, W) and stores the channels of a pixel side by side, as fast
        # convolutions want them. The trap: .view(B, -1) then raises an error; .reshape and .flatten work.
        self.memory_format = torch.channels_last if setting.channels_last else torch.contiguous_format
        self.model = model.to(memory_format=torch.channels_last) if setting.channels_last else model
        # dynamic=False: another batch size, as in sampling, compiles once more instead of slowing down training
        self._call = torch.compile(model, dynamic=False) if setting.compile else model

    def uncompiled(self, model: nn.Module | None = None) -> "Runner":
        """The same setting without compilation, for runs too short to compile for; of another model, if given."""
        return Runner(model or self.model, replace(self.setting, compile=False), self.sampling)

    def for_sampling(self) -> "Runner":
        """The same network in the setting for drawing samples."""
        model = self.model
        if self.setting.channels_last and not self.sampling.channels_last:
            model = copy.deepcopy(model).to(memory_format=torch.contiguous_format)  # this one may still be in training
        return Runner(model, self.sampling)

    def forward(self, x: Tensor, t: Tensor, *y: Tensor) -> Tensor:
        """x (B, C, H, W), t (B,), labels y (B,) if there are any → predicted noise (B, C, H, W), float32."""
        x = x.contiguous(memory_format=self.memory_format)  # (B, C, H, W), whatever the layout
        with self._attention(), self._autocast(x.device.type):
            return self._call(x, t, *y).float()  # loss and sampler compute in float32

    def _attention(self) -> AbstractContextManager[object]:
        return sdpa_kernel(SDPBackend.MATH) if self.setting.attention == "math" else nullcontext()

    def _autocast(self, device_type: str) -> AbstractContextManager[object]:
        # Autocast rounds the inputs of matrix products and convolutions only; norms and softmax stay in float32. Under
        # float32 a GPU's convolutions may still round to TF32, with 10 bits like float16: torch's default.
        half = self.setting.precision != torch.float32
        return torch.autocast(device_type, self.setting.precision) if half else nullcontext()
