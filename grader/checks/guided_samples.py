"""Level 6, trained: does the network go by the label, and do its guided samples show what was wished for?

Where limits come from: docs/evidence.md has what trained references and worse networks reach on the digits, from
`python -m tests.proof.trained_guidance`. Shares are of N samples, as many of each class; the standard error of one is
at most 0.5 / sqrt(N), 3 % for 256.
"""

import math
from collections.abc import Mapping

from torch import Tensor

from grader.checks.finding import CheckFailed, NotJudged, at_least, at_most, refuse_not_finite

SURE = 5.0  # standard errors: 3e-7 by chance
WISHED = 0.85  # of the classifier's own accuracy on real images, at w = 3
VARIED = 0.4  # coverage, at w = 1
ABOVE = 0.15  # of the reference's loss with labels; without labels it is 0.18 above

Measured = dict[str, float]


def check_uses_labels(right: Tensor, wrong: Tensor) -> Measured:
    """Unseen images are denoised better with their own label than with another one.

    By more than SURE standard errors of the paired differences. A network that ignores labels gets there once in 3e6;
    trained references with 1,024 triples of digits are beyond 20.

    Args:
        right: (N,), the loss of each triple with the image's label
        wrong: (N,), the same with another class
    """
    refuse_not_finite("the losses", right, wrong)
    apart = (wrong - right).double()
    error = apart.std().item() / math.sqrt(len(apart))
    raised, sure = (apart.mean() / right.double().mean()).item(), apart.mean().item() / max(error, 1e-30)
    measured = {"raised_by": raised, "standard_errors": sure} | at_least(sure, SURE)
    if not sure > SURE:
        raise CheckFailed(
            f"expected a wrong label to raise the loss, got {raised:+.1%}, {sure:.1f} standard errors",
            "The trained network ignores the label, or has learnt other labels than these. Look at the checks of "
            "labels without training, and whether it was trained on a configuration with model.num_classes.",
            **measured,
        )
    return measured


def check_near_reference(loss: float, reference: float) -> Measured:
    """The loss with labels is at most ABOVE above the reference's, both on the same triples of the test images.

    Four trainings of the reference with other seeds differ by up to 2 % on the digits (4,096 triples), so one that is
    as good fails less than once in 1e9 (normal, 7 standard deviations).
    """
    refuse_not_finite("the losses", loss, reference)
    above = loss / reference - 1
    measured = {"loss": loss, "reference": reference, "above": above} | at_most(above, ABOVE)
    if not above <= ABOVE:
        raise CheckFailed(
            f"expected a loss with labels at most {ABOVE:.0%} above the reference's {reference:.4f}, got {loss:.4f}, "
            f"{above:.0%} above",
            "Train longer, or with a larger network; a network that ignores labels ends about this high, too.",
            **measured,
        )
    return measured


def check_rises(shares: Mapping[float, float], count: int) -> Measured:
    """With the label more samples show the wished class than without, by SURE standard errors; more w takes none away.

    Args:
        shares: w → share of the samples that the classifier takes for the wished class, at 0, 1 and above
        count: of the samples for each w
    """
    refuse_not_finite("the shares", list(shares.values()))
    error = math.sqrt(0.5 / count)  # of a difference of two shares, at most
    least, one, most = shares[0.0], shares[1.0], shares[max(shares)]
    measured = {"rise": one - least} | at_least(one - least, SURE * error)
    told = ", ".join(f"{share:.0%} at w = {w:g}" for w, share in shares.items())
    if not one - least > SURE * error:
        raise CheckFailed(
            f"expected the wished class more often with the label than without, got {told}",
            "The label hardly changes what is drawn. Was the network trained with labels, and long enough?", **measured,
        )  # fmt: skip
    if not most >= one - SURE * error:
        raise CheckFailed(
            f"expected the wished class no less often with guidance, got {told}",
            "Guidance leads away from the class: the answers with and without a label have not both been learnt. Is y "
            "= K a label of its own in training, too?",
            **measured,
        )
    return measured


def check_wished(share: float, of_real: float, w: float, classes: list[float]) -> Measured:
    """With guidance, the classifier takes nearly as many samples for the wished class as real images for their own.

    Args:
        share: of the samples, at this w
        of_real: of real images that no training has seen
        classes: the same share for the samples of each class, for the hint
    """
    refuse_not_finite("the shares", share, of_real, classes)
    limit = WISHED * of_real
    measured = {"share": share, "of_real_images": of_real} | at_least(share, limit)
    if not share >= limit:
        worst = min(range(len(classes)), key=classes.__getitem__)
        raise CheckFailed(
            f"expected at least {limit:.0%} of the samples to show the wished class at w = {w:g}, got {share:.0%}",
            f"Least often it is class {worst} ({classes[worst]:.0%}). Look at the picture: if the images are poor, "
            "train longer; if they are of other classes, look whether each label reaches its own image in training.",
            **measured,
        )
    return measured


def check_varied(coverage: float) -> Measured:
    """At w = 1 the samples cover much of the data: coverage is the share of real images that lie among the samples.

    Recall of Kynkäänniemi et al. 2019, of as many samples as level 1 draws. Trained references of the digits have 0.85
    to 0.9; an image of each class, with a little noise, has 0, though it shows what was wished for, and its FID passes.
    """
    refuse_not_finite("the coverage", coverage)
    measured = {"coverage": coverage} | at_least(coverage, VARIED)
    if not coverage >= VARIED:
        raise CheckFailed(
            f"expected samples among which at least {VARIED:.0%} of the real images lie, got {coverage:.0%}",
            "The samples of a class are too much alike. Does the output depend on x as well as on y, and was the "
            "network trained on all images?",
            **measured,
        )
    return measured


def wrong_labels(labels: Tensor, num_classes: int, shift: Tensor) -> Tensor:
    """For each label another class: labels (N,), shift (N,) in [0, 1)."""
    if num_classes < 2:
        raise NotJudged("there is one class only, so no label is wrong")
    return (labels + 1 + (shift * (num_classes - 1)).long().clamp(max=num_classes - 2)) % num_classes


def shares_of(seen: Tensor, wished: Tensor, num_classes: int) -> list[float]:
    """For each class the share of its samples that the classifier takes for it: (N,) each."""
    right = (seen == wished).double()
    return [right[wished == label].mean().item() for label in range(num_classes) if bool((wished == label).any())]
