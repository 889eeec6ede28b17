"""The claims of `samples.denoises` and, of `samples.new`, that no training image is known by heart."""

import math

import pytest
import torch

from grader.checks.denoises import (
    BY_HEART,
    EDGES,
    STORE,
    bins_of,
    check_denoises,
    check_none_by_heart,
    check_same_alone,
)  # fmt: skip
from grader.checks.finding import CheckFailed
from grader.grading_config import BINS, FEWEST_STEPS
from grader.metrics import triples

LIMITS = [0.8, 0.8, 0.9, 1.2]
T = torch.arange(0, 1000, 5)


def test_the_bins_of_t():
    assert len(EDGES) - 1 == BINS  # as many limits as bins
    assert set(EDGES) <= set(triples.EDGES)  # the same bins as those of the loss on level 2
    t = torch.tensor([0, 9, 10, 49, 50, 99, 100, 249, 250, 499, 500, 999])
    assert bins_of(t, 1000).tolist() == [-1, -1, 0, 0, 1, 1, 2, 2, 3, 3, -1, -1]
    assert set(bins_of(torch.linspace(0, 999, FEWEST_STEPS).round().long(), 1000).tolist()) == {-1, 0, 1, 2, 3}


@pytest.mark.parametrize("at", range(len(LIMITS)))
def test_a_loss_above_the_limit_in_any_bin_fails_and_the_bin_is_named(at):
    linear = torch.rand(len(T)) + 0.5
    bins = bins_of(T, 1000)
    parts = torch.tensor([*LIMITS, 50.0])[bins] * 0.95  # outside the bins anything goes
    assert check_denoises(parts * linear, linear, T, 1000, LIMITS)["margin"] == pytest.approx(0.05, abs=1e-6)
    parts[bins == at] *= 1.1
    with pytest.raises(CheckFailed, match=f"t = {EDGES[at] * 1000:.0f} …"):
        check_denoises(parts * linear, linear, T, 1000, LIMITS)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_fails(value):
    linear = torch.ones(len(T))
    loss = 0.1 * linear
    loss[(T == 60).nonzero()[0]] = value
    with pytest.raises(CheckFailed):
        check_denoises(loss, linear, T, 1000, LIMITS)


def test_rounding_is_allowed_as_far_as_it_was_seen_and_no_farther():
    y = torch.randn(64, 1, 8, 8)
    coarse = [y * (1 + 1e-3 * torch.randn(len(y), 1, 1, 1)) for _ in range(3)]
    assert check_same_alone(*coarse)["difference"] > 1e-4
    with pytest.raises(CheckFailed):
        check_same_alone(y, coarse[0], coarse[0])  # it rounds the same twice, so this is no rounding
    one_off = y.clone()
    one_off[7] = y[8]
    with pytest.raises(CheckFailed):
        check_same_alone(one_off, y, y)
    with pytest.raises(CheckFailed):
        check_same_alone(y, torch.randn_like(y), torch.randn_like(y))  # answers by chance excuse nothing


def test_few_images_known_by_heart_are_luck_and_more_are_a_store():
    bins = torch.arange(300) % STORE
    unseen = (0.2 + 0.3 * bins) * (0.5 + torch.rand(300))
    training = unseen.clone()
    assert check_none_by_heart(training, unseen, bins, bins)["known_by_heart"] == 0
    training[:BY_HEART] = 0
    assert check_none_by_heart(training, unseen, bins, bins)["known_by_heart"] == BY_HEART
    training[BY_HEART] = 0
    with pytest.raises(CheckFailed, match=f"got {BY_HEART + 1} of 300"):
        check_none_by_heart(training, unseen, bins, bins)
