"""A batch of different t: each image is stepped by its own."""

import math

import pytest
import torch

from grader.checks import mixed_t
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import inside_inputs
from grader.checks.step_formulas import eps_form, sigma_beta, sigma_beta_tilde
from grader.checks.wrong_means import WRONG_MEANS
from grader.checks.wrong_sigmas import WRONG_SIGMAS
from tests.support.steps import RIGHT, SHIPPED, STEEP


class Mixed:
    """What a sampler returns for a mixed batch and for unmixed ones, as the test of level 4 asks for it.

    Args:
        step: (schedule, t of one image, its x, eps and z, all t of the batch) → its x_{t-1}
        drawn: how z is drawn: for the whole "batch", or "image by image", so that seeds don't help
    """

    def __init__(self, s, step, drawn="batch", seed=1):
        self.t = [0, 5, s.T - 1, 0, 1]
        g = torch.Generator().manual_seed(seed)
        pairs = [inside_inputs(s, t, (3, 32, 32), g) for t in self.t]
        self.x, self.eps = (torch.stack(values) for values in zip(*pairs, strict=True))

        def calls(t):
            outs = []
            for k in range(4):
                own = torch.Generator().manual_seed(k) if drawn == "batch" else g
                z = torch.randn(self.x.shape, generator=own)
                outs.append(torch.stack([step(s, *row, t) for row in zip(t, self.x, self.eps, z, strict=True)]))
            return torch.stack(outs)

        self.mixed, self.alone = calls(self.t), {t: calls([t] * 5) for t in dict.fromkeys(self.t)}

    def check(self):
        return mixed_t.check_mixed_t(self.t, self.x, self.eps, self.mixed, self.alone)


def one_step(mean, sigma):
    return lambda s, t, x, eps, z, all_t: mean(s, t, x, eps) + (t > 0) * sigma(s, t) * z


@pytest.mark.parametrize("drawn", ["batch", "image by image"])
@pytest.mark.parametrize("s", [SHIPPED, STEEP])
def test_mixed_t(s, drawn):
    for mean, sigma in RIGHT:
        measured = Mixed(s, one_step(mean, sigma), drawn).check()
        assert measured["rows"] == 5 and measured["margin"] == 1 if drawn == "batch" else measured["margin"] > 0
    wrong = {
        "got no noise": lambda s, t, x, eps, z, all_t: eps_form(s, t, x, eps) + (all_t[0] > 0) * sigma_beta(s, t) * z,
        "has noise": lambda s, t, x, eps, z, all_t: eps_form(s, t, x, eps) + (max(all_t) > 0) * sigma_beta(s, t) * z,
        "as if its t were 0": lambda s, t, x, eps, z, all_t: (
            eps_form(s, all_t[0], x, eps) + sigma_beta_tilde(s, all_t[0]) * z
        ),
        "was not stepped": lambda s, t, x, eps, z, all_t: (
            eps_form(s, s.T * len(set(all_t)) // 5, x, eps) + sigma_beta(s, 3) * z
        ),
    }
    for what, step in wrong.items():
        with pytest.raises(CheckFailed, match=what):
            Mixed(s, step, drawn).check()


@pytest.mark.parametrize("drawn", ["batch", "image by image"])
@pytest.mark.parametrize("mistake", WRONG_MEANS + WRONG_SIGMAS, ids=lambda mistake: mistake.name)
def test_who_is_wrong_in_the_same_way_mixed_and_unmixed_keeps_mixed_t(mistake, drawn):
    for formula in mistake.formulas:
        wrong = (formula, sigma_beta) if mistake in WRONG_MEANS else (eps_form, formula)
        Mixed(STEEP, one_step(*wrong), drawn).check()


def test_mixed_t_of_other_faults():
    def clamped(s, t, x, eps, z, all_t):
        return (eps_form(s, t, x, eps) + (t > 0) * sigma_beta(s, t) * z).clamp(-1, 1)

    def shared(s, t, x, eps, z, all_t):  # one number as an image's noise
        return eps_form(s, t, x, eps) + (t > 0) * sigma_beta(s, t) * z[0, 0, 0]

    def nan_at(*steps):
        return lambda s, t, x, eps, z, all_t: math.nan * x if t in steps else eps_form(s, t, x, eps)

    for drawn in ("batch", "image by image"):
        Mixed(STEEP, clamped, drawn).check()
        with pytest.raises(NotJudged, match=r"waits for step\.last_step"):
            Mixed(STEEP, nan_at(0), drawn).check()
        with pytest.raises(CheckFailed, match="in a batch of mixed t, but not where all have one t"):
            Mixed(STEEP, lambda s, t, x, *more: math.nan * x if len(set(more[-1])) > 1 else x, drawn).check()
    Mixed(STEEP, shared).check()
    with pytest.raises(NotJudged, match=r"waits for step\.fresh_noise"):
        Mixed(STEEP, shared, "image by image").check()


def test_how_often_chance_fails_mixed_t_where_noise_is_drawn_image_by_image():
    """By its 6 standard errors about 5e-8; here 100 draws stay within three quarters of the limit."""
    margins = [
        Mixed(STEEP, one_step(eps_form, sigma_beta), "image by image", seed).check()["margin"] for seed in range(100)
    ]
    assert min(margins) > 0.25
