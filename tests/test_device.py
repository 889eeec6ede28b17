"""Choices of the machine: each has a reason, and an optimisation that a network does not run with is left out."""

import pytest
import torch

from assignment.ddpm.config import load_config
from assignment.ddpm.device import Runner, choose_device, choose_precision, choose_switch, is_out_of_memory, trial_step
from assignment.ddpm.errors import UserError
from tests.networks import DiffusionModel

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_the_best_device_that_is_there_is_chosen(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert str(choose_device("auto")) == "cpu (neither CUDA nor MPS found)"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert str(choose_device("auto")) == "mps (no CUDA device found)"
    assert str(choose_device("cpu")) == "cpu (as configured)"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    assert str(choose_device("auto")) == "cuda (found Tesla T4)"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1").value == torch.device("cuda:1")
    with pytest.raises(UserError, match="cuda:2: not on this machine, which has cuda, mps, cpu"):
        choose_device("cuda:2")


@pytest.mark.parametrize(("native", "chosen"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_without_native_bfloat16_gets_float16(native, chosen, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert choose_precision("auto", CUDA).value == chosen


@pytest.mark.parametrize(("has_instructions", "chosen"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_gets_bfloat16_only_with_instructions_for_it(has_instructions, chosen, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_instructions)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert choose_precision("auto", CPU).value == chosen
    assert choose_precision("float16", CPU).value == torch.float16


def test_auto_means_on_a_gpu_and_only_if_a_trial_goes_through():
    def fails():
        raise RuntimeError("view size is not compatible\nwith a long story")

    assert choose_switch(True, CPU, fails).value is True
    assert choose_switch(False, CUDA, lambda: None).value is False
    assert choose_switch("auto", CPU, fails).value is False
    assert choose_switch("auto", CUDA, lambda: None).value is True
    refused = choose_switch("auto", CUDA, fails)
    assert refused.value is False and refused.reason == "this network does not run with it: view size is not compatible"


class UsesView(DiffusionModel):
    """Right in the usual memory layout; fails in channels-last, where the pixels of a channel are not neighbours."""

    def forward(self, x, t):
        h = self.first(x)
        return super().forward(x, t) + h.view(len(h), -1).mean()


def test_the_trial_finds_a_network_that_needs_the_usual_layout():
    model = UsesView(load_config("configs/digits.yaml").model)
    trial_step(Runner(model, precision=torch.float32), (2, 1, 8, 8), CPU)
    with pytest.raises(RuntimeError, match="view"):
        trial_step(Runner(model, precision=torch.float32, channels_last=True), (2, 1, 8, 8), CPU)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: 9 bytes"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_in_the_words_of_each_device(error, is_it):
    assert is_out_of_memory(error) is is_it
