"""Level 1, the timestep and the batch: is each image treated by its own t, and by nothing else in the batch?

All comparisons are of outputs of one network in eval mode. Two that should be equal may differ by the rounding of
another batch size or kernel, about 1e-6 of the output's size in float32; two that should differ, differ by far more.
The limits lie in the gap between the two, which `make calibrate-checks` measures: the figures are in docs/evidence.md.
Nothing here tests a random sample, so a false failure takes rounding errors a thousand times the usual ones. Only
neighbouring t may rightly get answers as near as rounding: there, rounding is measured on the spot.
"""

import math

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, NotJudged, at_least, at_most, refuse_not_finite

SAME = 1e-3  # of the output's rms: more than rounding, less than any fault of the proof bank
ENDS_DIFFER = 1e-3  # of the output's rms, between t = 0 and T-1
NEAR = 1e-5  # of the output's rms: t with answers nearer than this are asked again, each alone
FEW = 4.0  # times the difference between two answers for the same t: as far apart as this, answers are the same


OVER_THE_BATCH = (
    "Something is computed over the batch: an attention between images instead of pixels (nn.MultiheadAttention takes "
    "(N, B, D) unless it has batch_first=True), a softmax, mean or norm with dim=0, a view or reshape that mixes B "
    "with C, H or W, or batch statistics in eval mode."
)
WIPED_OUT = (
    "The embedding of t is added, but hardly anything of it is left. A norm right after it takes it out again: "
    "InstanceNorm, or GroupNorm with a group for each channel, subtracts the channel's mean, and the embedding is the "
    "same number all over a channel. Add it after the norm, or use fewer groups. Or is it scaled down too far?"
)


def difference(a: Tensor, b: Tensor) -> float:
    """Root mean square of a − b relative to that of both, of any one shape; infinite where one is not finite."""
    size = torch.cat([a.flatten(), b.flatten()]).double().square().mean().sqrt()
    off = ((a - b).double().square().mean().sqrt() / size.clamp(min=1e-30)).item()
    return off if math.isfinite(off) else math.inf


def require_output(y: Tensor, *others: Tensor | None) -> None:
    """All answers are finite, and y (B, C, H, W) not all zeros: answers that are always 0 can't be compared."""
    refuse_not_finite("the output", y, others)
    if y.abs().max() == 0:
        raise CheckFailed(
            "expected an answer that depends on the input, got only zeros, even after all parameters were perturbed",
            "Something multiplies the output by 0: a zero that is not a trainable parameter, or two zeros in a row.",
        )


def check_uses_every_t(
    mixed: Tensor, alone: Tensor, t: list[int], companies: tuple[Tensor, Tensor] | None = None
) -> dict[str, float]:
    """In a batch with different t, each image is treated by its own t.

    Args:
        mixed: (B, C, H, W), answers for one image, drawn from N(0, I), at the B timesteps `t`, in one batch
        alone: (B, C, H, W), the same answers, each requested alone
        companies: (1, C, H, W) each, answers for the image among copies of itself, and among other images, all at one
            t; if they differ, it is the images that mix, and mixing t is not to blame
    """
    require_output(alone, mixed, *(companies or ()))
    off = [difference(a, b) for a, b in zip(mixed, alone, strict=True)]
    worst = max(range(len(t)), key=off.__getitem__)
    measured = {"largest_difference": off[worst]} | at_most(off[worst], SAME)
    if off[worst] <= SAME:
        return measured
    if companies is not None and not difference(*companies) <= SAME:
        raise NotJudged(
            "waits for batch.samples_independent: an image's answer depends on the other images, even where all have "
            "the same t"
        )
    first = max(difference(row, alone[0]) for row in mixed) <= SAME
    one_for_all = max(difference(row, mixed[0]) for row in mixed) <= SAME
    if first:
        hint = "Every image got the answer for the first one's t: look for t[0]; embed the whole t, (B,) → (B, dim)."
    elif one_for_all:
        hint = "All images got the same answer: t is averaged, or only one of its values is used."
    else:
        hint = (
            "Is the embedding (B, dim) added along the right axis? emb[:, :, None, None] has shape (B, dim, 1, 1): "
            "one vector for each image."
        )
    raise CheckFailed(
        f"expected the image at t = {t[worst]} to be treated the same in a mixed batch and alone, got answers that "
        f"differ by {off[worst]:.1%}",
        hint, **measured,
    )  # fmt: skip


def check_depends_on_t(first: Tensor, last: Tensor, num_timesteps: int) -> dict[str, float]:
    """The same images get different answers at t = 0 and at t = T − 1: (B, C, H, W) each."""
    require_output(first, last)
    change = difference(first, last)
    measured = {"difference": change} | at_least(change, ENDS_DIFFER)
    if not change > ENDS_DIFFER:
        raise CheckFailed(
            f"expected different answers at t = 0 and t = {num_timesteps - 1}, got ones that differ by {change:.1g} of "
            "their size",
            WIPED_OUT
            if change > 0
            else "Does the embedding of t reach the features? A network that ignores t has nearly the same loss, but "
            "bad samples. Look whether the embedding is computed and then never added.",
            **measured,
        )
    return measured


def _apart(y: Tensor, size: Tensor) -> Tensor:
    """(N, N): rms difference of each two of y (N, C, H, W), relative to `size`; infinity on the diagonal."""
    flat = y.flatten(1).double()  # (N, C·H·W)
    apart = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist") / flat.shape[1] ** 0.5 / size
    return apart.fill_diagonal_(torch.inf)


def _size(y: Tensor) -> Tensor:
    """Root mean square of y, of any shape."""
    return y.double().square().mean().sqrt()


def near_ones(y: Tensor) -> list[int]:
    """The rows of y (N, C, H, W) that are as near to another row as rounding might be, or smoothness."""
    require_output(y)
    return (~(_apart(y, _size(y)) > NEAR)).any(1).nonzero().flatten().tolist()


def check_whole_range(y: Tensor, t: list[int], near: list[int], alone: Tensor) -> dict[str, float]:
    """Different t over the whole range get different answers.

    A network that is smooth in t answers neighbouring t nearly alike, and may: t and t + 1 only have to differ by more
    than two answers to the same question do. One that bins, clamps or rounds t gives them the same, bit by bit. Others
    have to differ by more than the rounding of another place in the batch: one that repeats itself (t % n, or a sine of
    t alone) gives them the same but for that.

    Args:
        y: (N, C, H, W), answers for one image, drawn from N(0, I), at the N timesteps `t`, asked for in batches
        near: rows of y that may be the same as another, from `near_ones`
        alone: (K, 2, C, H, W), for each of `near` two answers to its t, each asked for alone
    """
    require_output(y, alone)
    size = _size(y)
    smallest, limit = _apart(y, size).min().item(), 0.0
    same: list[tuple[int, int]] = []
    if near:
        asked = torch.tensor([t[i] for i in near])
        repeated = FEW * max(_size(a - b) for a, b in alone) / size
        elsewhere = FEW * max(_size(a - b) for a, b in zip(alone[:, 0], y[near], strict=True)) / size
        neighbours = (asked[:, None] - asked).abs() <= 1
        allowed = torch.where(neighbours, repeated, elsewhere.clamp(max=NEAR).maximum(repeated))
        apart = _apart(alone[:, 0], size)
        smallest, limit = apart.min().item(), allowed.max().item()
        pairs = (~(apart > allowed)).nonzero().tolist()
        same = [(int(asked[i]), int(asked[j])) for i, j in pairs if asked[i] < asked[j]]
    measured = {"smallest_difference": smallest} | at_least(smallest, limit)
    if not same:
        return measured
    ordered, values = sorted(t), sorted({v for pair in same for v in pair})
    one_answer = len(same) == len(values) * (len(values) - 1) // 2  # shared by all that are in a pair
    a, b = max(same, key=lambda pair: pair[1] - pair[0])
    if len(same) >= len(t) * (len(t) - 1) // 2:
        hint = "All t get the same answer: t is ignored, or a norm right after its embedding takes it out again."
    elif one_answer and values == ordered[-len(values) :]:
        hint = (
            f"All t from about {values[0]} up get the same answer: is t clamped, or the table of embeddings too short?"
        )
    elif one_answer and values == ordered[: len(values)]:
        hint = f"All t up to about {values[-1]} get the same answer: is t clamped or rounded down?"
    elif b - a > max(t) // 4:
        hint = "Far apart steps are taken for the same: is there a modulo (t % n), or a comparison (t > n)?"
    else:
        hint = (
            "Near steps are taken for the same: is t divided by an integer (t // n) or rounded before it is embedded?"
        )
    raise CheckFailed(
        f"expected {len(t)} different answers for {len(t)} different t, got the same for t = {a} and t = {b}"
        + (f", and for {len(same) - 1} more pairs" if len(same) > 1 else ""),
        hint, equal_pairs=len(same), **measured,
    )  # fmt: skip


def check_independent(together: Tensor, alone: Tensor) -> dict[str, float]:
    """An image's answer does not depend on the others of its batch: (B, C, H, W), requested together and one by one."""
    require_output(alone, together)
    off = max(difference(a, b) for a, b in zip(together, alone, strict=True))
    measured = {"largest_difference": off} | at_most(off, SAME)
    if not off <= SAME:
        raise CheckFailed(
            f"expected the same answer for an image alone and among others, got ones that differ by {off:.1%}",
            OVER_THE_BATCH,
            **measured,
        )
    return measured


def check_order(shuffled: Tensor, straight: Tensor, order: list[int]) -> dict[str, float]:
    """Permuting the batch permutes the answers and does nothing else.

    Args:
        shuffled: (B, C, H, W), answers to the images in the order `order`
        straight: (B, C, H, W), answers to the same images in their own order
    """
    require_output(straight, shuffled)
    off = max(difference(shuffled[i], straight[j]) for i, j in enumerate(order))
    measured = {"largest_difference": off} | at_most(off, SAME)
    if not off <= SAME:
        raise CheckFailed(
            f"expected the answers in the order of the images, got ones that differ by {off:.1%} after reordering the "
            "batch",
            "An image's place in the batch matters: look for x[0], t[0], cumulative sums or recurrences along "
            "dimension 0, or a reshape that mixes the batch with other dimensions.",
            **measured,
        )
    return measured
