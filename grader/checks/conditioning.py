"""Level 1, the timestep and the batch: is each image treated by its own t, and by nothing else in the batch?

All comparisons are of outputs of one network in eval mode. Two that should be equal may differ by the rounding of
another batch size or kernel, about 1e-6 of the output's size in float32; two that should differ, differ by far more.
Sizes are those of most pixels of an image, so that a huge pixel, or a whole channel of them, hides and proves nothing.
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


def typical(values: Tensor) -> Tensor:
    """The size of most values of each image, (B, C, H, W) → (B,): root mean square of the smaller half that isn't 0.

    Where all are 0 it is 0, and where one isn't finite it is NaN.
    """

    def of(image: Tensor) -> Tensor:
        sizes = image[image != 0].abs().sort().values
        half = sizes[: (len(sizes) + 1) // 2].square().sum() / max(1, (len(sizes) + 1) // 2)
        return half.sqrt() if image.isfinite().all() else torch.full_like(half, torch.nan)

    return torch.stack([of(image) for image in values.flatten(1).double()])


def difference(a: Tensor, b: Tensor) -> float:
    """How far a and b, (B, C, H, W) each, are from being the same, at the worst image.

    Root mean square over the pixels of |a − b|, each relative to the image's typical size plus its own; infinite where
    one is not finite.
    """
    size = typical(torch.cat([a, b], dim=1)).view(-1, 1, 1, 1) + a.abs().maximum(b.abs()).double()
    off = (a - b).double() / size.clamp(min=1e-30)
    worst = off.flatten(1).square().mean(1).sqrt().max().item()
    return worst if math.isfinite(worst) else math.inf


def change(a: Tensor, b: Tensor) -> float:
    """How far most pixels of a and b, (B, C, H, W) each, differ, relative to their size: a mean over the images."""
    apart = most(a - b) / typical(torch.cat([a, b], dim=1)).clamp(min=1e-30)
    return apart.mean().item()


def most(values: Tensor) -> Tensor:
    """Root mean square of the smaller half of the values of each image, zeros included: (B, C, H, W) → (B,)."""
    sizes = values.flatten(1).double().abs().sort(dim=1).values  # sorting puts NaN last
    half = sizes[:, : (sizes.shape[1] + 1) // 2].square().mean(1).sqrt()
    return torch.where(sizes.isfinite().all(1), half, torch.nan)


def require_output(y: Tensor, *others: Tensor | None) -> None:
    """All answers are finite, and y (B, C, H, W) not all zeros: answers that are always 0 can't be compared."""
    refuse_not_finite("the output", y, others)
    if y.abs().max() == 0:
        raise CheckFailed(
            "expected an output that depends on the input, got only zeros, even after all parameters were perturbed",
            "Something multiplies the output by 0: a zero that is not a trainable parameter, or two zeros in a row.",
        )


def wait_unless_independent(among_others: Tensor, among_copies: Tensor) -> None:
    """Answers at one t to images (B, C, H, W) among one another, and in its place among copies of each: do they mix?

    Raises NotJudged then: mixing t is not to blame.
    """
    if not difference(among_others, among_copies) <= SAME:
        raise NotJudged(
            "waits for batch.samples_independent: an image's output depends on the other images, even where all have "
            "the same t"
        )


def wait_unless_own_t(mixed: Tensor, alone: Tensor) -> None:
    """Answers to images (B, C, H, W), each at its own t, in one batch and each alone: does each get its own t?

    Raises NotJudged if not: a training in which t alone tells what to answer can't succeed then.
    """
    if not difference(mixed, alone) <= SAME:
        raise NotJudged("waits for timestep.uses_every_t: in a batch, images are not processed with their own t")


def check_uses_every_t(mixed: Tensor, alone: Tensor, t: list[int]) -> dict[str, float]:
    """In a batch with different t, each image is treated by its own t.

    Args:
        mixed: (B, C, H, W), answers for B images at the B timesteps `t`, in one batch; hints need one image B times
        alone: (B, C, H, W), the same answers, each requested alone
    """
    require_output(alone, mixed)
    off = [difference(a[None], b[None]) for a, b in zip(mixed, alone, strict=True)]
    worst = max(range(len(t)), key=lambda i: math.inf if math.isnan(off[i]) else off[i])
    measured = {"largest_difference": off[worst]} | at_most(off[worst], SAME)
    if off[worst] <= SAME:
        return measured
    first = difference(mixed, alone[:1].expand_as(mixed)) <= SAME
    one_for_all = difference(mixed, mixed[:1].expand_as(mixed)) <= SAME
    if first:
        hint = "Every image got the output for the first one's t: look for t[0]; embed the whole t, (B,) → (B, dim)."
    elif one_for_all:
        hint = "All images got the same output: t is averaged, or only one of its values is used."
    else:
        hint = (
            "Is the embedding (B, dim) added along the right axis? emb[:, :, None, None] has shape (B, dim, 1, 1): "
            "one vector for each image."
        )
    raise CheckFailed(
        f"expected the image at t = {t[worst]} to be treated the same in a mixed batch and alone, got outputs that "
        f"differ by {off[worst]:.1%}",
        hint, **measured,
    )  # fmt: skip


def check_depends_on_t(first: Tensor, last: Tensor, num_timesteps: int) -> dict[str, float]:
    """The same images get different answers at t = 0 and at t = T − 1: (B, C, H, W) each."""
    require_output(first, last)
    off = change(first, last)
    measured = {"difference": off} | at_least(off, ENDS_DIFFER)
    if not off > ENDS_DIFFER:
        raise CheckFailed(
            f"expected different outputs at t = 0 and t = {num_timesteps - 1}, got a relative difference of {off:.1g}",
            WIPED_OUT
            if off > 0
            else "Does the embedding of t reach the features? A network that ignores t has nearly the same loss, but "
            "bad samples. Look whether the embedding is computed and then never added.",
            **measured,
        )
    return measured


def _apart(y: Tensor, size: Tensor) -> Tensor:
    """(N, N): how far most pixels of each two of y (N, C, H, W) differ, relative to `size`; infinity for itself."""
    apart = torch.stack([most(y - one) for one in y]) / size
    return apart.fill_diagonal_(torch.inf)


def _size(y: Tensor) -> Tensor:
    """The typical size of images y (N, C, H, W), one number."""
    return typical(y).median()


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
        y: (N, C, H, W), answers for one noisy image at the N timesteps `t`, asked for in batches
        near: rows of y that may be the same as another, from `near_ones`
        alone: (K, 2, C, H, W), for each of `near` two answers to its t, each asked for alone
    """
    require_output(y, alone)
    size = _size(y)
    smallest, limit = _apart(y, size).min().item(), 0.0
    same: list[tuple[int, int]] = []
    if near:
        asked = torch.tensor([t[i] for i in near])
        repeated = FEW * most(alone[:, 0] - alone[:, 1]).max() / size
        elsewhere = FEW * most(alone[:, 0] - y[near]).max() / size
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
        hint = "All t get the same output: t is ignored, or a norm right after its embedding takes it out again."
    elif one_answer and values == ordered[-len(values) :]:
        hint = (
            f"All t from about {values[0]} up get the same output: is t clamped, or the table of embeddings too short?"
        )
    elif one_answer and values == ordered[: len(values)]:
        hint = f"All t up to about {values[-1]} get the same output: is t clamped or rounded down?"
    elif b - a > max(t) // 4:
        hint = "Far apart steps are taken for the same: is there a modulo (t % n), or a comparison (t > n)?"
    else:
        hint = (
            "Near steps are taken for the same: is t divided by an integer (t // n) or rounded before it is embedded?"
        )
    raise CheckFailed(
        f"expected {len(t)} different outputs for {len(t)} different t, got the same for t = {a} and t = {b}"
        + (f", and for {len(same) - 1} more pairs" if len(same) > 1 else ""),
        hint, equal_pairs=len(same), **measured,
    )  # fmt: skip


def check_independent(together: Tensor, alone: Tensor) -> dict[str, float]:
    """An image's answer does not depend on the others of its batch: (B, C, H, W), requested together and one by one."""
    require_output(alone, together)
    off = difference(together, alone)
    measured = {"largest_difference": off} | at_most(off, SAME)
    if not off <= SAME:
        raise CheckFailed(
            f"expected the same output for an image alone and among others, got a difference of {off:.1%}",
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
    off = difference(shuffled, straight[order])
    measured = {"largest_difference": off} | at_most(off, SAME)
    if not off <= SAME:
        raise CheckFailed(
            f"expected the outputs in the order of the images, got a difference of {off:.1%} after reordering the "
            "batch",
            "An image's place in the batch matters: look for x[0], t[0], cumulative sums or recurrences along "
            "dimension 0, or a reshape that mixes the batch with other dimensions.",
            **measured,
        )
    return measured
