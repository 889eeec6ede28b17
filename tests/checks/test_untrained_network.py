"""The judge's pure functions for level 1 without training: each can pass, and fail with the hint for the mistake."""

import math

import pytest
import torch

from grader.checks import behaviour, conditioning, output_contract
from grader.checks.finding import NotJudged, at_least, at_most, tightest
from tests.support.failing import Y, failed, hint

T = [0, 100, 300, 500, 700, 999]
PLAIN = {"type": "Tensor", "shape": [2, 1, 8, 8], "dtype": "torch.float32", "device": "cpu"}


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"type": "tuple"}, "got tuple"),
        (PLAIN | {"dtype": "torch.float16"}, "got float16"),
        (PLAIN | {"device": "meta"}, "got one on meta"),
        (PLAIN | {"type": "MyTensor"}, "got MyTensor"),
    ],
)
def test_output(facts, says):
    y = torch.zeros(2, 1, 8, 8)
    output_contract.check_output(PLAIN, y, (2, 1, 8, 8), torch.float32, "cpu")
    with failed(says):
        output_contract.check_output(facts, y, (2, 1, 8, 8), torch.float32, "cpu")


def test_what_came_counts_and_not_what_is_said_of_it():
    for y in (torch.zeros(2, 1, 8, 7), torch.zeros(2, 1, 8, 8, dtype=torch.float64), None):
        with failed("expected"):
            output_contract.check_output(PLAIN, y, (2, 1, 8, 8), torch.float32, "cpu")


@pytest.mark.parametrize(
    ("shape", "says"), [([2, 1, 6, 6], "padding"), ([2, 2, 8, 8], "channels"), ([4, 1, 8, 8], "dimension 0")]
)
def test_a_wrong_shape_gets_the_hint_for_it(shape, says):
    assert says in hint(lambda: output_contract.check_shape({"shape": shape}, torch.zeros(shape), (2, 1, 8, 8)))


def test_finite():
    output_contract.check_finite(Y, "here")
    with failed("NaN in 1 of 96 values here"):
        output_contract.check_finite(torch.where(Y.max() == Y, torch.nan, Y), "here")


def test_every_t():
    conditioning.check_uses_every_t(Y, Y + 1e-6, T)
    assert "t[0]" in hint(lambda: conditioning.check_uses_every_t(Y[:1].expand_as(Y), Y, T))
    assert "averaged" in hint(lambda: conditioning.check_uses_every_t(Y[1:2].expand_as(Y), Y + 3, T))
    assert "right axis" in hint(lambda: conditioning.check_uses_every_t(Y.flip(0), Y, T))
    with failed("only zeros"):
        conditioning.check_uses_every_t(0 * Y, 0 * Y, T)
    with failed("NaN or infinity"):
        conditioning.check_uses_every_t(torch.where(Y.max() == Y, torch.nan, Y), Y, T)
    conditioning.wait_unless_independent(Y[:1], Y[:1] + 1e-6)
    for among_others in (Y[1:2], torch.full_like(Y[:1], torch.nan)):
        with pytest.raises(NotJudged, match="samples_independent"):
            conditioning.wait_unless_independent(among_others, Y[:1])


def test_who_takes_another_t_is_not_told_that_t_is_too_faint():
    conditioning.wait_unless_own_t(Y[:1] + 1e-6, Y[:1])
    for mixed in (Y[:1] + 0.1, Y[:1] * torch.nan):
        with pytest.raises(NotJudged, match=r"waits for timestep\.uses_every_t"):
            conditioning.wait_unless_own_t(mixed, Y[:1])


def spoilt(where: tuple, value: float) -> torch.Tensor:
    y = Y.repeat(1, 3, 1, 1)
    y[where] = value
    return y


@pytest.mark.parametrize("where", [(slice(None), 0, 0, 0), (slice(None), 1), (slice(None), slice(None), 0)], ids=str)
def test_a_huge_pixel_row_or_channel_hides_and_proves_nothing(where):
    huge, other = spoilt(where, 1e6), spoilt(where, 1.1e6)
    assert conditioning.difference(huge, huge + 1e-2) > conditioning.SAME
    assert conditioning.difference(huge, huge) == 0
    assert conditioning.change(huge, other) == 0
    with failed("difference of 0"):
        conditioning.check_depends_on_t(huge, other, 1000)
    with failed("the same for"):
        conditioning.check_whole_range(torch.cat([huge[:1], other[:1]]), [0, 500], [0, 1], torch.stack([huge[:2]] * 2))


def test_one_image_of_many_counts():
    y = Y.clone()
    y[3] *= 1.01
    assert conditioning.difference(y, Y) > 3 * conditioning.SAME


def test_answers_that_are_mostly_zeros_can_be_compared():
    sparse = Y * (torch.arange(16).view(4, 4) == 5)
    assert conditioning.difference(sparse, sparse * (1 + 1e-6)) < 1e-6 < conditioning.difference(sparse, 1.01 * sparse)
    assert conditioning.difference(0 * Y, 0 * Y) == 0
    assert conditioning.difference(sparse / 0, sparse) == math.inf


def test_depends_on_t():
    conditioning.check_depends_on_t(Y, 1.01 * Y, 1000)
    with failed("difference of 0"):
        conditioning.check_depends_on_t(Y, Y, 1000)
    with failed("NaN or infinity"):
        conditioning.check_depends_on_t(Y, torch.full_like(Y, torch.nan), 1000)


@pytest.mark.parametrize(
    ("as_if", "says"),
    [
        (lambda t: 0, "t is ignored"),
        (lambda t: min(t, 400), "clamped, or the table"),
        (lambda t: max(t, 400), "clamped or rounded down"),
        (lambda t: t % 100, "modulo"),
        (lambda t: t // 50, "divided by an integer"),
    ],
)
def test_whole_range(as_if, says):
    t = list(range(0, 1000, 20))
    table = torch.randn(1000, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    whole_range(table[t], t)
    assert says in hint(lambda: whole_range(table[[as_if(v) for v in t]], t))


def whole_range(y: torch.Tensor, t: list[int], rounding: float = 0.0) -> dict:
    """Judge answers that come back the same when asked for alone, but for `rounding`."""
    near = conditioning.near_ones(y)
    alone = torch.stack([y[near], y[near] + rounding], dim=1)
    return conditioning.check_whole_range(y, t, near, alone)


def test_a_network_may_be_smooth_in_t_but_not_the_same_for_two():
    t = torch.arange(40)
    image = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    smooth = image * (1 + 1e-6 * t.view(-1, 1, 1, 1))  # neighbours differ by ten roundings
    assert conditioning.near_ones(smooth)
    assert whole_range(smooth, t.tolist())["smallest_difference"] < 2e-6
    with failed("the same for"):
        whole_range(smooth, t.tolist(), rounding=1e-6)  # a device on which the same question gets other answers
    steps = image * (1 + 1e-6 * (t // 4).view(-1, 1, 1, 1))
    with failed("the same for"):
        whole_range(steps, t.tolist())
    with failed("NaN or infinity"):
        whole_range(torch.full_like(smooth, torch.nan), t.tolist())


def test_independent_and_order():
    conditioning.check_independent(Y, Y)
    with failed("alone and among others"):
        conditioning.check_independent(Y, Y + Y.mean())
    order = [2, 0, 1, 3, 5, 4]
    conditioning.check_order(Y[order], Y, order)
    with failed("after reordering"):
        conditioning.check_order(Y, Y, order)


def test_behaviour():
    behaviour.check_deterministic(Y, [Y.clone(), Y.clone()], "cpu")
    behaviour.check_no_hidden_state([Y, Y[:2]], [Y + 1e-6, Y[:2]], "cuda:0")
    behaviour.check_registered(Y, Y + 1e-6)
    with failed("differ"):
        behaviour.check_deterministic(Y, [Y, Y + 1e-3], "cuda:0")
    with failed("differ"):
        behaviour.check_no_hidden_state([Y, Y[:2]], [Y, Y[:2] + 1e-3], "cuda:0")
    with failed("differ"):
        behaviour.check_no_hidden_state([Y, Y], [Y / 0, Y], "cpu")
    with failed("after saving and loading"):
        behaviour.check_registered(Y, 1.1 * Y)


def test_inputs_defaults_and_seeds():
    before = {"x": Y, "t": torch.arange(6)}
    behaviour.check_inputs_unchanged(before, {k: v.clone() for k, v in before.items()})
    with failed("expected t to be unchanged"):
        behaviour.check_inputs_unchanged(before, {"x": Y, "t": torch.arange(6) + 1})
    behaviour.check_defaults({"grad mode": True}, {"grad mode": True}, "a call")
    with failed(r"grad mode \(True → False\)"):
        behaviour.check_defaults({"grad mode": True}, {"grad mode": False}, "a call")
    one, other = torch.arange(3), torch.arange(3) + 1
    behaviour.check_rng_untouched(one, one)
    behaviour.check_not_reseeded(one, other)
    with failed("generator"):
        behaviour.check_rng_untouched(one, other)
    with failed("generator"):
        behaviour.check_not_reseeded(one, one)


@pytest.mark.parametrize(
    ("found", "margin"),
    [
        (at_most(0.0, 2.0), 1), (at_most(1.0, 2.0), 0.5), (at_most(2.0, 2.0), 0), (at_most(3.0, 2.0), -0.5),
        (at_most(math.inf, 2.0), -1), (at_most(math.nan, 2.0), -1), (at_most(0.0, 0.0), None),
        (at_least(4.0, 2.0), 0.5), (at_least(2.0, 2.0), 0), (at_least(1.0, 2.0), -1), (at_least(0.0, 2.0), -1),
        (at_least(-3.0, 2.0), -1), (at_least(math.nan, 2.0), -1), (at_least(math.inf, 2.0), 1),
        (tightest({"margin": 0.5}, {"margin": -0.25}), -0.25),
    ],
)  # fmt: skip
def test_a_margin_tells_how_far_a_value_is_within_its_limit(found, margin):
    assert found.get("margin") == margin
