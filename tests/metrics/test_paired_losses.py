"""Losses on the same (image, t, noise): how they are drawn, and when one network's is lower than another's."""

import pytest
import torch

from assignment.ddpm.diffusion import GaussianDiffusion
from grader.checks import beats_reference
from grader.checks.finding import CheckFailed
from grader.metrics.triples import EDGES, LOOKS, SHARES, draw_triples, losses, widths

T = 1000


def test_triples_are_always_the_same_and_looks_differ(digits):
    one, again, next_one = (draw_triples(digits.validation, T, look, part="validation") for look in (0, 0, 1))
    assert torch.equal(one.noise, again.noise) and torch.equal(one.t, again.t)
    assert one.fingerprint() == again.fingerprint() != next_one.fingerprint()
    assert [len(draw_triples(digits.validation, T, k, part="validation").t) for k in range(len(LOOKS))] == list(LOOKS)


def test_triples_cover_images_and_bins_evenly(digits):
    triples = draw_triples(digits.validation, T, 0, part="validation")
    counts = torch.bincount(triples.index)
    assert len(counts) == len(digits.validation) and counts.max() - counts.min() <= 1
    edges = [round(e * T) for e in EDGES]
    for b, share in enumerate(SHARES):
        t = triples.t[triples.bins == b]
        assert t.min() >= edges[b] and t.max() < edges[b + 1]
        assert len(t) / len(triples.t) == pytest.approx(share, abs=0.001)
    assert sum(SHARES) == pytest.approx(1) and widths().sum() == pytest.approx(1)


def test_the_stratified_mean_is_that_of_uniform_t(digits):
    """The mean of a loss that depends on t alone is known exactly."""
    triples = draw_triples(digits.validation, T, 0, part="validation")
    mean = beats_reference.stratified(1 / (1 + triples.t.double()), triples.bins, widths())
    assert mean.value == pytest.approx((1 / (1 + torch.arange(T).double())).mean().item(), rel=0.02)


def test_losses_are_mean_squared_errors_of_the_noise(digits):
    triples = draw_triples(digits.validation, T, 0, part="validation")
    found = losses(lambda x, t: torch.zeros_like(x), GaussianDiffusion(T), triples, batch_size=100)
    torch.testing.assert_close(found, triples.noise.double().square().flatten(1).mean(1))


def fake(relative: float, scatter: float, n: int = 4096, seed: int = 0):
    """Losses of a student and the reference, whose difference is known up to noise of known size."""
    generator = torch.Generator().manual_seed(seed)
    bins = torch.arange(n) % len(widths())
    reference = 0.1 * (1 + 0.5 * torch.rand(n, generator=generator, dtype=torch.float64))
    noise = scatter * torch.randn(n, generator=generator, dtype=torch.float64)
    return reference * (1 + relative + noise), reference, bins, widths(), torch.arange(n) % 150


def test_the_standard_error_is_that_of_many_repetitions():
    found = [beats_reference.compare(*fake(0.0, 0.1, seed=s)) for s in range(200)]
    relative = torch.tensor([f.relative for f in found])
    assert relative.std().item() == pytest.approx(found[0].error, rel=0.2)
    assert abs(relative.mean().item()) < 3 * found[0].error / 200**0.5


@pytest.mark.parametrize(
    ("relative", "decision"), [(-0.03, "wins"), (0.03, "loses"), (0.0, "loses"), (-0.001, "open"), (-0.003, "open")]
)
def test_clear_differences_are_decided_and_close_ones_are_left_open(relative, decision):
    scatter = 0.0 if decision == "loses" else 0.1
    assert beats_reference.decide(beats_reference.compare(*fake(relative, scatter)), looks=3) == decision


def test_the_reference_never_beats_itself():
    _, reference, *rest = fake(0.0, 0.0)
    found = beats_reference.compare(reference, reference, *rest)
    assert beats_reference.decide(found, 1) == "loses"
    rounding = 1 + 1e-6 * torch.randn(len(reference), generator=torch.Generator().manual_seed(0))
    assert beats_reference.decide(beats_reference.compare(reference * rounding.abs(), reference, *rest), 1) == "loses"


def test_equals_win_seldom():
    """With equal losses, over three looks, at most FALSE_WIN of the decisions are wins, here of 1000 (bound 2 %)."""
    wins = 0
    for s in range(1000):
        looks = [fake(-beats_reference.MARGIN, 0.1, n=300 * 2**k, seed=1000 * k + s) for k in range(3)]
        for k in range(3):
            seen = [torch.cat([look[i] for look in looks[: k + 1]]) for i in (0, 1, 2, 4)]
            decision = beats_reference.decide(beats_reference.compare(*seen[:3], widths(), seen[3]), 3)
            if decision != "open":
                break
        wins += decision == "wins"
    assert wins <= 20


def test_a_lead_on_validation_only_is_seen():
    ahead, level = beats_reference.compare(*fake(-0.2, 0.1)), beats_reference.compare(*fake(0.0, 0.1, seed=1))
    with pytest.raises(CheckFailed, match="test images"):
        beats_reference.check_generalises(ahead, level)
    beats_reference.check_generalises(level, level)
    beats_reference.check_generalises(
        beats_reference.compare(*fake(-0.03, 0.1)), beats_reference.compare(*fake(-0.025, 0.1, seed=1))
    )


def test_a_loser_is_told_where_and_how_far():
    found = beats_reference.compare(*fake(0.05, 0.02))
    along = [{"epoch": 1, "loss": 0.2}, {"epoch": 10, "loss": found.student + 1e-4}, {"epoch": 50, "loss": 0.1}]
    with pytest.raises(CheckFailed) as failure:
        beats_reference.check_beats(found, 3, [0, 10, 50, 100, 250, 500, 1000], along, "cpu: 3 of 50 epochs")
    assert "5.0% above" in failure.value.message and "provisional: cpu: 3 of 50 epochs" in failure.value.message
    assert "you lose most at t = " in failure.value.hint and "after about 10 epochs" in failure.value.hint
