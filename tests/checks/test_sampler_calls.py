"""What the network saw while sample ran: which t, in which order, and the first x."""

import math

import pytest
import torch

from grader.checks import sampler_calls
from grader.checks.finding import CheckFailed


def test_order():
    down = list(range(9, -1, -1))
    assert sampler_calls.check_order(down, 10) == {"calls": 10, "T": 10}
    for ts, what in [
        ([], "never called"), ([10, *down[:-1]], "starts at t = T"), (down[:-1], "stops at t = 1"),
        (down[1:], "starts at t = 8"), (down[1:-1], "starts at t = 8 and stops at t = 1"), (down[::-1], "goes up"),
        (down[::2], "only 5 of 10"), ([t for t in down for _ in range(2)], "twice"), ([9] * 10, "in all 10 calls"),
        ([*down, 0], "11 calls"), ([9, 8, 8, *down[3:]], "call 3 has t = 8"), ([*down[:8], 0, 1], "another order"),
    ]:  # fmt: skip
        with pytest.raises(CheckFailed, match=what):
            sampler_calls.check_order(ts, 10)


def test_timestep_tensors():
    def check(dtype="torch.int64", shape=(3,), device="cpu"):
        return sampler_calls.check_timestep_tensors([dtype] * 2, [shape] * 2, [device] * 2, 3, "cpu")

    assert check()["calls"] == 2 and check("torch.int32")
    sampler_calls.check_timestep_tensors(["torch.int64"], [[3]], ["cuda:0"], 3, "cuda")
    for wrong in ({"dtype": "torch.float32"}, {"dtype": None}, {"shape": ()}, {"shape": (1,)}, {"shape": (3, 1)},
                  {"device": "cuda"}):  # fmt: skip
        with pytest.raises(CheckFailed):
            check(**wrong)


def test_starting_noise():
    g = torch.Generator().manual_seed(2)
    z = torch.randn(64, 3, 16, 16, generator=g)
    assert sampler_calls.check_starting_noise(z)["n"] == z.numel()
    for wrong, what in [
        (torch.rand(z.shape, generator=g), "mean"), (torch.zeros_like(z), "variance"), (2 * z, "variance"),
        ((torch.rand(z.shape, generator=g) - 0.5) * math.sqrt(12), "kurtosis"), (z.clamp(-1, 1), "variance"),
        (z[:1].expand_as(z), "images of the batch"), (z[:, :1].expand_as(z), "channels"),
    ]:  # fmt: skip
        with pytest.raises(CheckFailed, match=what):
            sampler_calls.check_starting_noise(wrong)


def test_eval_and_no_grad():
    assert sampler_calls.check_eval([False, False]) and sampler_calls.check_no_grad([False])
    for check, seen in ((sampler_calls.check_eval, [False, True]), (sampler_calls.check_no_grad, [True])):
        with pytest.raises(CheckFailed):
            check(seen)
    with pytest.raises(CheckFailed):
        sampler_calls.check_no_grad([False], output_requires_grad=True)
