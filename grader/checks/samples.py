"""Levels 1 and 3: are the samples recognizable, are they varied, and are they new?"""

import math

from torch import Tensor

from grader.checks.finding import CheckFailed, all_finite, at_least, at_most, tightest

SPREAD = 0.01  # standard deviation of a pixel over the samples, at least
MORE_TRAINING = (
    "Look at the picture. If there is mostly noise, train longer; if training is long done, look at the level 1 checks."
)


def check_sound(samples: Tensor) -> dict[str, float]:
    """Samples (N, C, H, W) are finite, in [-1, 1], and not all alike."""
    if not samples.abs().max() <= 1:
        raise CheckFailed(
            "expected finite samples in [-1, 1], got values beyond them, or no finite ones",
            "The network's outputs grow along the way: does it see t, and was it trained on all of it?",
        )
    spread = samples.double().std(0).mean().item()
    measured = {"spread": spread} | at_least(spread, SPREAD)
    if not spread >= SPREAD:
        raise CheckFailed(
            f"expected samples that differ, got {len(samples)} that look alike (standard deviation {spread:.3f})",
            "The network's output does not depend on x, or its output is nearly constant.", **measured,
        )  # fmt: skip
    return measured


def check_classes(classes: list[float], least: float, most: float, missing: int) -> dict[str, object]:
    """Every class of the data set but `missing` of them turns up, and none too often.

    Args:
        classes: share of the N samples in each class, K of them
        least, most: allowed share of a class
    """
    rare = [i for i, share in enumerate(classes) if not least <= share < math.inf]
    common = max(range(len(classes)), key=classes.__getitem__)
    enough, bounded = at_least(sorted(classes)[missing], least), at_most(classes[common], most)
    measured = {
        "classes": classes, "least": min(classes), "most": classes[common], "found": len(classes) - len(rare), **enough,
        "limit_of_most": most, "margin": tightest(enough, bounded)["margin"],
    }  # fmt: skip
    if len(rare) > missing or not all_finite(classes, least, most):
        raise CheckFailed(
            f"expected every class in at least {least:.0%} of the samples{f', {missing} excepted' if missing else ''}, "
            f"got too few of {', '.join(map(str, rare))}; most often class {common} ({classes[common]:.0%})",
            "Samples are not varied enough, or too blurred to be told apart. " + MORE_TRAINING, **measured,
        )  # fmt: skip
    if not classes[common] <= most:
        raise CheckFailed(
            f"expected no class in more than {most:.0%} of the samples, got class {common} in {classes[common]:.0%}",
            "Most samples show the same thing, as after a short training, or one on few images (data.limit). "
            + MORE_TRAINING, **measured,
        )  # fmt: skip
    return measured


def check_confidence(confidence: float, of_real: float, share: float) -> dict[str, float]:
    """The classifier is at least `share` times as confident on samples as on real images."""
    limit = share * of_real
    measured = {"confidence": confidence, "of_real_images": of_real} | at_least(confidence, limit)
    if not 0 <= limit <= confidence < math.inf:
        raise CheckFailed(
            f"expected a classifier that is {limit:.0%} sure of what it sees, got {confidence:.0%} "
            f"(on real images {of_real:.0%})",
            "The samples are hard to recognise. " + MORE_TRAINING, **measured,
        )  # fmt: skip
    return measured


DAMAGE_HINTS = {
    "noise": "Noise is left in them: does the network see t, was it trained on small t too, and long enough?",
    "two images in one": "Shapes lie over each other, as in a network that has not yet learnt to decide for one.",
    "blur": "They are blurred, as after a short training or with too small a network.",
    "blocks": "They fall into blocks: look at how the network goes down and up again (nearest or strided layers).",
    "parts that don't belong together": "Their parts don't fit: can a pixel at the bottom see the top? Go down once "
    "more, or add attention at the lowest level.",
}


def check_clean(damaged: float, kind: str, of_real: float, limit: float) -> dict[str, object]:
    """Few samples look damaged: noisy, blurred, blocky, two images in one, parts that don't belong together.

    Args:
        damaged, of_real: share of the samples, and of real images, that look damaged
        kind: of damage, the most frequent one; a key of DAMAGE_HINTS
    """
    measured = {"damaged": damaged, "damage": kind, "of_real_images": of_real} | at_most(damaged, limit)
    if not 0 <= damaged <= limit < math.inf:
        raise CheckFailed(
            f"expected at most {limit:.0%} damaged samples, got {damaged:.0%}; what is seen most often: {kind}",
            f"{DAMAGE_HINTS[kind]} {MORE_TRAINING}", **measured,
        )  # fmt: skip
    return measured


def check_fid(fid: float, of_real: float, above: float, of_reference: str) -> dict[str, object]:
    """The Fréchet distance to real images exceeds that of as many other real images by at most `above`.

    Args:
        of_reference: the reference's FID in words; empty if unknown
    """
    limit = of_real + above
    measured = {"fid": fid, "of_real_images": of_real, "above_real": above, "of_reference": of_reference}
    measured |= at_most(fid, limit)
    if not -math.inf < fid <= limit < math.inf:
        also = f", the reference's {of_reference}" if of_reference else ""
        raise CheckFailed(
            f"expected an FID of at most {limit:.1f}, got {fid:.1f} (as many real images {of_real:.1f}{also})",
            "As a set, the samples don't look like the data. " + MORE_TRAINING, **measured,
        )  # fmt: skip
    return measured


def check_new(copies: float, of_real: float, limit: float) -> dict[str, float]:
    """Samples are new: few reproduce a training image, even mirrored, moved, resized or in another light.

    Args:
        copies, of_real: share of the samples, and of unseen real images, that do
    """
    measured = {"copies": copies, "of_real_images": of_real} | at_most(copies, limit)
    if not 0 <= copies <= limit < math.inf:
        raise CheckFailed(
            f"expected new images, got {copies:.0%} that show a training image again (of unseen real images "
            f"{of_real:.0%} do)",
            "The network replays images that it has stored. It has to learn what they have in common.", **measured,
        )  # fmt: skip
    return measured
