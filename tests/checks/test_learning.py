"""The judge's pure functions for level 1 after training: each can pass, and fail with the hint for the mistake."""

import math
import time
from types import SimpleNamespace

import pytest
import torch

from assignment.ddpm.diffusion import GaussianDiffusion
from grader.checks import gradients, learning
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.gradients import Slopes
from grader.grading_config import Budget
from grader.student import overfit, restored
from tests.support.failing import Y, failed, hint

ALIVE, UNUSED, DEAD, BROKEN = [True, True, True], [False, False, True], [True, False, True], [True, True, False]


def test_trainable():
    parameters = [["a", 3, True], ["b", 3, True], ["frozen", 3, False]]
    learning.check_trainable(parameters, {"a": ALIVE, "b": ALIVE})
    learning.check_trainable(parameters, {"a": ALIVE, "b": DEAD}, {"a": DEAD, "b": ALIVE})
    assert "never takes part" in hint(lambda: learning.check_trainable(parameters, {"a": ALIVE, "b": UNUSED}))
    assert "exactly 0" in hint(lambda: learning.check_trainable(parameters, {"a": ALIVE, "b": DEAD}))
    with failed("NaN or infinity in b"):
        learning.check_trainable(parameters, {"a": ALIVE, "b": BROKEN})
    with failed("got none"):
        learning.check_trainable([["frozen", 3, False]])


def test_flow():
    learning.check_flow(True, Y)
    for requires_grad, gradient in ((False, None), (True, None), (True, 0 * Y), (True, Y / 0)):
        with failed("expected"):
            learning.check_flow(requires_grad, gradient)
    with failed("every image"):
        learning.check_flow(True, Y * (torch.arange(6) > 0).view(6, 1, 1, 1))


def test_the_baseline_is_the_best_scaling():
    x_0, noise = torch.rand(4000, 1, 4, 4) * 2 - 1, torch.randn(4000, 1, 4, 4)
    for a_bar in (0.9, 0.5, 0.01):
        x_t = a_bar**0.5 * x_0 + (1 - a_bar) ** 0.5 * noise
        best = min(((noise - a * x_t) ** 2).mean().item() for a in torch.linspace(0, 2, 401))
        assert learning.linear_baseline(x_0, torch.tensor([a_bar])) == pytest.approx(best, rel=0.05)


def test_overfits():
    learning.check_overfits(0.1, 0.3, 0.9, 100)
    for loss, says in ((0.95, "doesn't learn"), (0.5, "scaling x_t"), (0.29, "stopped"), (float("nan"), "stopped")):
        assert says in hint(lambda loss=loss: learning.check_overfits(loss, 0.3, 0.9, 100))
    for about, says in (({"falling": True}, "still learns"), ({"falling": True, "times": 9.0}, "9 times as long"),
                        ({"gentler": True}, "a quarter of the learning rate")):  # fmt: skip
        assert says in hint(lambda about=about: learning.check_overfits(0.29, 0.3, 0.9, 1500, **about))


def test_a_loss_that_only_buffers_hold_is_said_to_be_so():
    with failed("only with what training wrote into memory"):
        learning.check_overfits(0.5, 0.3, 0.9, 100, loss_with_all=0.1, reset=["memory"])
    with failed("a, b, c and 1 more"):
        learning.check_overfits(0.5, 0.3, 0.9, 100, loss_with_all=0.1, reset=list("abcd"))


def test_gradients():
    found = torch.tensor([1.0, -2.0, 3.0, 4.0, 5.0, -6.0], dtype=torch.float64)
    right = Slopes(1.01 * found, found, of_x=2, repeats=True)
    assert gradients.check_slopes(right)["gradient_off"] == pytest.approx(0.01)
    assert gradients.check_slopes(None) == {}
    of_x, of_parameters, none, nan = found.clone(), found.clone(), 1e-12 * found, found * torch.nan
    of_x[:2], of_parameters[2:] = 0, 0
    for reported, what in ((of_x, "x"), (of_parameters, "parameters"), (none, "x"), (nan, "x"), (-found, "x")):
        wrong = Slopes(reported, found, of_x=2, repeats=True)
        assert not wrong.agree() and wrong.disprove(right)
        assert not wrong.disprove(
            Slopes(reported, 2 * found, of_x=2, repeats=True)
        )  # kinks or rounding: nothing is said
        with failed(f"with (the )?{what}"):
            gradients.check_slopes(wrong)


def noisy_images(n: int = 32) -> torch.Tensor:
    return torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(5))


FOR_SHOW = {
    "factor": lambda y: 1.02 * y, "constant": lambda y: y + 0.03, "pattern": lambda y: y + 0.1 * Y[0, 0].repeat(2, 2),
    "gains": lambda y: y * (1 + 0.05 * Y[0, 0].repeat(2, 2)), "curve": lambda y: y + 0.01 * y**2,
}  # fmt: skip


@pytest.mark.parametrize("change", FOR_SHOW.values(), ids=FOR_SHOW)
def test_t_for_show_needs_a_loss_that_it_raises(change):
    x, y = noisy_images(), noisy_images(64)[32:].roll(1, -1) + noisy_images()
    raised = learning.raised_by_wrong_t(torch.ones(64).double(), 1 + torch.linspace(-0.01, 0.011, 64).double())
    assert learning.mattering(raised) < 1
    with failed("a factor or a constant for each pixel"):
        learning.check_needs_t(raised, x, y, change(y))
    learning.check_needs_t(raised, x, y, y + 0.01 * y.roll(1, -1))
    matters = learning.raised_by_wrong_t(torch.ones(64).double(), 1.1 + torch.linspace(-0.01, 0.01, 64).double())
    learning.check_needs_t(matters, x, y, change(y))
    with failed("NaN or infinity"):
        learning.check_needs_t({"increase": math.nan, "standard_errors": math.nan}, x, y, y / 0)


def test_a_network_learns_from_t():
    assert learning.check_learns_t(0.6, 40)["times_needed"] == pytest.approx(2)
    with failed("can learn from t"):
        learning.check_learns_t(0.81, 600)
    with pytest.raises(CheckFailed) as nothing:
        learning.check_learns_t(1.0, 600)
    assert nothing.value.measurements["margin"] == -1, "whoever ignores t is not close to passing"


def test_a_loss_falls_for_as_long_as_the_last_looks_are_lower():
    inf = float("inf")
    assert overfit.is_falling([inf, 1.0, 0.9, 0.8, 0.7])
    assert overfit.is_falling([inf, 1.0, 0.9, 0.8, 0.9, 0.9, 0.75])
    slowly = [1.2 * 0.995**k * (1.04 if k % 10 else 1.0) for k in range(60)]  # 5 % in 500 steps, beside 4 % of noise
    assert all(overfit.is_falling([inf, *slowly[:looks]]) for looks in range(50, len(slowly)))
    assert not overfit.is_falling([inf, 1.0, 0.5, 0.6, 0.499, 0.5, 0.6])
    assert not overfit.is_falling([inf, *[1.0] * 9])
    assert not overfit.is_falling([inf, 0.5, *[float("nan")] * 4])


def noisy() -> tuple:
    generator = torch.Generator().manual_seed(2)
    alpha_bar = torch.linspace(0.999, 0.001, 64)
    x_0 = torch.rand(64, 1, 8, 8, generator=generator) * 2 - 1
    noise = torch.randn(x_0.shape, generator=generator)
    a = alpha_bar.view(-1, 1, 1, 1)
    return noise, x_0, a.sqrt() * x_0 + (1 - a).sqrt() * noise, alpha_bar


@pytest.mark.parametrize("name", ["x_0", "minus the noise", "velocity v", "without its noise"])
def test_predicts_noise(name):
    noise, x_0, x_t, alpha_bar = noisy()
    a = alpha_bar.view(-1, 1, 1, 1)
    learning.check_predicts_noise(0.5 * noise + 0.3 * x_0, noise, x_0, x_t, alpha_bar)
    wrong = {
        "x_0": x_0, "minus the noise": -noise, "velocity v": a.sqrt() * noise - (1 - a).sqrt() * x_0,
        "without its noise": x_t - noise,
    }[name]  # fmt: skip
    with failed(name):
        learning.check_predicts_noise(wrong, noise, x_0, x_t, alpha_bar)


def test_what_has_not_learnt_is_not_judged():
    noise, x_0, x_t, alpha_bar = noisy()
    for y in (torch.zeros_like(noise), torch.randn_like(noise)):
        with pytest.raises(NotJudged):
            learning.check_predicts_noise(y, noise, x_0, x_t, alpha_bar)
    with pytest.raises(NotJudged):
        learning.check_not_squashed(0.01 * noise, noise)
    with pytest.raises(NotJudged):
        learning.check_not_squashed(torch.randn_like(noise), noise)


def test_squashed():
    noise = noisy()[0]
    learning.check_not_squashed(0.9 * noise, noise)
    assert "tanh" in hint(lambda: learning.check_not_squashed(torch.tanh(2 * noise), noise))
    assert "ReLU" in hint(lambda: learning.check_not_squashed(torch.relu(noise), noise))


class Sleeper:
    """A network that learns a little at each step, and says that it took no time for it."""

    seed, config, inputs, pace = 1, None, None, SimpleNamespace(step=1e-4)
    submission = SimpleNamespace(stop=lambda: None)
    deadlines = SimpleNamespace(granted=lambda seconds: 0.2)
    steps = 0

    def train(self, x_t, t, noise, **options):
        self.steps += len(t)
        time.sleep(0.02)
        return SimpleNamespace(values={"losses": [1.0] * len(t), "seconds": 0.0})

    def __call__(self, x, t):
        return torch.full_like(x, 10.0 * 0.9**self.steps)

    def state(self):
        return {}

    def kinds(self, x, t):
        return set(), set()

    def load(self, state):
        pass


def test_an_overfit_run_ends_by_the_judges_clock_whatever_the_worker_says(monkeypatch):
    network = Sleeper()
    monkeypatch.setattr(restored, "Network", lambda *about, **options: network)
    budget = Budget(images=2, batch=2, steps=50, longest=4000, share=1e-9)
    images, diffusion = torch.zeros(2, 1, 4, 4), GaussianDiffusion(10, 0.01, 0.4)
    assert 50 <= overfit.run(lambda another: network, diffusion, images, images, budget, 1e-3).steps < 300


@pytest.mark.parametrize(
    ("losses", "starts", "best"),
    [
        ([0.4], [False], 0.4),
        ([0.7, 0.4], [False, False], 0.4),
        ([0.7, 0.8, 0.4], [False, False, True], 0.4),  # it has learnt something, and got stuck
        ([0.7, 0.8, 0.75], [False, False, True], 0.7),
        ([0.95, 0.96], [False, False], 0.95),  # and this one nothing
    ],
)
def test_what_gets_stuck_starts_once_more_from_other_weights(losses, starts, best, monkeypatch):
    made = []

    def attempt(network, diffusion, images, others, budget, rate, *rest):
        made.append((network, rate))
        loss = losses[len(made) - 1]
        return SimpleNamespace(loss=loss, limit=0.5, restored=SimpleNamespace(loss_with_all=loss))

    monkeypatch.setattr(overfit, "_attempt", attempt)
    budget = Budget(images=2, batch=2, steps=50, longest=4000, share=0.5)
    found = overfit.run(lambda another: another, GaussianDiffusion(10, 0.01, 0.4), Y, Y, budget, 1e-3)
    assert [network for network, _ in made] == starts and found.loss == best
    assert [rate for _, rate in made] == [1e-3, overfit.GENTLER * 1e-3, 1e-3][: len(starts)]


# ---- a trained network needs t


def losses(mean: float, seed: int = 0) -> torch.Tensor:
    return mean * (0.5 + torch.rand(128, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def test_what_has_learnt_loses_by_a_wrong_t():
    found = learning.check_wrong_t_costs(losses(0.08), losses(0.16), baseline=0.25)
    assert found["raised_by_wrong_t"] == pytest.approx(1.0)


def test_a_trace_of_t_in_the_output_is_no_use_of_it():
    with failed(r"with a wrong t, got \+0\.2%"):
        learning.check_wrong_t_costs(losses(0.08), 1.002 * losses(0.08), baseline=0.25)


def test_who_has_hardly_learnt_is_not_asked_for_it():
    learning.check_wrong_t_costs(losses(0.2), 1.002 * losses(0.2), baseline=0.25)
