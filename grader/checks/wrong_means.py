"""The wrong means of a reverse step that people write, each with a hint."""

import math
from collections.abc import Callable

from torch import Tensor

from grader.checks.own_schedules import OWN_SCHEDULE, OWN_SCHEDULES, own_means
from grader.checks.schedule import Schedule, ScheduleAt
from grader.checks.step_formulas import (
    INDEX,
    TINY,
    Mean,
    Mistake,
    Sigma,
    eps_form,
    posterior_weights,
    sigma_beta,
    sigma_beta_tilde,
    x0_estimate,
)  # fmt: skip

# ---- patterns that many of them share


def _scaled(scale: Callable[[ScheduleAt], float], weight: Callable[[ScheduleAt], float]) -> Mean:
    """scale · (x − weight · eps): the form of most wrong versions of Eq. 11."""

    def mean(s: Schedule, t: int, x: Tensor, eps: Tensor) -> Tensor:
        return scale(s.at(t)) * (x - weight(s.at(t)) * eps)

    return mean


def _from_x0(weights: Callable[[ScheduleAt], tuple[float, float]], clip: tuple[float, float] | None = None) -> Mean:
    """c1 · x_0 + c2 · x_t: the form of most wrong versions of Eq. 7."""

    def mean(s: Schedule, t: int, x: Tensor, eps: Tensor) -> Tensor:
        (c1, c2), x_0 = weights(s.at(t)), x0_estimate(s.at(t), x, eps)
        return c1 * (x_0.clamp(*clip) if clip else x_0) + c2 * x

    return mean


def _unless_clipped(weights: Callable[[ScheduleAt], tuple[float, float]]) -> tuple[Mean, Mean]:
    return _from_x0(weights), _from_x0(weights, (-1, 1))


def _shifted(by: int) -> Mean:
    return lambda s, t, x, eps: eps_form(s, min(max(t + by, 0), s.T - 1), x, eps)


def _eps_as_noise(sigma: Sigma) -> Mean:
    return lambda s, t, x, eps: eps_form(s, t, x, eps) + sigma(s, t) * eps


def _clamped_after(sigma: Sigma) -> Mean:
    """Expectation of clamp(mean + sigma z, -1, 1), in closed form."""

    def above(u: Tensor, scale: float) -> Tensor:  # E[max(u + scale z, 0)]
        density = (-0.5 * (u / scale).square()).exp() / math.sqrt(2 * math.pi)
        return u * 0.5 * (1 + (u / scale / math.sqrt(2)).erf()) + scale * density

    def mean(s: Schedule, t: int, x: Tensor, eps: Tensor) -> Tensor:
        mu, scale = eps_form(s, t, x, eps), max(sigma(s, t), TINY)
        return -1 + above(mu + 1, scale) - above(mu - 1, scale)

    return mean


def _clipped_ddim(*, rederived: bool) -> Mean:
    """Eq. 12 of Song et al. 2021 with sigma = 0 and x_0 clipped; eps follows from that x_0, or stays as it was."""

    def mean(s: Schedule, t: int, x: Tensor, eps: Tensor) -> Tensor:
        h = s.at(t)
        x_0 = x0_estimate(h, x, eps).clamp(-1, 1)
        direction = (x - math.sqrt(h.alpha_bar) * x_0) / math.sqrt(1 - h.alpha_bar) if rederived else eps
        return math.sqrt(h.alpha_bar_prev) * x_0 + math.sqrt(1 - h.alpha_bar_prev) * direction

    return mean


def _linear(weights: Callable[[ScheduleAt], tuple[float, float]]) -> Mean:
    """a · x_t + b · eps."""

    def mean(s: Schedule, t: int, x: Tensor, eps: Tensor) -> Tensor:
        a, b = weights(s.at(t))
        return a * x + b * eps

    return mean


def _front(h: ScheduleAt) -> float:
    return 1 / math.sqrt(h.alpha)


def _weight(h: ScheduleAt) -> float:
    return h.beta / math.sqrt(1 - h.alpha_bar)


_CLAMP = "is noisy and rightly leaves [-1, 1]: only the finished image, or the x_0 estimate, may be clamped."
_FORWARD = "Algorithm 2 goes the other way: Eq. 11."

WRONG_MEANS: list[Mistake[Mean]] = [
    Mistake("alpha in place of alpha_bar under the root",
            "The root in Eq. 11 holds 1 − alpha_bar_t, the product of all alphas so far; yours holds 1 − alpha_t.",
            (_scaled(_front, lambda h: math.sqrt(h.beta)),)),
    Mistake("alpha_bar of the step before",
            "Eq. 11 takes alpha_bar at t itself; yours takes it at t − 1. Look at the index of alpha_bar.",
            (_scaled(_front, lambda h: h.beta / math.sqrt(max(1 - h.alpha_bar_prev, TINY))),)),
    Mistake("a missing root over 1 - alpha_bar",
            "In Eq. 11 beta is divided by the root of 1 − alpha_bar; the root is missing.",
            (_scaled(_front, lambda h: h.beta / (1 - h.alpha_bar)),)),
    Mistake("a missing 1/sqrt(alpha)",
            "The bracket is right, but Eq. 11 has a factor before it that undoes the shrinking of one forward step.",
            (_scaled(lambda h: 1.0, _weight),)),
    Mistake("1/alpha in front",
            "The factor in front of the bracket in Eq. 11 has a root: you divide by alpha.",
            (_scaled(lambda h: 1 / h.alpha, _weight),)),
    Mistake("1/sqrt(alpha_bar) in front",
            "The factor before the bracket in Eq. 11 undoes one step, so it holds alpha_t; yours holds alpha_bar_t.",
            (_scaled(lambda h: 1 / math.sqrt(h.alpha_bar), _weight),)),
    Mistake("sqrt(alpha) in front",
            "You multiply by sqrt(alpha), as the forward process does; going back (Eq. 11), one divides.",
            (_scaled(lambda h: math.sqrt(h.alpha), _weight),)),
    Mistake("the predicted noise added",
            "Eq. 11 takes predicted noise away; yours adds it. Look at the sign before eps_theta.",
            (_scaled(_front, lambda h: -_weight(h)),)),
    Mistake("sqrt(beta) in place of beta",
            "The numerator before eps_theta in Eq. 11 is beta_t itself, without a root.",
            (_scaled(_front, lambda h: math.sqrt(h.beta / (1 - h.alpha_bar))),)),
    Mistake("1 - alpha_bar as the numerator",
            "The numerator before eps_theta in Eq. 11 is beta_t = 1 − alpha_t; yours is 1 − alpha_bar_t. (Noising the "
            "x_0 estimate again to t − 1 looks like this too: Eq. 7 keeps a share of x_t.)",
            (_scaled(_front, lambda h: math.sqrt(1 - h.alpha_bar)),)),
    Mistake("no division by the root of 1 - alpha_bar",
            "eps_theta has the scale of unit noise: in Eq. 11 beta_t is divided by the root of 1 − alpha_bar_t.",
            (_scaled(_front, lambda h: h.beta),)),
    Mistake("a bracket too short",
            "In Eq. 11 the factor 1/sqrt(alpha) stands before the whole bracket; yours reaches x_t only.",
            (_linear(lambda h: (_front(h), -_weight(h))),)),
    Mistake("the schedule at t - 1", f"All coefficients are those of step t − 1. {INDEX}", (_shifted(-1),)),
    Mistake("the schedule at t + 1", f"All coefficients are those of step t + 1. {INDEX}", (_shifted(1),)),
    Mistake("the x_0 estimate returned",
            "You return the estimate of x_0; a step goes to x_{t-1} only: Eq. 11, or weigh x_0 and x_t as Eq. 7 does.",
            _unless_clipped(lambda h: (1.0, 0.0))),
    Mistake("a DDIM step",
            "That is the deterministic step of DDIM (Song et al. 2021). Algorithm 2 of Ho et al. 2020 is asked: "
            "Eq. 11 and fresh noise.",
            (lambda s, t, x, eps: math.sqrt(s.at(t).alpha_bar_prev) * x0_estimate(s.at(t), x, eps)
             + math.sqrt(1 - s.at(t).alpha_bar_prev) * eps,
             _clipped_ddim(rederived=False), _clipped_ddim(rederived=True))),
    Mistake("x_0 noised again",
            "You estimate x_0 and noise it again to t − 1, which forgets x_t. Eq. 7 (or Eq. 11) keeps a share of x_t.",
            (_from_x0(lambda h: (math.sqrt(h.alpha_bar_prev), 0.0), (-1, 1)),)),
    Mistake("x_0 and x_t weighed the wrong way round",
            "The two weights in Eq. 7 are swapped: near t = 0 nearly all weight belongs to x_0.",
            _unless_clipped(lambda h: posterior_weights(h)[::-1])),
    Mistake("alpha_bar at t in the weight of x_0",
            "The weight of x_0 in Eq. 7 has the root of alpha_bar_{t-1} (1 at t = 0); yours has alpha_bar_t.",
            _unless_clipped(lambda h: (math.sqrt(h.alpha_bar) * h.beta / (1 - h.alpha_bar), posterior_weights(h)[1]))),
    Mistake("the network's output taken for x_0",
            "The network predicts the noise. Eq. 7 wants x_0: get it from x_t and eps_theta by Eq. 4 first.",
            (_linear(lambda h: posterior_weights(h)[::-1]),
             lambda s, t, x, eps: _linear(lambda h: posterior_weights(h)[::-1])(s, t, x, eps.clamp(-1, 1)))),
    Mistake("x_0 clipped to [0, 1]",
            "Images lie in [-1, 1] here, so an x_0 estimate is clipped to that range, not to [0, 1].",
            (_from_x0(posterior_weights, (0, 1)),)),
    Mistake("the predicted noise in place of fresh noise",
            "z in Algorithm 2 is drawn anew from N(0, I) in every step; yours is the network's output.",
            (_eps_as_noise(sigma_beta_tilde), _eps_as_noise(sigma_beta))),
    Mistake("x_t clamped", f"x_t {_CLAMP}", (lambda s, t, x, eps: eps_form(s, t, x.clamp(-1, 1), eps),)),
    Mistake("x_{t-1} clamped", f"x_{{t-1}} {_CLAMP}",
            (_clamped_after(sigma_beta_tilde), _clamped_after(sigma_beta),
             lambda s, t, x, eps: eps_form(s, t, x, eps).clamp(-1, 1))),
    Mistake("the forward process", f"That is a forward step, which adds noise. {_FORWARD}",
            (_linear(lambda h: (math.sqrt(h.alpha), math.sqrt(h.beta))), _linear(lambda h: (math.sqrt(h.alpha), 0.0)))),
    Mistake("q_sample", f"That is q_sample (Eq. 4), which makes x_t from x_0. {_FORWARD}",
            (_linear(lambda h: (math.sqrt(h.alpha_bar), math.sqrt(1 - h.alpha_bar))),
             _linear(lambda h: (math.sqrt(h.alpha_bar), 0.0)),
             _linear(lambda h: (math.sqrt(h.alpha_bar_prev), math.sqrt(1 - h.alpha_bar_prev))),
             _linear(lambda h: (math.sqrt(h.alpha_bar_prev), 0.0)))),
    Mistake("x_t unchanged", "x_t comes back as it was: Eq. 11 has not been applied.",
            (_linear(lambda h: (1.0, 0.0)),)),
    *(Mistake(name, f"Your formula is right, but on {name}: {OWN_SCHEDULE}",
              tuple(mean for rule in rules for mean in own_means(rule)))
      for name, rules in OWN_SCHEDULES.items()),
]  # fmt: skip
