"""What the machine offers, each choice with its reason."""

import pytest
import torch

from assignment.ddpm import device
from assignment.ddpm.device import choose_device, half_precision, is_out_of_memory
from assignment.ddpm.errors import UserError

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")


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


def test_a_gpu_that_torchs_build_cannot_use_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(device, "NVIDIA", tmp_path)
    assert "`make env TORCH=cuda` takes the one for your GPU" in str(choose_device("auto"))


@pytest.mark.parametrize(("native", "half"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_without_native_bfloat16_has_float16(native, half, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert half_precision(CUDA).value == half


@pytest.mark.parametrize(("has_instructions", "half"), [(True, torch.bfloat16), (False, None)])
def test_a_cpu_has_bfloat16_only_with_instructions_for_it(has_instructions, half, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_instructions)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert half_precision(CPU).value == half
    assert half_precision(MPS).value is None


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
