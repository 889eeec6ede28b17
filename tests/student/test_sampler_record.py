"""What a sampler shows its network: refused where it is not a number, kept and judged everywhere else."""

import math

import pytest
import torch

from grader.checks.finding import CheckFailed
from grader.checks.schedule import Schedule
from grader.checks.telling_network import TellingNetwork
from grader.student.sampler_record import Record
from grader.student.trace import Trace
from grader.submission.process import Reply

S, SHAPE = Schedule(4, 0.01, 0.3), (3, 1, 8, 8)


def called(trace, x, t):
    facts = {"x": {"shape": list(x.shape)}, "t": {"dtype": str(t.dtype), "shape": list(t.shape)}}
    return trace.add(facts, {"x": x, "t": t}, SHAPE)


def steps(t):
    return torch.full((SHAPE[0],), t)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_network_is_shown_finite_numbers(number, dtype):
    trace, x = Trace(), torch.zeros(SHAPE, dtype=dtype)
    called(trace, x, steps(3))
    x[1, 0, 4, 4] = number
    with pytest.raises(CheckFailed, match=r"finite numbers, got (NaN|infinity) at t = 2, in 1 of 192 values"):
        called(trace, x, steps(2))


def test_what_has_run_away_may_go_on_to_infinity_and_is_of_no_form():
    trace, record = Trace(), Record()
    for t, size in zip((3, 2, 1, 0), (1.0, 1e6, math.inf, math.nan), strict=True):
        x, _ = called(trace, torch.full(SHAPE, size), steps(t))
        trace.eps.append(torch.zeros_like(x))
    trace.result = Reply({}, {"y": torch.zeros(SHAPE)})
    record.add_sampling(S, trace)
    (found,) = record.samplings
    assert found.forms == set() and "run away" in found.nearest.what


def test_all_images_are_at_one_step():
    with pytest.raises(CheckFailed, match=r"at one step, got the network called with t = 0 … 3"):
        called(Trace(), torch.zeros(SHAPE), torch.tensor([3, 0, 3]))


def test_calls_in_another_order_are_of_no_form():
    trace, record, network = Trace(), Record(), TellingNetwork(S, 1)
    for t in (3, 2, 2, 0):
        x, seen = called(trace, torch.randn(SHAPE, generator=torch.Generator().manual_seed(t)), steps(t))
        trace.eps.append(network(x, seen))
    trace.result = Reply({}, {"y": torch.zeros(SHAPE)})
    record.add_sampling(S, trace)
    assert record.samplings[0].forms == set() and "another order" in record.samplings[0].nearest.what
    for nothing in ({}, {"y": torch.zeros(SHAPE, dtype=torch.long)}, {"y": torch.zeros(1)}):
        trace.result = Reply({}, nothing)
        record.add_sampling(S, trace)
        assert record.samplings[-1].forms == set()
    assert len(record.samplings) == 4


def test_p_sample_asks_about_its_own_x_and_t():
    record, x, t = Record(), torch.linspace(-2, 2, 192).view(SHAPE), torch.tensor([3, 0, 1])
    for shown in (x, x.double(), x.bfloat16(), x.half()):
        record.add_question(x, t, shown.float(), {"x": shown, "t": t.int()})
    record.add_question(x, t, x, {"x": x, "t": t / 4})  # not an integer: for trace.timesteps
    record.add_question(x, steps(2), x, {"x": x, "t": torch.tensor(2)})
    assert record.misasked == []
    record.add_question(x, t, 0.99 * x, {"x": 0.99 * x, "t": t})
    record.add_question(x, t, x, {"x": x, "t": t.flip(0)})
    assert [failed.message.split(",")[0] for failed in record.misasked] == [
        "expected p_sample to ask the network about its x_t", "expected p_sample to ask the network about its t",
    ]  # fmt: skip


def test_changes_are_kept_by_method():
    record = Record()
    record.add_changes("sample", [])
    record.add_changes("p_sample", ["x_t"])
    record.add_changes("p_sample", ["x_t", "diffusion.betas"])
    assert record.changed == {"sample": [], "p_sample": ["x_t", "diffusion.betas"]}
