"""One reverse step: the right formulas, and the wrong ones that people write, each with a hint.

A mean is a function (schedule, t, x_t, eps) → mean of x_{t-1}, tensors of any one shape; a sigma is a function
(schedule, t) → number.
"""

import math
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from grader.checks.schedule import OtherSchedule, Schedule, ScheduleAt

Mean = Callable[[Schedule, int, Tensor, Tensor], Tensor]
Sigma = Callable[[Schedule, int], float]
Formula = TypeVar("Formula", Mean, Sigma)

TINY = 1e-20  # in place of 1 - alpha_bar before the first step, which is 0: a wrong formula divides by it


class Mistake(NamedTuple, Generic[Formula]):
    """A wrong formula and its hint; several formulas where either variance is possible, or x_0 may be clipped."""

    name: str
    hint: str
    formulas: tuple[Formula, ...]


# ---- right


def x0_estimate(h: ScheduleAt, x: Tensor, eps: Tensor) -> Tensor:
    """Eq. 4 solved for x_0."""
    return (x - math.sqrt(1 - h.alpha_bar) * eps) / math.sqrt(h.alpha_bar)


def posterior_weights(h: ScheduleAt) -> tuple[float, float]:
    """Weights of x_0 and x_t in Eq. 7."""
    c1 = math.sqrt(h.alpha_bar_prev) * h.beta / (1 - h.alpha_bar)
    c2 = math.sqrt(h.alpha) * (1 - h.alpha_bar_prev) / (1 - h.alpha_bar)
    return c1, c2


def eps_form(s: Schedule, t: int, x: Tensor, eps: Tensor) -> Tensor:
    """Eq. 11."""
    h = s.at(t)
    return (x - h.beta / math.sqrt(1 - h.alpha_bar) * eps) / math.sqrt(h.alpha)


def clipped_form(s: Schedule, t: int, x: Tensor, eps: Tensor) -> Tensor:
    """Eq. 7 with the x_0 estimate clipped to [-1, 1]; equal to Eq. 11 where nothing is clipped."""
    h = s.at(t)
    c1, c2 = posterior_weights(h)
    return c1 * x0_estimate(h, x, eps).clamp(-1, 1) + c2 * x


def sigma_beta(s: Schedule, t: int) -> float:
    return math.sqrt(s.at(t).beta)


def sigma_beta_tilde(s: Schedule, t: int) -> float:
    return math.sqrt(s.at(t).beta_tilde)


RIGHT_MEANS: dict[str, Mean] = {"eps form": eps_form, "clipped x_0": clipped_form}
RIGHT_SIGMAS: dict[str, Sigma] = {"beta-tilde": sigma_beta_tilde, "beta": sigma_beta}


# ---- schedules of one's own

SHIPPED = (1e-4, 0.02)  # what published code writes where it should ask for the schedule


def _linear_betas(T: int) -> Tensor:
    return torch.linspace(*SHIPPED, T, dtype=torch.float64)


def _thousand_betas(T: int) -> Tensor:
    return torch.linspace(*SHIPPED, max(T, 1000), dtype=torch.float64)


def _rescaled_betas(T: int) -> Tensor:
    """Nichol & Dhariwal's: as much noise in all as in 1000 steps."""
    return torch.linspace(SHIPPED[0] * 1000 / T, SHIPPED[1] * 1000 / T, T, dtype=torch.float64)


def _quadratic_betas(first: float, last: float) -> Callable[[int], Tensor]:
    return lambda T: torch.linspace(math.sqrt(first), math.sqrt(last), T, dtype=torch.float64).square()


def _sigmoid_betas(T: int) -> Tensor:
    first, last = SHIPPED
    return torch.linspace(-6, 6, T, dtype=torch.float64).sigmoid() * (last - first) + first


def _cosine_betas(largest: float) -> Callable[[int], Tensor]:
    """Nichol & Dhariwal 2021, Eq. 17."""

    def betas(T: int) -> Tensor:
        when = torch.linspace(0, 1, T + 1, dtype=torch.float64)
        alpha_bar = ((when + 0.008) / 1.008 * math.pi / 2).cos().square()
        return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=largest)

    return betas


OWN_SCHEDULES: dict[str, tuple[Callable[[int], Tensor], ...]] = {
    "a cosine schedule": (_cosine_betas(0.999), _cosine_betas(0.9999)),
    "fixed betas from 1e-4 to 0.02": (_linear_betas, _thousand_betas, _rescaled_betas),
    "betas that grow by a square": (_quadratic_betas(*SHIPPED), _quadratic_betas(0.00085, 0.012)),
    "betas that grow by a sigmoid": (_sigmoid_betas,),
}
OWN_SCHEDULE = (
    "the network was trained with the schedule that `diffusion` has, so sampling has to use it too: take betas, alphas "
    "and alpha_bar from `diffusion`."
)


def _on(rule: Callable[[int], Tensor], s: Schedule) -> Schedule:
    return OtherSchedule(s.T, s.beta_start, s.beta_end, rule)


def _own_means(rule: Callable[[int], Tensor]) -> tuple[Mean, Mean]:
    return (
        lambda s, t, x, eps: eps_form(_on(rule, s), t, x, eps),
        lambda s, t, x, eps: clipped_form(_on(rule, s), t, x, eps),
    )


def _own_sigmas(rule: Callable[[int], Tensor]) -> tuple[Sigma, Sigma]:
    return lambda s, t: sigma_beta_tilde(_on(rule, s), t), lambda s, t: sigma_beta(_on(rule, s), t)


# ---- wrong means: patterns that many of them share


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


_INDEX = "In diffusion.py t = 0 is the least noisy step: index with t as it comes."
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
    Mistake("the schedule at t - 1", f"All coefficients are those of step t − 1. {_INDEX}", (_shifted(-1),)),
    Mistake("the schedule at t + 1", f"All coefficients are those of step t + 1. {_INDEX}", (_shifted(1),)),
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
              tuple(mean for rule in rules for mean in _own_means(rule)))
      for name, rules in OWN_SCHEDULES.items()),
]  # fmt: skip


# ---- wrong sigmas


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
            f"sigma is that of step t − 1. {_INDEX} (An alpha where Eq. 7 has alpha_bar can look like this too.)",
            _either(lambda v, h: math.sqrt(v), -1)),
    Mistake("sigma of t + 1", f"sigma is that of step t + 1. {_INDEX}", _either(lambda v, h: math.sqrt(v), 1)),
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
              tuple(sigma for rule in rules for sigma in _own_sigmas(rule)))
      for name, rules in OWN_SCHEDULES.items()),
]  # fmt: skip
