"""Level 2: is a network's loss really below the reference's? Decided on triples that both were measured on."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, all_finite, at_most, refuse_not_finite

REMEMBERED = 0.01  # of the loss: how much higher it may be where nothing else was asked before
MARGIN = 0.001  # of the loss, the smallest lead that wins: hundreds of times the rounding between two machines
FALSE_WIN = 0.01  # of decisions between equals, over all looks
LEAST = 1e-6  # a loss that no network reaches: below it, what is higher is measured by it
NEW_GAP = 0.05  # of the loss: how much higher than on the images as they are, or than the reference's, on new ones
SHOWN = 0.15  # of a lead: what has to show on new images, too, but for that gap
NEW_CHANCE = 0.03  # … and what chance may add: answers that are far off scatter widely, and must not excuse themselves
GAP = 0.02  # of the loss: how much smaller the lead may be on the test images than on the validation images


@dataclass(frozen=True)
class Comparison:
    """Relative difference of two losses, negative where the student's is lower, with its standard error."""

    relative: float  # (student − reference) / reference
    error: float  # standard error of it, over t and noise, for these images
    error_by_image: float  # the same clustered by image, for conclusions about other images
    student: float  # loss
    reference: float  # loss
    bins: list[tuple[float, float]]  # relative difference within each bin of t, and its standard error
    triples: int

    def interval(self, z: float) -> tuple[float, float]:
        return self.relative - z * self.error, self.relative + z * self.error


@dataclass(frozen=True)
class Mean:
    """Mean over uniform t, from values drawn stratified over K bins of t."""

    value: float
    error: float  # standard error, over t and noise, for these images
    bins: Tensor  # (K,) the mean in each
    bin_errors: Tensor  # (K,) its standard error


def stratified(values: Tensor, bins: Tensor, widths: Tensor) -> Mean:
    """The stratified mean and its standard error (Cochran 1977, sections 5.3, 5.4).

    Args:
        values: (N,)
        bins: which bin each value is from, (N,) int64 in [0, K)
        widths: of the bins, as parts of T, (K,)
    """
    inside = [values[bins == b].double() for b in range(len(widths))]
    means = torch.stack([v.mean() for v in inside])  # (K,)
    variances = torch.stack([v.var() / len(v) for v in inside])  # (K,), of the means
    error = (widths.square() * variances).sum().sqrt()
    return Mean((widths * means).sum().item(), error.item(), means, variances.sqrt())


def compare(student: Tensor, reference: Tensor, bins: Tensor, widths: Tensor, index: Tensor) -> Comparison:
    """The relative difference of two losses on the same N triples.

    Args:
        student, reference: losses, (N,)
        bins: which bin of t each triple is in, (N,) int64 in [0, K)
        widths: of the bins, as parts of T, (K,)
        index: which image each triple is of, (N,) int64
    """
    difference = student.double() - reference.double()  # (N,): paired, so luck with the noise cancels out
    apart, base = stratified(difference, bins, widths), stratified(reference, bins, widths)

    # for other images than these: the contributions of an image are summed first, as its triples are not independent
    counts = torch.bincount(bins, minlength=len(widths))  # (K,)
    contributions = (widths / counts)[bins] * (difference - apart.bins[bins])  # (N,)
    by_image = torch.zeros(int(index.max()) + 1, dtype=torch.float64).index_add_(0, index, contributions)  # (images,)
    return Comparison(
        apart.value / base.value, apart.error / base.value, (by_image.square().sum().sqrt() / base.value).item(),
        base.value + apart.value, base.value,
        list(zip((apart.bins / base.bins).tolist(), (apart.bin_errors / base.bins).tolist(), strict=True)),
        len(difference),
    )  # fmt: skip


def quantile(looks: int) -> float:
    """z of the one-sided bound at each look, so that equals win in at most FALSE_WIN of cases (Bonferroni)."""
    return torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(1 - FALSE_WIN / looks)).item()


def decide(comparison: Comparison, looks: int) -> str:
    """`wins`, `loses`, or `open` where the interval allows both. Equals win in at most FALSE_WIN of cases."""
    lower, upper = comparison.interval(quantile(looks))
    if all_finite(comparison) and upper < -MARGIN:
        return "wins"
    return "loses" if lower > -MARGIN else "open"


def check_same_loss(before: Tensor, again: Tensor) -> dict[str, float]:
    """The loss is the same where a fresh process, which has seen nothing else, is asked again.

    On a CPU an honest network's was the same to the last digit, and that of one which averages images over calls 138 %
    higher; one grading each, on the digits, and none on a GPU, where rounding may depend on the batch.

    Args:
        before: losses of some triples as they were among all others, (M,)
        again: of the same ones, each of another image, from the fresh process
    """
    refuse_not_finite("the losses", before, again)
    higher = ((again.mean() - before.mean()) / before.mean().clamp(min=LEAST)).item()
    if not higher <= REMEMBERED:
        raise CheckFailed(
            f"expected the same loss from a fresh process that is asked again, got one that is {higher:.1%} higher",
            "The answer has to follow from x and t alone: in eval mode nothing may be kept from one call for another.",
            asked_again=higher,
        )
    return {"asked_again": higher}


def check_new_images(usual: Comparison, new: Comparison) -> dict[str, float]:
    """On images that nobody has, the loss stands as it does on the data set's, or no worse than the reference's.

    By NEW_GAP it may be higher, plus a one-sided bound on chance, up to NEW_CHANCE; and a part of a lead has to show.
    For honest networks both leads and arrears shrink there, to about a half on the digits; a memory's lead is gone
    (docs/evidence.md, trained networks on the digits).

    Args:
        usual: on the data set's images
        new: on changed ones
    """
    chance = min(quantile(1) * new.error_by_image, NEW_CHANCE)
    limit = (usual.relative if usual.relative > 0 else SHOWN * usual.relative) + NEW_GAP + chance
    measured = {"on_new_images": new.relative, "limit_on_new_images": limit}
    if not (all_finite(usual, new) and new.relative <= limit):
        raise CheckFailed(
            f"expected about the same standing on images that are turned and moved a little, got a loss that is "
            f"{new.relative:+.1%} beside the reference's, against {usual.relative:+.1%} on the images as they are",
            "The network knows these very images, and looks them up instead of denoising: train on the training images "
            "only, and keep none of them.",
            **measured,
        )
    return measured


def check_beats(
    found: Comparison, looks: int, edges: list[int], along: list[dict[str, Any]], provisional: str, go_on: str = ""
) -> dict[str, Any]:
    """The student's loss is below the reference's, by more than chance explains: equals pass in at most FALSE_WIN.

    Args:
        found: measured on the same triples, over the looks made so far
        looks: how many may be made in all
        edges: of the K bins of t, in timesteps, K + 1 of them
        along: the reference's losses during its training: dicts with epoch and loss
        provisional: why the reference's figures are not final; empty if they are
        go_on: sentences on how to go on, for the hint
    """
    z = quantile(looks)
    lower, upper = found.interval(z)
    measured = {
        "relative_difference": found.relative, "standard_error": found.error, "interval": [lower, upper],
        "loss": found.student, "loss_of_reference": found.reference, "triples": found.triples,
        "relative_difference_by_t": [r for r, _ in found.bins],
        "epochs_along_the_reference": [row["epoch"] for row in along],
        "losses_along_the_reference": [row["loss"] for row in along],
        "upper_bound": upper, "value": upper, "limit": -MARGIN,
        # of the interval's width, between its upper end and the limit
        "margin": max(-1.0, min(1.0, (-MARGIN - upper) / (upper - lower))) if upper > lower else 0.0,
    }  # fmt: skip
    if decide(found, looks) == "wins":
        return measured
    got = f"{found.student:.4f}, which is {abs(found.relative):.1%} {'above' if found.relative > 0 else 'below'}"
    got += f" (between {lower:+.1%} and {upper:+.1%})"
    if decide(found, looks) == "open":
        got += ", too close to tell"
    worst = max(range(len(found.bins)), key=lambda b: found.bins[b][0])
    best = min(range(len(found.bins)), key=lambda b: found.bins[b][0])
    hint = (
        f"Compared with the reference you lose most at t = {edges[worst]} … {edges[worst + 1] - 1} "
        f"({found.bins[worst][0]:+.1%}) and {'win' if found.bins[best][0] < 0 else 'lose least'} at "
        f"t = {edges[best]} … {edges[best + 1] - 1} "
        f"({found.bins[best][0]:+.1%})."
    )
    behind = [row for row in along if row["loss"] >= found.student]
    if behind:
        epochs = max(row["epoch"] for row in behind)
        hint += f" The reference stood there after about {epochs:g} epoch{'s' if epochs != 1 else ''}."
    hint += f" {go_on}" if go_on else ""
    about = f" (provisional: {provisional})" if provisional else ""
    raise CheckFailed(
        f"expected a loss below the reference's {found.reference:.4f}{about}, got {got}", hint, **measured
    )


def check_generalises(validation: Comparison, test: Comparison) -> dict[str, float]:
    """The lead on the validation images holds on the test images, which no training may have seen.

    It may be smaller there by GAP plus a one-sided bound on chance, from errors that are clustered by image.
    """
    gap = test.relative - validation.relative
    error = (validation.error_by_image**2 + test.error_by_image**2) ** 0.5
    limit = GAP + quantile(1) * error
    measured = {
        "on_validation": validation.relative, "on_test": test.relative, "gap": gap, "standard_error": error,
        **at_most(gap, limit),
    }  # fmt: skip
    if not (all_finite(validation, test) and gap <= limit):
        raise CheckFailed(
            f"expected the same standing on the test images, got {test.relative:+.1%} there against "
            f"{validation.relative:+.1%} on the validation images (difference {gap:.1%} ± {error:.1%})",
            "The network knows the validation images: train on the training images only.", **measured,
        )  # fmt: skip
    return measured
