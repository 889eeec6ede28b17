"""The wrong standard deviations of a reverse step's noise that people write, each with a hint."""

import math
from collections.abc import Callable

from grader.checks.own_schedules import OWN_SCHEDULE, OWN_SCHEDULES, own_sigmas
from grader.checks.schedule import ScheduleAt
from grader.checks.step_formulas import INDEX, TINY, Mistake, Sigma, sigma_beta, sigma_beta_tilde


def _of(formula: Callable[[ScheduleAt], float], shift: int = 0) -> Sigma:
    return lambda s, t: formula(s.at(t + shift))


def _either(change: Callable[[float, ScheduleAt], float], shift: int = 0) -> tuple[Sigma, Sigma]:
    """The same change to each of the right variances."""
    return _of(lambda h: change(h.beta_tilde, h), shift), _of(lambda h: change(h.beta, h), shift)


def _but_not_at_1() -> tuple[Sigma, Sigma]:
    return lambda s, t: sigma_beta_tilde(s, t) if t > 1 else 0.0, lambda s, t: sigma_beta(s, t) if t > 1 else 0.0


_ROOT = "beta and beta-tilde are variances, and z is multiplied by a standard deviation: "
_ALL = "That is the noise of all steps together (Eq. 4). One step adds beta_t or beta-tilde_t (Eq. 7) of variance."

WRONG_SIGMAS: list[Mistake[Sigma]] = [
    Mistake("no noise", "Algorithm 2 adds sigma_t z in every step but the last (t = 0 here); no noise came.",
            (_of(lambda h: 0.0),)),
    Mistake("no noise at t = 1",
            "The paper counts from 1, this repository from 0: the last step, which adds no noise, is t = 0 here. "
            "Write t > 0 where you have t > 1.", _but_not_at_1()),
    Mistake("a missing root", _ROOT + "take the root.", _either(lambda v, h: v)),
    Mistake("the root taken twice", _ROOT + "the root is taken once; yours is a fourth root.",
            _either(lambda v, h: v**0.25)),
    Mistake("sqrt(1 - alpha_bar) as sigma", _ALL, (_of(lambda h: math.sqrt(1 - h.alpha_bar)),)),
    Mistake("1 - alpha_bar as sigma", _ALL, (_of(lambda h: 1 - h.alpha_bar),)),
    Mistake("the noise of all steps before",
            "That is all the noise of x_{t-1} (Eq. 4); most of it is in x_t already. One step adds beta-tilde (Eq. 7).",
            (_of(lambda h: math.sqrt(1 - h.alpha_bar_prev)),)),
    Mistake("unscaled noise", "z is added as it is: Algorithm 2 multiplies it by sigma_t first.",
            (_of(lambda h: 1.0),)),
    Mistake("sigma of t - 1",
            f"sigma is that of step t − 1. {INDEX} (An alpha where Eq. 7 has alpha_bar can look like this too.)",
            _either(lambda v, h: math.sqrt(v), -1)),
    Mistake("sigma of t + 1", f"sigma is that of step t + 1. {INDEX}", _either(lambda v, h: math.sqrt(v), 1)),
    Mistake("beta-tilde upside down",
            "In Eq. 7 the fraction is (1 − alpha_bar_{t-1}) / (1 − alpha_bar_t), smaller than 1; yours is upside down.",
            (_of(lambda h: math.sqrt(h.beta * (1 - h.alpha_bar) / max(1 - h.alpha_bar_prev, TINY))),)),
    Mistake("noise inside the bracket",
            "sigma_t z is added after the factor 1/sqrt(alpha) (Algorithm 2, line 4); yours is multiplied by it too.",
            _either(lambda v, h: math.sqrt(v / h.alpha))),
    Mistake("uniform noise on [0, 1)", "z is drawn from N(0, I); a twelfth of the variance is what torch.rand gives.",
            _either(lambda v, h: math.sqrt(v / 12))),
    Mistake("a variance between beta and beta-tilde",
            "Both beta and beta-tilde are right, but one of them throughout, not something between.",
            (_of(lambda h: math.sqrt((h.beta + h.beta_tilde) / 2)), _of(lambda h: (h.beta * h.beta_tilde) ** 0.25),
             _of(lambda h: (math.sqrt(h.beta) + math.sqrt(h.beta_tilde)) / 2))),
    *(Mistake(name, f"Your variance is right, but on {name}: {OWN_SCHEDULE}",
              tuple(sigma for rule in rules for sigma in own_sigmas(rule)))
      for name, rules in OWN_SCHEDULES.items()),
]  # fmt: skip
