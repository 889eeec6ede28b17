"""Level 6, the network: does it go by each image's own label, and only by which class that is?

As in level 1 (conditioning.py), answers of one network in eval mode are compared. Two that should be equal may differ
by rounding, about 1e-6 of the output's size in float32; two that should differ, differ by far more. The limits lie in
the gap, which `make calibrate-checks` measures: the figures are in docs/evidence.md. But for `check_learnt`, which
trains, nothing here tests a random sample: a false failure takes rounding errors a hundred times the usual ones.
"""

import torch
from torch import Tensor

from grader.checks.conditioning import SAME, change, difference, require_output
from grader.checks.finding import CheckFailed, at_least, at_most, refuse_not_finite

DIFFER = 1e-4  # of the output's size, between any two labels
ORDERS, FAR = 500, 5.0  # random orders of the classes; standard deviations
LEARNT = 0.5  # of the loss of the best answer that knows no label, at most, for each label

Measured = dict[str, float]


def check_none_is_no_class(none: Tensor, labelled: Tensor, num_classes: int) -> Measured:
    """Without labels the answer is the one for the label K: (B, C, H, W) each."""
    require_output(labelled, none)
    off = difference(none, labelled)
    measured = {"largest_difference": off} | at_most(off, SAME)
    if not off <= SAME:
        raise CheckFailed(
            f"expected the same for forward(x, t) and for all labels K = {num_classes}, got outputs that differ by "
            f"{off:.1%}",
            'y=None means "no class" for all images: y = torch.full_like(t, config.num_classes), in forward.',
            **measured,
        )
    return measured


def check_every_label(y: Tensor) -> Measured:
    """The same images get another answer for each label.

    Args:
        y: (N, K + 1, C, H, W), answers to N images as each class, and as none
    """
    require_output(y.flatten(0, 1))
    none = y.shape[1] - 1
    apart = {(a, b): change(y[:, a], y[:, b]) for a in range(none) for b in range(a + 1, none + 1)}
    smallest = min(apart.values())
    measured = {"smallest_difference": smallest} | at_least(smallest, DIFFER)
    same = [pair for pair, of in apart.items() if not of > DIFFER]
    if not same:
        return measured
    (a, b), all_alike = same[0], len(same) == len(apart)
    got = (
        "the same for all labels"
        if all_alike
        else f"the same for {_named(a, none)} and {_named(b, none)}"
        + (f", and for {len(same) - 1} more pairs" if len(same) > 1 else "")
    )
    if all_alike:
        hint = (
            "Does the label reach the features? Look whether its embedding is computed and then never added, is scaled "
            "down too far, or is taken out again by a norm right after it (GroupNorm with a group for each channel "
            "subtracts the channel's mean)."
        )
    elif all(none in pair for pair in same):
        hint = (
            f'"No class" is a label of its own, K = {none}, next to the classes 0 … {none - 1}: nn.Embedding('
            "num_classes + 1, dim), without a clamp, a remainder, or a class that stands for it."
        )
    else:
        hint = "Several labels share an embedding: no division, rounding or remainder of y; each class has its own row."
    raise CheckFailed(
        f"expected {none + 1} different outputs for {none + 1} labels, got {got}", hint, equal_pairs=len(same),
        **measured,
    )  # fmt: skip


def _named(label: int, none: int) -> str:
    return f"no class (K = {none})" if label == none else f"class {label}"


def check_own_label(mixed: Tensor, alone: Tensor, labels: list[int]) -> Measured:
    """In a batch with different labels, each image is treated by its own.

    Args:
        mixed: (B, C, H, W), answers for B images with B labels, in one batch
        alone: (B, C, H, W), the same answers, each asked for alone
    """
    require_output(alone, mixed)
    off = [difference(a[None], b[None]) for a, b in zip(mixed, alone, strict=True)]
    worst = max(range(len(off)), key=lambda i: off[i])
    measured = {"largest_difference": off[worst]} | at_most(off[worst], SAME)
    if not off[worst] <= SAME:
        raise CheckFailed(
            f"expected the image with label {labels[worst]} to be treated the same in a mixed batch and alone, got "
            f"outputs that differ by {off[worst]:.1%}",
            "Each image has its own label: look for y[0], a mean over the labels, or an embedding (B, dim) that is "
            "added along another axis than emb[:, :, None, None] is.",
            **measured,
        )
    return measured


def check_names(y: Tensor) -> Measured:
    """Classes are names: their order says nothing about which are alike.

    Of a network that goes by names, their own order is one of many: the mean distance between neighbours, compared with
    those of ORDERS random orders, is further below their mean than FAR standard deviations once in 3e6 (normal; of 390
    right networks with 16 to 23 classes none was beyond 3). Of one that takes y for a number, answers lie on a curve
    along it, and their own order is nearly the shortest of all: from 24 classes on, 6 and more standard deviations.

    Args:
        y: (N, K, C, H, W), answers to N images as each class
    """
    require_output(y.flatten(0, 1))
    count, generator = y.shape[1], torch.Generator().manual_seed(0)
    apart = torch.zeros(count, count, dtype=torch.float64)
    for a in range(count):
        for b in range(a):
            apart[a, b] = apart[b, a] = change(y[:, a], y[:, b])

    def steps(order: Tensor) -> Tensor:
        return apart[order[:-1], order[1:]].mean()

    own = steps(torch.arange(count))
    others = torch.stack([steps(torch.randperm(count, generator=generator)) for _ in range(ORDERS)])
    below = max(0.0, ((others.mean() - own) / others.std()).item())
    measured = {"standard_deviations": below} | at_most(below, FAR)
    if not below <= FAR:
        raise CheckFailed(
            f"expected neighbouring classes to be no more alike than others, got outputs {own / others.mean():.0%} as "
            f"far apart, {below:.1f} standard deviations below chance",
            "y is taken for a size, but class 3 is no more like 4 than like 9: look it up in nn.Embedding(num_classes "
            "+ 1, dim), or make it one-hot, in place of y.float(), y / K, or sinusoids of y.",
            **measured,
        )
    return measured


def check_learnt(losses: Tensor, steps: int) -> Measured:
    """After a short training in which only the label tells what is asked for, each label gets its own answer.

    Args:
        losses: (K + 1,), as parts of that of the best answer which knows no label
        steps: of the training
    """
    refuse_not_finite("the losses", losses)
    worst = int(losses.argmax())
    measured = {"worst": losses[worst].item()} | at_most(losses[worst].item(), LEARNT)
    if not losses[worst] <= LEARNT:
        none, alike = len(losses) - 1, bool((losses > LEARNT).all())
        raise CheckFailed(
            f"expected the labels to be learnt in {steps} steps, got a loss for {_named(worst, none)} of "
            f"{losses[worst]:.2f} of that without labels",
            "No label is learnt: is y used in train mode as in eval mode? Is its embedding a parameter that gradients "
            "reach, without .detach(), torch.no_grad() or a tiny factor? And labels are names, not numbers."
            if alike
            else "Some labels are learnt and others not: has each a row of its own, which gradients reach? "
            "(padding_idx keeps a row at zero.)",
            **measured,
        )
    return measured
