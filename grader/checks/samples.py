"""Levels 1 and 3: can one recognise what the samples show, are they varied, are they the network's own?"""

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, at_least, at_most

SPREAD = 0.01  # of pixels over the samples, as a standard deviation
MORE_TRAINING = (
    "Look at the picture. If there is mostly noise, train longer; if training is long done, look at the level 1 checks."
)


def check_sound(samples: Tensor) -> dict[str, float]:
    """Samples (N, C, H, W) are finite, in [-1, 1], and not all alike."""
    if not samples.isfinite().all() or samples.abs().max() > 1:
        raise CheckFailed(
            "expected finite samples in [-1, 1], got others",
            "The network's answers grow along the way: does it see t, and was it trained on all of it?",
        )
    spread = samples.double().std(0).mean().item()
    measured = {"spread": spread} | at_least(spread, SPREAD)
    if spread < SPREAD:
        raise CheckFailed(
            f"expected samples that differ, got {len(samples)} that are all alike (they differ by {spread:.3f})",
            "The network's answer does not depend on x, or its output is nearly constant.", **measured,
        )  # fmt: skip
    return measured


def check_classes(classes: list[float], least: float, missing: int) -> dict[str, object]:
    """Every class of the data set turns up, but for `missing` of them."""
    rare = [i for i, share in enumerate(classes) if share < least]
    measured = {"classes": classes, "least": min(classes)} | at_least(sorted(classes)[missing], least)
    if len(rare) > missing:
        most = max(range(len(classes)), key=classes.__getitem__)
        raise CheckFailed(
            f"expected every class in at least {least:.0%} of the samples{f', {missing} excepted' if missing else ''}, "
            f"got too few of {', '.join(map(str, rare))}; most often class {most} ({classes[most]:.0%})",
            "Samples are not varied enough, or too blurred to be told apart. " + MORE_TRAINING, **measured,
        )  # fmt: skip
    return measured


def check_confidence(confidence: float, of_real: float, share: float) -> dict[str, float]:
    """The classifier is at least `share` as sure on samples as it is on real images."""
    limit = share * of_real
    measured = {"confidence": confidence, "of_real_images": of_real} | at_least(confidence, limit)
    if confidence < limit:
        raise CheckFailed(
            f"expected a classifier that is {limit:.0%} sure of what it sees, got {confidence:.0%} "
            f"(on real images {of_real:.0%})",
            "The samples are hard to recognise. " + MORE_TRAINING, **measured,
        )  # fmt: skip
    return measured


def check_fid(fid: float, of_real: float, of_reference: float, factor: float, provisional: str) -> dict[str, float]:
    """The Fréchet distance to real images is at most `factor` times that of other real images."""
    limit = factor * of_real
    measured = {"fid": fid, "of_real_images": of_real, "of_reference": of_reference} | at_most(fid, limit)
    if not fid <= limit:
        about = f"{of_reference:.1f}" + (f" ({provisional})" if provisional else "")
        raise CheckFailed(
            f"expected an FID of at most {limit:.1f}, got {fid:.1f} (real images {of_real:.1f}, the reference {about})",
            "As a crowd the samples don't look like the data. " + MORE_TRAINING, **measured,
        )  # fmt: skip
    return measured


def check_new(near: float, limit: float) -> dict[str, float]:
    """Samples are not copies: few lie nearer to a training image than nearly all unseen real images do."""
    measured = {"near": near, "of_real_images": 0.05} | at_most(near, limit)
    if near > limit:
        raise CheckFailed(
            f"expected new images, got {near:.0%} that lie nearer to a training image than 95 % of unseen real ones do",
            "The network replays images that it has stored. It has to learn what they have in common.", **measured,
        )  # fmt: skip
    return measured


def mean_of(records: list[dict], key: str) -> float:
    """Of a figure over several draws."""
    return torch.tensor([record[key] for record in records], dtype=torch.float64).mean().item()
