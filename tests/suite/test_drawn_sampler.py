"""What level 4 draws: within its ranges for every seed, other things for other seeds, and always the same for one."""

import pytest

from grader.suite.drawn_sampler import Drawn

SEEDS = range(200)


def test_schedules_are_within_their_ranges():
    for seed in SEEDS:
        s = Drawn(seed).steep("steep")
        assert 16 <= s.T <= 24 and 0.007 <= s.beta_start <= 0.011 and 0.3 <= s.beta_end <= 0.45
    assert len({Drawn(seed).steep("steep") for seed in SEEDS}) == len(SEEDS)
    assert {Drawn(seed).steep("steep").T for seed in SEEDS} == set(range(16, 25))
    assert Drawn(1).steep("steep") == Drawn(1).steep("steep") != Drawn(1).steep("range")


@pytest.mark.parametrize(
    ("scalars", "images", "channels"),
    [(64, (2, 4), (1, 2, 3)), (96, (2, 8), (1,)), (360, (1, 1), (2,)), (1 << 13, (1, 40), (1, 2, 3)),
     (4200, (9, 16), (2, 3, 4)), (1 << 17, (20, 40), (1, 2, 3)), (5 * 3 * 1024, (5, 5), (3, 4))],
)  # fmt: skip
def test_shapes_have_enough_scalars_and_no_size_twice(scalars, images, channels):
    for seed in SEEDS:
        B, C, H, W = Drawn(seed).shape("x", scalars, images, channels)
        assert images[0] <= B <= images[1] and C in channels and len({B, C, H, W}) == 4
        assert scalars <= B * C * H * W <= 1.5 * scalars


@pytest.mark.parametrize(("T", "count"), [(1000, 12), (1000, 1), (20, 1), (16, 12), (3, 12), (2, 1), (1, 1)])
def test_timesteps_have_both_ends_and_one_from_each_part(T, count):
    for seed in SEEDS:
        t = Drawn(seed).timesteps("x", T, count)
        assert t == sorted(set(t)) and set(t) <= set(range(1, T)) and {1, 2, T - 1} & set(range(1, T)) <= set(t)
        if T == 1000:
            assert len(t) == 3 + count
    assert len({tuple(Drawn(seed).timesteps("x", 1000, 12)) for seed in SEEDS}) == len(SEEDS)


def test_the_clips_are_far_from_the_samples():
    """So that they change mean and spread by less than end_to_end.TOLERANCE, 1e-3 of the spread."""
    for seed in SEEDS:
        drawn = Drawn(seed)
        mean, std = drawn.oracle(drawn.steep("steep")).expected_moments("beta")
        assert (1 + mean) / std > 3.6
