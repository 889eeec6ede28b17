"""The wrong steps of DDIM that people write, each with a hint: means, and standard deviations of the noise."""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from grader.checks.ddim_formulas import ddim_mean, ddim_sigma, subsequence, with_sigma
from grader.checks.schedule import Schedule
from grader.checks.step_formulas import TINY, Mean, Mistake, Sigma, clipped_form, eps_form, sigma_beta, sigma_beta_tilde
from grader.checks.subsequence import Subsequence


class At(NamedTuple):
    """A step as wrong formulas mix it up."""

    a: float  # alpha_bar at t
    p: float  # alpha_bar at t_prev
    sigma: float  # the right one
    direction: float  # sqrt(1 - p - sigma²)


def _at(s: Schedule, i: int) -> At:
    h, sigma = s.at(i), ddim_sigma(s, i)
    return At(h.alpha_bar, h.alpha_bar_prev, sigma, math.sqrt(max(1 - h.alpha_bar_prev - sigma**2, 0.0)))


def _linear(weights: Callable[[At], tuple[float, float]]) -> Mean:
    """weight · x_0 estimate + weight · eps: the form of Eq. 12."""

    def mean(s: Schedule, i: int, x: Tensor, eps: Tensor) -> Tensor:
        at = _at(s, i)
        of_x0, of_eps = weights(at)
        return of_x0 * (x - math.sqrt(1 - at.a) * eps) / math.sqrt(at.a) + of_eps * eps

    return mean


def _estimate(x_0: Callable[[At, Tensor, Tensor], Tensor]) -> Mean:
    """Eq. 12 with another estimate of x_0."""

    def mean(s: Schedule, i: int, x: Tensor, eps: Tensor) -> Tensor:
        at = _at(s, i)
        return math.sqrt(at.p) * x_0(at, x, eps) + at.direction * eps

    return mean


def _right_x0(at: At, x: Tensor, eps: Tensor) -> Tensor:
    return (x - math.sqrt(1 - at.a) * eps) / math.sqrt(at.a)


def _rederived(s: Schedule, i: int, x: Tensor, eps: Tensor) -> Tensor:
    """With x_0 clipped, and eps that follows from it."""
    at = _at(s, i)
    x_0 = _right_x0(at, x, eps).clamp(-1, 1)
    return math.sqrt(at.p) * x_0 + at.direction * (x - math.sqrt(at.a) * x_0) / math.sqrt(1 - at.a)


def _jumping(to: Callable[[int, int], tuple[int, int]]) -> Mean:
    """Eq. 12 for another (t, t_prev), made of the right ones."""

    def mean(s: Schedule, i: int, x: Tensor, eps: Tensor) -> Tensor:
        sub = subsequence(s)
        t, t_prev = to(sub.timesteps[i], sub.timesteps[i - 1] if i else -1)
        other = Subsequence.jump(sub.whole, max(min(t, sub.whole.T - 1), t_prev + 1), t_prev, sub.eta)
        return ddim_mean(other, other.last, x, eps)

    return mean


def _moved(by: int) -> tuple[Mean, ...]:
    """With alpha_bar of the timesteps beside: at t and t_prev, or at one of them."""
    return (
        _jumping(lambda t, t_prev: (t + by, t_prev + by)),
        _jumping(lambda t, t_prev: (t + by, t_prev)),
        _jumping(lambda t, t_prev: (t, t_prev + by)),
    )


def _on_alpha(s: Schedule, i: int, x: Tensor, eps: Tensor) -> Tensor:
    """alpha in place of alpha_bar, at t and t_prev."""
    sub = subsequence(s)
    a, p = sub.whole_at(i).alpha, sub.whole_at(i - 1).alpha if i else 1.0
    sigma = sub.eta * math.sqrt(max((1 - p) / (1 - a) * (1 - a / p), 0.0))
    x_0 = (x - math.sqrt(1 - a) * eps) / math.sqrt(a)
    return math.sqrt(p) * x_0 + math.sqrt(max(1 - p - sigma**2, 0.0)) * eps


def _of_ddpm(form: Mean) -> Mean:
    return lambda s, i, x, eps: form(subsequence(s).whole, subsequence(s).timesteps[i], x, eps)


_ROOTS = "Eq. 12 weighs by standard deviations, which are roots: alpha_bar is a variance's share."
_PREV = "t_prev says where the step ends: index with t_prev, and take 1 where it is −1."

WRONG_MEANS: list[Mistake[Mean]] = [
    Mistake("a missing root before x_0",
            f"In Eq. 12 the root of alpha_bar at t_prev stands before the x_0 estimate; the root is missing. {_ROOTS}",
            (_linear(lambda h: (h.p, h.direction)),)),
    Mistake("a missing root over 1 - alpha_bar in the x_0 estimate",
            f"The x_0 estimate (Eq. 9) takes sqrt(1 − alpha_bar) · eps away; the root is missing. {_ROOTS}",
            (_estimate(lambda h, x, eps: (x - (1 - h.a) * eps) / math.sqrt(h.a)),)),
    Mistake("a missing root under the x_0 estimate",
            f"The x_0 estimate (Eq. 9) is divided by sqrt(alpha_bar); the root is missing. {_ROOTS}",
            (_estimate(lambda h, x, eps: (x - math.sqrt(1 - h.a) * eps) / h.a),)),
    Mistake("no division in the x_0 estimate",
            "The x_0 estimate (Eq. 9) is divided by sqrt(alpha_bar), which undoes the shrinking of the image in x_t.",
            (_estimate(lambda h, x, eps: x - math.sqrt(1 - h.a) * eps),)),
    Mistake("a missing root over the direction",
            f"The direction to x_t is sqrt(1 − alpha_bar_prev − sigma²) · eps; the root is missing. {_ROOTS}",
            (_linear(lambda h: (math.sqrt(h.p), h.direction**2)),)),
    Mistake("no sigma in the direction",
            "In Eq. 12 the direction is sqrt(1 − alpha_bar_prev − sigma²) · eps: what the fresh noise will add is left "
            "out of it. Yours leaves out − sigma².",
            (_linear(lambda h: (math.sqrt(h.p), math.sqrt(1 - h.p))),)),
    Mistake("sigma without its square in the direction",
            "Under the root of Eq. 12 stands sigma², a variance as the rest is; yours takes sigma itself.",
            (_linear(lambda h: (math.sqrt(h.p), math.sqrt(max(1 - h.p - h.sigma, 0.0)))),)),
    Mistake("no direction",
            "Eq. 12 has three parts: the x_0 estimate, the direction pointing to x_t, which is eps again, and the "
            "noise. Yours lacks the direction.",
            (_linear(lambda h: (math.sqrt(h.p), 0.0)),)),
    Mistake("the direction of t",
            "The root before eps in Eq. 12 has alpha_bar at t_prev, as x_{t_prev} has less noise; yours has that at t.",
            (_linear(lambda h: (math.sqrt(h.p), math.sqrt(max(1 - h.a - h.sigma**2, 0.0)))),
             _linear(lambda h: (math.sqrt(h.p), math.sqrt(1 - h.a))))),
    Mistake("alpha_bar at t before x_0", f"The root before x_0 in Eq. 12 holds alpha_bar at t_prev, not at t. {_PREV}",
            (_linear(lambda h: (math.sqrt(h.a), h.direction)),)),
    Mistake("x_t unchanged",
            f"x_t comes back as it was, as it does with alpha_bar at t in both places of Eq. 12. {_PREV}",
            (lambda s, i, x, eps: x,)),
    Mistake("alpha_bar at t in both places",
            f"In Eq. 12 the x_0 estimate and eps are mixed anew for t_prev; yours are mixed for t. {_PREV}",
            (_linear(lambda h: (math.sqrt(h.a), math.sqrt(max(1 - h.a - h.sigma**2, 0.0)))),)),
    Mistake("alpha_bar of t - 1",
            f"The step goes to t_prev, which may be far below; yours goes to t − 1. {_PREV}",
            (_jumping(lambda t, t_prev: (t, t - 1)),)),
    Mistake("alpha_bar one step below", f"Your alpha_bar is that of one timestep below t and t_prev: {_PREV}",
            _moved(-1)),
    Mistake("alpha_bar one step above", f"Your alpha_bar is that of one timestep above t and t_prev: {_PREV}",
            _moved(1)),
    Mistake("alpha in place of alpha_bar",
            "What the DDIM paper calls alpha is our alpha_bar, the product of all alphas so far: it has no bar there.",
            (_on_alpha,)),
    Mistake("the predicted noise added",
            "The x_0 estimate takes the predicted noise away from x_t (Eq. 9); yours adds it.",
            (_estimate(lambda h, x, eps: (x + math.sqrt(1 - h.a) * eps) / math.sqrt(h.a)),)),
    Mistake("the direction's sign", "The direction in Eq. 12 is added: x_{t_prev} has noise left, the same as in x_t.",
            (_linear(lambda h: (math.sqrt(h.p), -h.direction)),)),
    Mistake("the network's output taken for x_0",
            "The network predicts the noise. Eq. 12 wants x_0 as well: get it from x_t and eps_theta by Eq. 9 first.",
            (_estimate(lambda h, x, eps: eps),)),
    Mistake("x_t in place of the predicted noise",
            "The direction in Eq. 12 is the network's eps; yours is x_t.",
            (lambda s, i, x, eps: _estimate(_right_x0)(s, i, x, eps) + _at(s, i).direction * (x - eps),)),
    Mistake("the x_0 estimate returned",
            "You return the estimate of x_0. Only the last step, t_prev = −1, ends there; Eq. 12 mixes it with eps.",
            (_linear(lambda h: (1.0, 0.0)),)),
    Mistake("x_0 clipped to [-1, 1]",
            "x_0 is not clipped on the way here, only what sample returns: a clipped step could not be inverted.",
            (_estimate(lambda h, x, eps: _right_x0(h, x, eps).clamp(-1, 1)), _rederived)),
    Mistake("x_t clamped", "x_t is noisy and rightly leaves [-1, 1]: only the finished image is clamped.",
            (lambda s, i, x, eps: ddim_mean(s, i, x.clamp(-1, 1), eps),)),
    Mistake("a step of DDPM",
            "That is Algorithm 2 of Ho et al. 2020, which goes from t to t − 1 only. DDIM's step is Eq. 12 of Song et "
            "al. 2021, and goes to t_prev.", (_of_ddpm(eps_form), _of_ddpm(clipped_form))),
]  # fmt: skip


def _sigma(formula: Callable[[At, float], float]) -> Sigma:
    return lambda s, i: formula(_at(s, i), subsequence(s).eta)


def _full(h: At) -> float:
    """Eq. 16 at eta = 1, squared."""
    return (1 - h.p) / (1 - h.a) * (1 - h.a / h.p)


def _own(sigma: Sigma) -> Sigma:
    """Eta times the sigma of DDPM's step from t to t − 1."""
    return lambda s, i: subsequence(s).eta * sigma(subsequence(s).whole, subsequence(s).timesteps[i])


_EQ_16 = "sigma is eta · sqrt((1 − alpha_bar_prev) / (1 − alpha_bar)) · sqrt(1 − alpha_bar / alpha_bar_prev) (Eq. 16)"

WRONG_SIGMAS: list[Mistake[Sigma]] = [
    Mistake("no noise", "Where eta is above 0, sigma · z with fresh z is added (Eq. 12); no noise came. Look at eta.",
            (_sigma(lambda h, eta: 0.0),)),
    Mistake("eta ignored",
            "The noise is that of eta = 1, whatever eta is: Eq. 16 multiplies by eta, so that eta = 0 adds none.",
            (_sigma(lambda h, eta: math.sqrt(_full(h))),)),
    Mistake("eta squared", "Eq. 16 multiplies the standard deviation by eta; yours has eta², as if it were a variance.",
            (_sigma(lambda h, eta: eta**2 * math.sqrt(_full(h))),)),
    Mistake("the root of eta", "Eta stands before the roots in Eq. 16, not under one.",
            (_sigma(lambda h, eta: math.sqrt(eta * _full(h))),)),
    Mistake("a missing root", f"z is multiplied by a standard deviation; yours is the variance. {_EQ_16}.",
            (_sigma(lambda h, eta: eta * _full(h)), _sigma(lambda h, eta: eta**2 * _full(h)))),
    Mistake("the root taken twice", f"The roots are taken once: {_EQ_16}.",
            (_sigma(lambda h, eta: eta * _full(h) ** 0.25),)),
    Mistake("only the first factor", f"A factor is missing: {_EQ_16}.",
            (_sigma(lambda h, eta: eta * math.sqrt((1 - h.p) / (1 - h.a))),)),
    Mistake("only the second factor", f"A factor is missing: {_EQ_16}.",
            (_sigma(lambda h, eta: eta * math.sqrt(1 - h.a / h.p)),)),
    Mistake("the first factor upside down", f"A fraction is upside down: {_EQ_16}.",
            (_sigma(lambda h, eta: eta * math.sqrt((1 - h.a) / max(1 - h.p, TINY) * (1 - h.a / h.p))),)),
    Mistake("the noise of one step of DDPM",
            f"That is the noise of a step from t to t − 1, and yours goes to t_prev, over many: {_EQ_16}.",
            (_own(sigma_beta_tilde), _own(sigma_beta))),
    Mistake("all the noise of t_prev",
            "That is all the noise of x_{t_prev} (Eq. 4); the direction in Eq. 12 carries most of it already.",
            (_sigma(lambda h, eta: eta * math.sqrt(1 - h.p)), _sigma(lambda h, eta: math.sqrt(1 - h.p)))),
    Mistake("unscaled noise", "z is added as it is, or times eta only: Eq. 12 multiplies it by sigma first.",
            (_sigma(lambda h, eta: eta), _sigma(lambda h, eta: 1.0))),
    Mistake("uniform noise on [0, 1)", "z is drawn from N(0, I); a twelfth of the variance is what torch.rand gives.",
            (_sigma(lambda h, eta: eta * math.sqrt(_full(h) / 12)),)),
]  # fmt: skip


def mean_that_goes_with(mistake: Mistake[Sigma]) -> tuple[Mean, ...]:
    """The means of Eq. 12 with a wrong sigma in the direction, too: right as far as the mean alone goes."""
    return tuple(with_sigma(sigma) for sigma in mistake.formulas)
