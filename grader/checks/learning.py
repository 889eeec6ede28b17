"""Level 1, training: do gradients reach everything, and what has the network learnt to predict?"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, NotJudged, all_finite, at_least, at_most, refuse_not_finite

Gradients = dict[str, list[bool]]  # parameter → [a gradient came, was ever non-zero, was always finite]

CORRELATED = 0.5  # correlation with a target from which an output counts as predicting it
ERRORS, INCREASE = 3.0, 0.05  # standard errors, and part of the loss, by which a wrong t raises it if t matters
LEARNT = 0.5  # of linear_baseline: a trained network below it has learnt enough to need t
WRONG_T = 0.1  # of its loss: what a wrong t adds at least
T_LEARNT = 0.8  # of the loss of the best answer that knows no t: at most, after a training that asks for t alone
BEYOND_PIXELS = 1e-3  # of the change from one t to another: what has to be more than a function of each pixel
BEYOND = 0.01  # share of the outputs near t = T-1 that must lie beyond +1, and beyond -1; noise itself has 0.159


def check_trainable(parameters: list[tuple[str, int, bool]], *seen: Gradients) -> dict[str, int]:
    """Every trainable parameter got a finite, non-zero gradient, in at least one of the settings `seen`.

    Args:
        parameters: [name, number of scalars, requires_grad] of each
        seen: from a few optimiser steps on x_t, t and noise drawn at random
    """
    trainable = {name: count for name, count, requires_grad in parameters if requires_grad}
    if not trainable:
        raise CheckFailed(
            "expected trainable parameters, got none",
            "Layers must be attributes of the module (or in an nn.ModuleList), with requires_grad left on.",
        )
    for gradients in seen:
        for name, (_, _, finite) in gradients.items():
            if not finite:
                raise CheckFailed(
                    f"expected finite gradients, got NaN or infinity in {name}",
                    "Look for a sqrt, log or division at 0 in front of this layer.",
                )
    dead = [n for n in trainable if not any(gradients.get(n, [False] * 3)[1] for gradients in seen)]
    if not dead:
        return {"trainable_tensors": len(trainable)}
    unused = [n for n in dead if not any(gradients.get(n, [False] * 3)[0] for gradients in seen)]
    named = ", ".join(dead[:3]) + (f" and {len(dead) - 3} more" if len(dead) > 3 else "")
    if unused:
        hint = (
            f"{unused[0]} never takes part in the output: is it created and not used in forward, or used under "
            "torch.no_grad(), .detach() or .data?"
        )
    else:
        hint = (
            f"The gradient of {dead[0]} is exactly 0 at every step: something behind it multiplies by 0, saturates or "
            "is dead. (One zero-initialised layer is fine; two in a row never start to learn.)"
        )
    raise CheckFailed(
        f"expected a non-zero gradient in every trainable parameter, got none in {len(dead)} of {len(trainable)}: "
        f"{named}",
        hint, dead=dead[:20],
    )  # fmt: skip


def check_flow(requires_grad: bool, gradient: Tensor | None) -> dict[str, float]:
    """The output carries gradients, and they reach x.

    Args:
        gradient: with respect to x (B, C, H, W), of the output times a cotangent from N(0, I); None: none arrived
    """
    if not requires_grad:
        raise CheckFailed(
            "expected an output with a gradient, got one that is cut off from the parameters",
            "Look for torch.no_grad(), .detach(), .data, .numpy() or torch.tensor(…) on the way to the output.",
        )
    if gradient is None or not gradient.isfinite().all() or not gradient.any():
        what = "none" if gradient is None else "only zeros" if gradient.isfinite().all() else "NaN or infinity"
        raise CheckFailed(
            f"expected a gradient at the input x, got {what}",
            "The way from x to the output is cut: look for .detach(), .data, .numpy(), rounding or a comparison, or "
            "for an x that isn't used.",
        )
    share = gradient.flatten(1).any(1).double().mean().item()
    if not share >= 1:
        raise CheckFailed(
            f"expected a gradient at every image of the batch, got one at {share:.0%}",
            "Only a part of the batch takes part in the output.",
        )
    return {"rms": gradient.double().square().mean().sqrt().item()}


def linear_baseline(x_0: Tensor, alpha_bar: Tensor) -> float:
    """Loss of the best eps_hat = a(t)·x_t, which knows the noise level and nothing about images, as a mean over t.

    Images x_0 (N, C, H, W) in [-1, 1], alpha_bar (T,).
    With m = mean of x_0², E(eps − a·x_t)² is least for a = sqrt(1 − alpha_bar) / v, v = alpha_bar·m + 1 − alpha_bar,
    and is then alpha_bar·m / v.
    """
    signal = alpha_bar.double() * x_0.double().square().mean()
    return (signal / (signal + 1 - alpha_bar.double())).mean().item()


def check_overfits(
    loss: float, baseline: float, share: float, steps: int, *, falling: bool = False, gentler: bool = False,
    times: float = 1.0, loss_with_all: float = math.inf, reset: Sequence[str] = (),
) -> dict[str, float]:  # fmt: skip
    """The batch is learnt: the loss falls below a share of that of the best scaling of x_t.

    The loss is a mean over 64 triples, t stratified. How close right networks came to the limit by chance, over how
    many seeds, is recorded in docs/evidence.md by `make calibrate-checks`.

    Args:
        falling: whether the loss still fell when the steps, or the time, ran out
        gentler: whether it was lower with a quarter of the learning rate
        times: how many times as long as the reference's a step took
        loss_with_all, reset: the loss if the buffers `reset`, which changed in training, are kept as well
    """
    limit = share * baseline
    measured = {
        "loss": loss, **at_most(loss, limit), "loss_of_limit": loss / limit, "scaling_x_t": baseline,
        "predicting_zero": 1.0,
        "steps": steps, "falling": falling, "gentler": gentler, "times": times,
    }  # fmt: skip
    if 0 <= loss < limit < math.inf:
        return measured
    if loss_with_all < limit:
        named = ", ".join(reset[:3]) + (f" and {len(reset) - 3} more" if len(reset) > 3 else "")
        raise CheckFailed(
            f"expected a loss below {limit:.3f} on a few images after {steps} steps, got {loss:.3f} with what the "
            f"parameters have learnt, and {loss_with_all:.3f} only with what training wrote into {named}",
            "Buffers may hold statistics, but no images: filled anew from other images, yours don't do. What is to be "
            "learnt belongs into an nn.Parameter, and running averages into nn.BatchNorm2d.",
            **measured, loss_with_all=loss_with_all, buffers=list(reset[:20]),
        )  # fmt: skip
    if falling:
        hint = "It still learns, but slowly: normalise (GroupNorm), add residual connections and a skip from x."
        if times > 2:
            hint += f" A step takes {times:.2g} times as long as the reference's, which leaves time for fewer of them."
    elif loss > 0.9:
        hint = (
            "That is hardly better than predicting 0 (loss 1): the network doesn't learn. Does the gradient arrive, "
            "is the output not squashed, are the activations of a sane size? Does eval mode give what train mode "
            "learnt?"
        )
    elif loss > baseline:
        hint = (
            "Merely scaling x_t would do better. Does x reach the output on a short way (a skip)? Is the raw t (up to "
            "T − 1) used without an embedding? Is something needed missing from the state dict, or different in eval "
            "mode?"
        )
    else:
        hint = (
            "It has learnt something, and stopped: has it enough features, and does the embedding of t reach every "
            "block? Normalise (GroupNorm), and add residual connections."
        )
    if gentler and not falling:
        hint += " It does better with a quarter of the learning rate: are large steps throwing it off?"
    raise CheckFailed(
        f"expected a loss below {limit:.3f} on a few images after {steps} steps, got {loss:.3f}", hint, **measured
    )


def raised_by_wrong_t(right: Tensor, wrong: Tensor) -> dict[str, float]:
    """By what part of it the loss is higher with a wrong t, and by how many standard errors, paired.

    Args:
        right, wrong: losses of the same (x_t, noise), with their own t and with others, (N,) float64 each
    """
    more = wrong - right
    error = (more.std() / len(more) ** 0.5).clamp(min=1e-30)
    return {"increase": (more.mean() / right.mean()).item(), "standard_errors": (more.mean() / error).item()}


def mattering(raised: dict[str, float]) -> float:
    """How many times as much as is needed for t to matter to the loss, from what raised_by_wrong_t returns."""
    return min(raised["increase"] / INCREASE, raised["standard_errors"] / ERRORS)


def check_wrong_t_costs(right: Tensor, wrong: Tensor, baseline: float) -> dict[str, float]:
    """What has learnt from images loses by a wrong t: one that differs from that of x_t by T/4 or more.

    For honest networks it rises several times over, for one without t, whose loss is nearly the same, by nothing
    (docs/evidence.md, trained networks on the digits). Above LEARNT of the baseline nothing is asked: after one epoch
    some have not learnt what t is for.

    Args:
        right, wrong: losses of the same (x_t, noise), with their own t and with others, (N,) float64 each
        baseline: from linear_baseline
    """
    refuse_not_finite("the losses", right, wrong, baseline)
    loss, increase = right.mean().item(), raised_by_wrong_t(right, wrong)["increase"]
    measured = {"raised_by_wrong_t": increase, "loss_at_right_t": loss, "asked_below": LEARNT * baseline}
    if loss <= LEARNT * baseline and not increase >= WRONG_T:
        raise CheckFailed(
            f"expected the loss to rise by {WRONG_T:.0%} or more with a wrong t, got {increase:+.1%}",
            "The output changes with t, but what it says about the noise does not: the network has learnt to do "
            "without t. Add its embedding, by a learnt layer, to the features of every block, and train again.",
            **measured,
        )
    return measured


def check_needs_t(raised: dict[str, float], x: Tensor, one: Tensor, other: Tensor) -> dict[str, float]:
    """t does more than to scale or shift each pixel's answer; or if it does not, a wrong t raises the loss.

    Small effects are right: after the short run, a wrong t raises the loss of some right networks by 1 % only. But then
    they look at t in their features, which no factor or constant can imitate: what is left of the change from one t
    to another, after the best polynomial of each pixel of x and of the answer, is 0.9 to 96 % of it for 34 of the 35
    right networks (3 seeds each), and 3e-6 for factors and constants. The 35th divides by a schedule.

    Args:
        raised: from raised_by_wrong_t, after the overfit run
        x, one, other: (N, C, H, W), noisy images, and the answers to them at two t, before training
    """
    refuse_not_finite("the outputs", x, one, other, *raised.values())
    left, of_loss = beyond_pixels(x, one, other), mattering(raised)
    times = max((part for part in (left / BEYOND_PIXELS, of_loss) if not math.isnan(part)), default=0.0)
    measured = raised | {"beyond_pixels": left, "times_needed": times} | at_least(times, 1.0)
    if times > 1:
        return measured
    raise CheckFailed(
        "expected t to change what the network does, got a factor or a constant for each pixel, and a loss that a "
        f"wrong t changes by {raised['increase']:+.1%} ({abs(raised['standard_errors']):.1f} standard errors)",
        "t reaches the output, but not what it is made of: add its embedding, by a learnt layer (nn.Linear), to the "
        "features of every block, in front of an activation.",
        **measured,
    )


def check_learns_t(loss: float, steps: int) -> dict[str, float]:
    """After a short training in which t alone tells what is asked for, the answers at two t have come apart.

    Asked where the overfit run doesn't show that t matters. Networks without t come to 1 exactly, and so does a fixed
    trace of t that no weight can enlarge; where right ones come to, docs/evidence.md says.

    Args:
        loss: as a part of that of the best answer that knows no t
        steps: of the training
    """
    refuse_not_finite("the loss", loss)
    learnt, needed = 1 - loss, 1 - T_LEARNT  # by the loss itself, who ignores t would seem to be close
    measured = {"t_learnt": learnt, "steps": steps, "times_needed": learnt / needed} | at_least(learnt, needed)
    if loss <= T_LEARNT:
        return measured
    raise CheckFailed(
        f"expected a network that can learn from t, got a loss of {loss:.2f} of that without t after {steps} steps in "
        "which t alone tells what to answer",
        "t changes the output, but training can't make more of it: is it scaled down to next to nothing, or added "
        "where no learnt layer follows? Embed it, send the embedding through learnt layers (nn.Linear), and add the "
        "result to the features of every block.",
        **measured,
    )


def beyond_pixels(x: Tensor, one: Tensor, other: Tensor) -> float:
    """What part of the change from `one` to `other` no function of the pixel in x and in `one` explains.

    A polynomial is fitted for each pixel over N images, (N, C, H, W) each, and the median over the pixels returned.
    """
    change = (other.double() - one.double()).flatten(1).T  # (P, N)
    if not change.isfinite().all():
        return math.nan
    a, b = (scaled / scaled.square().mean(1, keepdim=True).sqrt().clamp(min=1e-30)
            for scaled in (v.double().flatten(1).T for v in (x, one)))  # fmt: skip
    terms = torch.stack([torch.ones_like(a), a, b, a * a, a * b, b * b, b**3], dim=-1)  # (P, N, 7)
    fitted = (terms @ torch.linalg.lstsq(terms, change.unsqueeze(-1)).solution).squeeze(-1)
    freedom = (terms.shape[1] - terms.shape[2]) / terms.shape[1]
    left = (change - fitted).square().mean(1) / freedom / change.square().mean(1).clamp(min=1e-30)
    return left.sqrt().median().item()


def check_predicts_noise(y: Tensor, noise: Tensor, x_0: Tensor, x_t: Tensor, alpha_bar: Tensor) -> dict[str, float]:
    """After the overfit run the output follows the noise more than any other common target.

    Measured where 0.1 < alpha_bar < 0.9: elsewhere x_t is nearly the noise, or nearly the image, and targets look
    alike.

    Args:
        y, noise, x_0, x_t: (N, C, H, W): predicted noise, the noise drawn from N(0, I), images, noisy images
        alpha_bar: of each, (N,)
    """
    mid = (alpha_bar > 0.1) & (alpha_bar < 0.9)
    y, noise, x_0, x_t = (v[mid].double() for v in (y, noise, x_0, x_t))
    a = alpha_bar[mid].double().view(-1, 1, 1, 1)
    targets = {
        "the noise": noise,
        "minus the noise": -noise,
        "the clean image x_0": x_0,
        "the velocity v": a.sqrt() * noise - (1 - a).sqrt() * x_0,
        "minus the velocity v": (1 - a).sqrt() * x_0 - a.sqrt() * noise,
        "the image without its noise (x_t − noise)": x_t - noise,
    }
    if not (all_finite(y, noise, x_0, x_t, alpha_bar) and y.std() >= 1e-6):
        raise NotJudged("the output is constant after the overfit run, so there is nothing to tell")
    found = {name: torch.corrcoef(torch.stack([y.flatten(), v.flatten()]))[0, 1].item() for name, v in targets.items()}
    best = max(found, key=found.__getitem__)
    if not found[best] >= CORRELATED:
        raise NotJudged(
            f"the network has not learnt enough to tell (correlation with the noise {found['the noise']:.2f})"
        )
    if best != "the noise":
        raise CheckFailed(
            f"expected a prediction of the noise, got one of {best} (correlation {found[best]:.2f}, with the noise "
            f"{found['the noise']:.2f})",
            "forward has to return the predicted noise itself, in train and in eval mode alike; the sampler does the "
            "rest.",
            correlations=[f"{k}: {v:.2f}" for k, v in found.items()],
        )
    return {"correlation": found["the noise"]} | at_least(found["the noise"], CORRELATED)


def check_not_squashed(y: Tensor, noise: Tensor) -> dict[str, float]:
    """After the overfit run the outputs near t = T−1, which are nearly x_t itself, go beyond ±1 on both sides.

    Args:
        y, noise: (N, C, H, W), predicted noise and the noise drawn from N(0, I), of the largest t only
    """
    learnt = torch.corrcoef(torch.stack([y.flatten(), noise.flatten()]))[0, 1].item() if y.std() > 1e-6 else 0.0
    if not (learnt >= CORRELATED and y.std() >= 0.3):
        raise NotJudged(f"the network has not learnt enough to tell (correlation with the noise {learnt:.2f})")
    above, below = (side.double().mean().item() for side in (y > 1, y < -1))
    measured = {"above": above, "below": below} | at_least(min(above, below), BEYOND)
    if above >= BEYOND and below >= BEYOND:
        return measured
    low, high = y.min().item(), y.max().item()
    hint = "Noise is normally distributed: about 16 % of it lies beyond +1, and as much beyond −1. "
    if low >= -0.3 and low < high:
        hint += "Outputs are hardly ever negative: is there a ReLU, SiLU or sigmoid behind the last layer?"
    else:
        hint += "Outputs stop near ±1: is there a tanh or clamp behind the last layer? End with a plain convolution."
    raise CheckFailed(
        f"expected at least {BEYOND:.0%} of the outputs beyond +1 and beyond −1, got {above:.1%} and {below:.1%} "
        f"(they lie in {low:.2f} … {high:.2f})",
        hint, **measured,
    )  # fmt: skip
