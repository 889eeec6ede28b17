"""Levels 1 and 3: is what draws the samples a denoiser, for images it has never seen as much as for those it has?"""

import math

import torch
from torch import Tensor

from grader.checks.conditioning import FEW
from grader.checks.finding import CheckFailed, at_most, refuse_not_finite

EDGES = (0.01, 0.05, 0.1, 0.25, 0.5)  # of the bins of t, as fractions of T: between them images are made out of noise
STORE = 3  # of them, the first, in which a stored image is answered almost exactly, and no learnt one is
EXACT = 1e-4  # of an answer's size: differences below are rounding
COARSE = 0.05  # and above they are none, however coarsely a machine computes
STORED = 0.05  # of the usual loss on unseen images: below it an image is known by heart
BY_HEART = 3  # training images that may be


def bins_of(t: Tensor, num_timesteps: int) -> Tensor:
    """Which bin of EDGES each t is in, (N,); −1 outside of all."""
    found = torch.bucketize(t.double() / num_timesteps, torch.tensor(EDGES, dtype=torch.float64), right=True) - 1
    return torch.where(found < len(EDGES) - 1, found, -1)


def check_denoises(
    loss: Tensor, linear: Tensor, t: Tensor, num_timesteps: int, limits: list[float]
) -> dict[str, object]:
    """In every bin of t the loss on unseen images is at most a limit times that of the best linear denoiser.

    Args:
        loss, linear: of the network, and of the linear denoiser, for the same N rows, asked for among samples; (N,)
        t: of each row, (N,), with some in every bin
        limits: of each bin
    """
    refuse_not_finite("the losses on unseen images", loss, linear, limits)
    bins = bins_of(t, num_timesteps)
    inside = [bins == b for b in range(len(limits))]
    ratios = [(loss[rows].double().sum() / linear[rows].double().sum()).item() for rows in inside]
    return decide_denoises(ratios, int((bins >= 0).sum()), num_timesteps, limits)


def decide_denoises(ratios: list[float], rows: int, num_timesteps: int, limits: list[float]) -> dict[str, object]:
    """The same from the ratios in each bin, measured on so many rows."""
    worst = max(range(len(limits)), key=lambda b: math.inf if math.isnan(ratios[b]) else ratios[b] / limits[b])
    measured: dict[str, object] = {
        "loss_of_linear": ratios[worst], "by_t": ratios, "rows": rows, "num_timesteps": num_timesteps,
    }  # fmt: skip
    measured |= at_most(ratios[worst], limits[worst])
    if not ratios[worst] <= limits[worst]:
        low, high = (round(EDGES[worst + k] * num_timesteps) for k in (0, 1))
        raise CheckFailed(
            f"expected at most {limits[worst]:g} times the loss of the best linear filter on unseen images that stand "
            f"among the samples, got {ratios[worst]:.3g} times at t = {low} … {high - 1}",
            "Samples count only if the network that draws them denoises new images too. Was it trained on all training "
            "images, long enough, and does it predict the noise from x and t alone?",
            **measured,
        )  # fmt: skip
    return measured


def check_same_alone(among: Tensor, again: Tensor, other: Tensor) -> dict[str, float]:
    """A row's answer is the same as in the call that drew samples when it is asked again, by a fresh process.

    How much rounding differs between batches is measured on the spot, from two more batches; it counts up to COARSE.

    Args:
        among: answers given among samples, (N, C, H, W)
        again, other: to the same rows, later, in two other orders
    """
    refuse_not_finite("the outputs", among, again, other)
    sizes = among.double().square().flatten(1).mean(1).sqrt()  # (N,)

    def apart(a: Tensor, b: Tensor) -> float:
        return ((a - b).double().square().flatten(1).mean(1).sqrt() / sizes).max().item()

    found, rounding = apart(among, again), apart(again, other)
    limit = min(max(FEW * rounding, EXACT), COARSE)
    measured = {"difference": found, "rounding": rounding} | at_most(found, limit)
    if not found <= limit:
        raise CheckFailed(
            "expected the same output, asked again, as in the calls that drew the samples, got a difference of "
            f"{found:.2%}",
            "An image's output depends on the others in its batch, on earlier calls, or on something kept between "
            "them: forward must compute it from x and t alone.",
            **measured,
        )  # fmt: skip
    return measured


def check_none_by_heart(training: Tensor, unseen: Tensor, bins: Tensor, unseen_bins: Tensor) -> dict[str, float]:
    """No training images are denoised almost exactly: their loss is not far below what is usual at about that t.

    Args:
        training: the loss on a training image, as a part of the linear denoiser's, (N,)
        unseen: the same on unseen images, (M,)
        bins, unseen_bins: of t, below STORE; (N,), (M,)
    """
    refuse_not_finite("the losses", training, unseen)
    usual = torch.stack([unseen[unseen_bins == b].double().median() for b in range(STORE)])  # (STORE,)
    parts = training.double() / usual[bins]
    known = int((~(parts >= STORED)).sum())
    measured = {"known_by_heart": known, "least_part": parts.min().item(), "limit_of_known": BY_HEART}
    if not known <= BY_HEART:
        raise CheckFailed(
            f"expected training images to be denoised about as well as new ones, got {known} of {len(training)} with "
            f"less than {STORED:.0%} of the usual loss",
            "The network knows training images by heart. It has to learn what they have in common.", **measured,
        )  # fmt: skip
    return measured
