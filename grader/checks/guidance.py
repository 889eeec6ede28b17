"""Level 6, guided_eps: Eq. 6 of Ho & Salimans 2022, exactly.

The network's answers are noise that the judge has drawn for each image and each label, so what comes back tells what
went into it. Only rounding is allowed for: right forms of Eq. 6 differ by up to 1e-6 of the answers' standard
deviation (`make calibrate-checks` measures it, docs/evidence.md has it), the nearest wrong one of the bank by 0.1.
Nothing here tests a random sample, so a false failure takes rounding errors a hundred times the usual ones.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, NotJudged, at_most, refuse_not_finite
from grader.checks.guidance_formulas import WRONG, Guided, Weights, WrongWeights, right

EXACT = 1e-4  # of the standard deviation of the network's answers, at the worst pixel
NEAR = 1e-3  # a weight nearer to 0 than this is none
MIX = (
    "Each image is guided by its own label: the model's answers come back in the order of what it was asked, and "
    "dimension 0 is the batch. Look for y[0], .flip, a reshape, or .chunk along another dimension than 0."
)

Measured = dict[str, float]


def mistake(found: Sequence[Guided]) -> WrongWeights | None:
    """The first wrong formula that explains all answers, however many w they are for."""
    fits = (m for m in WRONG if all(each.off(m.weights(each.w)) <= EXACT for each in found))
    return next(fits, None)


def mixes(guided: Guided) -> bool:
    """Whether images got answers meant for others: a wrong formula alone puts together only an image's own two.

    Wants all labels to be of classes, and more pixels in an image than twice the images.
    """
    question, count = guided.question, len(guided.question.y)
    basis = torch.cat([question.with_label.flatten(1), question.without.flatten(1)])  # (2B, N)
    out = guided.out.double().flatten(1)  # (B, N)
    weights = torch.linalg.lstsq(basis.T, out.T).solution  # (2B, B)
    if not (weights.T @ basis - out).abs().max() <= EXACT * (1 + weights.abs().sum()):
        return False  # it is no sum of answers at all
    of_others = weights.view(2, count, count) * (1 - torch.eye(count, dtype=torch.float64))
    return bool(of_others.abs().max() > NEAR)


def check_end(guided: Guided, others: Sequence[Guided], fault: CheckFailed | None = None) -> Measured:
    """At w = 0 the answer is the one without a label, at w = 1 the one with it.

    Args:
        guided: at one of these w
        others: at other w, by which a mistake is told from others
        fault: what is wrong with the model's calls, if anything is
    """
    refuse_not_finite("what guided_eps returns", guided)
    off = guided.off(right(guided.w))
    measured = {"off": off} | at_most(off, EXACT)
    if not off <= EXACT:
        _wait_for_calls(guided, fault)
        raise _failed(guided, others, **measured)
    return measured


def check_affine(found: Sequence[Guided], fault: CheckFailed | None = None) -> Measured:
    """As w grows by equal steps, the answer moves by equal steps: at any w it lies on the line through w = 0 and 1.

    Where it starts and how it is directed is for `check_end`.

    Args:
        found: for one question, at w = 0, at w = 1 and at others
        fault: what is wrong with the model's calls, if anything is
    """
    refuse_not_finite("what guided_eps returns", list(found))
    by_w = {each.w: each.out.double() for each in found}
    zero, step = by_w[0.0], by_w[1.0] - by_w[0.0]
    apart = [(each.out.double() - zero - each.w * step).abs().max().item() / (2 + 2 * abs(each.w)) for each in found]
    worst = max(range(len(found)), key=lambda i: apart[i])
    measured = {"off": apart[worst]} | at_most(apart[worst], EXACT)
    if not apart[worst] <= EXACT:
        _wait_for_calls(found[worst], fault)
        raise _failed(found[worst], found, **measured)
    return measured


def check_null_label(found: Sequence[Guided], fault: CheckFailed | None = None) -> Measured:
    """An image whose label is "no class" gets the answer without a label, whatever w is.

    Args:
        found: for questions in which some labels are K
        fault: what is wrong with the model's calls, if anything is
    """
    refuse_not_finite("what guided_eps returns", list(found))
    off, elsewhere = 0.0, 0.0
    for each in found:
        question = each.question
        apart = (each.out.double() - question.mixed(right(each.w))).abs().flatten(1).amax(1) / (1 + 2 * abs(each.w))
        null = question.y == question.num_classes
        off, elsewhere = max(off, apart[null].max().item()), max(elsewhere, apart[~null].sum().item())
    measured = {"off": off} | at_most(off, EXACT)
    if not off <= EXACT:
        if fault:
            raise NotJudged(f"waits for guidance.asks: {fault.message}")
        if not elsewhere <= EXACT:
            raise NotJudged("waits for guidance.affine and the ends of it: images with a class are guided wrongly, too")
        raise CheckFailed(
            f"expected the answer without a label where y = K = {found[0].question.num_classes}, got one off by up to "
            f"{off:.2g}",
            "With eps_y = eps_null, Eq. 6 is eps_null whatever w is. Is w changed, or something added, where a label "
            "is K?",
            **measured,
        )
    return measured


def check_own_label(together: Guided, alone: Sequence[Tensor], fault: CheckFailed | None = None) -> Measured:
    """In a batch with different labels and t, each image is guided by its own, whatever its place.

    Args:
        together: a batch of B
        alone: for each of its images, what came of it alone, (1, C, H, W)
        fault: what is wrong with the model's calls, if anything is
    """
    refuse_not_finite("what guided_eps returns", together, list(alone))
    apart = (together.out - torch.cat(list(alone))).abs().flatten(1).amax(1) / (1 + 2 * abs(together.w))
    worst = int(apart.argmax())
    measured = {"off": apart[worst].item()} | at_most(apart[worst].item(), EXACT)
    if not apart[worst] <= EXACT:
        if fault:
            raise NotJudged(f"waits for guidance.asks: {fault.message}")
        raise CheckFailed(
            f"expected the same for an image in a batch and alone, got a difference of up to {apart[worst]:.2g} at "
            f"place {worst} of {len(apart)}",
            MIX, **measured,
        )  # fmt: skip
    return measured


def check_same_again(first: Guided, between: Guided, again: Guided) -> Measured:
    """The same question gets the same answer, and the same x_t another one when the network answers otherwise.

    Args:
        between: of the same x_t, t and y, asked after `first`, with other answers of the network
    """
    refuse_not_finite("what guided_eps returns", first, between, again)
    off = (first.out - again.out).abs().max().item()
    measured = {"off": off} | at_most(off, EXACT)
    if not off <= EXACT:
        raise CheckFailed(
            f"expected the same answer to the same question, got a difference of up to {off:.2g}",
            "guided_eps depends on something besides its arguments: random numbers (labels are dropped in training, by "
            "the given code, and not here), or answers that are kept from call to call.",
            **measured,
        )
    if not (first.out - between.out).abs().max() > EXACT:
        raise CheckFailed(
            "expected another answer once the network answers otherwise, got the same",
            "An answer is kept from call to call, by x_t, t, y or their shapes: networks learn in between.",
            **measured,
        )
    return measured


def _wait_for_calls(guided: Guided, fault: CheckFailed | None) -> None:
    """Raises NotJudged where the model was asked something else, or images are mixed: then no formula is to blame."""
    if fault:
        raise NotJudged(f"waits for guidance.asks: {fault.message}")
    if len(guided.out) > 1 and mixes(guided):
        raise NotJudged("waits for guidance.own_label: images get what was answered for others")


def _failed(guided: Guided, others: Sequence[Guided], **measured: float) -> CheckFailed:
    weights, rest = guided.found()
    got = _in_words(weights) if rest <= EXACT else f"something else, off by up to {guided.off(right(guided.w)):.2g}"
    named = mistake([guided, *others])
    hint = named.hint if named else (
        "The answers of the model are combined as they are: nothing is clamped, rescaled, rounded or left out. Eq. 6 "
        "is eps_null + w · (eps_y − eps_null)."
    )  # fmt: skip
    more = {"mistake": named.name} if named else {}
    return CheckFailed(
        f"expected {_in_words(right(guided.w))} at w = {guided.w:g}, got {got}", hint, **measured, **more
    )


def _in_words(weights: Weights) -> str:
    """2.5 · eps_y − 1.5 · eps_null"""
    parts = []
    for value, name in zip(weights, ("eps_y", "eps_null"), strict=True):
        if not math.isclose(value, 0, abs_tol=NEAR):
            size = "" if math.isclose(abs(value), 1, abs_tol=NEAR) else f"{abs(value):.3g} · "
            parts.append(("− " if value < 0 else "+ ") + size + name)
    return " ".join(parts).removeprefix("+ ").replace("− ", "−", 1 if parts and parts[0][0] == "−" else 0) or "0"
