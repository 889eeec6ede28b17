"""Whole samplings in the Gaussian world: right ones pass, wrong ones are named where the other checks allow it."""

import pytest
import torch

from grader.checks import end_to_end
from grader.checks.finding import CheckFailed
from grader.checks.gaussian_world import GaussianOracle
from grader.checks.loop_mistakes import mutants
from grader.checks.step_formulas import RIGHT_SIGMAS, eps_form, sigma_beta, sigma_beta_tilde
from grader.checks.wrong_means import WRONG_MEANS
from tests.support.steps import RIGHT, RIGHT_IDS, STEEP

ORACLE = GaussianOracle(STEEP, -0.35, 0.15)


def samples(*, mean=eps_form, sigma=sigma_beta_tilde, n=1 << 18, **parts):
    """Samples from a sampler in float32, like a student's."""
    g = torch.Generator().manual_seed(5)
    x = torch.randn(n // 64, 1, 8, 8, generator=g)
    for t in parts.get("steps", reversed(range(STEEP.T))):
        eps = ORACLE(x, torch.full((len(x),), parts.get("sees", lambda t: t)(t)))
        noise = sigma(STEEP, t) * torch.randn(x.shape, generator=g) if t or "noise_at_0" in parts else 0
        x = (mean(STEEP, t, x, eps) + noise).float()
    return x.clamp(-1, 1)


@pytest.mark.parametrize(("mean", "sigma"), RIGHT, ids=RIGHT_IDS)
def test_right_samples_pass(mean, sigma):
    assert end_to_end.check_end_to_end(samples(mean=mean, sigma=sigma), ORACLE)["n"] == 1 << 18


def test_oracle_sees_each_images_own_t():
    x = torch.randn(3, 1, 4, 4)
    together = ORACLE(x, torch.tensor([0, 7, 19], dtype=torch.int32))
    assert torch.equal(together, torch.cat([ORACLE(x[i : i + 1], t) for i, t in enumerate((0, 7, 19))]))


@pytest.mark.parametrize(
    ("parts", "name"),
    [({"steps": range(19, 0, -1)}, "last step"), ({"sees": lambda t: min(t + 1, 19)}, "t + 1"),
     ({"sees": lambda t: max(t - 1, 0)}, "t - 1"), ({"noise_at_0": 1, "sigma": sigma_beta}, "noise at t = 0"),
     ({"steps": range(20)}, "reverse order"), ({"sigma": lambda s, t: s.at(t).beta}, "a missing root"),
     ({"mean": WRONG_MEANS[3].formulas[0]}, "missing 1/sqrt(alpha)")],
)  # fmt: skip
def test_wrong_samples_fail_and_are_named(parts, name):
    with pytest.raises(CheckFailed) as failed:
        end_to_end.check_end_to_end(samples(**parts), ORACLE)
    assert name in failed.value.hint


def test_the_table_of_mistakes_does_not_hold_a_right_answer():
    """At 2**16 pixels only one mutant passes as right, as its clamp hardly acts; the check of a step catches it."""
    right = [ORACLE.expected_moments(name) for name in RIGHT_SIGMAS]
    hidden = {
        mutant.name for mutant in mutants(ORACLE) if any(end_to_end.agrees(mutant.moments, r, 1 << 16) for r in right)
    }
    assert hidden == {"x_{t-1} clamped"}


DOWN = list(range(19, -1, -1))
STEPS_PASSED = dict.fromkeys(("step.mean", "step.variance", "step.last_step", "step.fresh_noise"))


def said(calls=DOWN, found=STEPS_PASSED, **parts):
    with pytest.raises(CheckFailed) as failed:
        end_to_end.check_end_to_end(samples(**parts), ORACLE, calls=calls, found=found)
    return failed.value


def test_only_mistakes_that_the_other_checks_allow_are_offered():
    a_root = {"sigma": lambda s, t: s.at(t).beta}
    named = {**STEPS_PASSED, "step.variance": "a missing root"}
    assert said(found=named, **a_root).measurements["mistake"] == "a missing root"
    assert "could be yours: a missing root" in said(found=named, **a_root).hint
    # the step checks passed, or found something else, or another one failed as well
    for found in (STEPS_PASSED, named | {"step.variance": ""}, named | {"step.mean": "a bracket too short"}):
        failed = said(found=found, **a_root)
        assert failed.measurements["mistake"] is None and "root" not in failed.hint
    assert "with no formula of its own" in said(**a_root).hint
    assert "failed checks of single steps" in said(found=named | {"step.variance": ""}, **a_root).hint
    # a mistake of the loop is one that the calls show
    left_out = {"steps": DOWN[:-1]}
    assert said(calls=DOWN[:-1], **left_out).measurements["mistake"] == "the last step left out"
    assert said(calls=DOWN, **left_out).measurements["mistake"] is None
    assert "with no formula of its own" in said(calls=DOWN, **left_out).hint
    # nothing known: everything is possible
    assert "the last step left out" in said(calls=None, found={}, **left_out).hint


def test_samples_moved_to_the_unit_interval_are_named():
    moved = (samples() + 1) / 2
    with pytest.raises(CheckFailed) as failed:
        end_to_end.check_end_to_end(moved, ORACLE, calls=DOWN, found=STEPS_PASSED)
    assert failed.value.measurements["mistake"] == "samples moved to [0, 1]"
