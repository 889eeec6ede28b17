"""Level 6, guided_eps: what it asks the model. Each image as it came, with its own t, and its own label or K.

One call may hold the batch twice, there may be two, or one for each image; a call without labels asks for "no class".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed
from grader.checks.guidance_formulas import Question

INTEGERS = ("torch.int64", "torch.int32")
LABELS = "Build them with torch.full_like(y, num_classes): integers, on y's device."


@dataclass(frozen=True)
class Call:
    """One call of the model, as the worker describes it: x (N, C, H, W), t (N,), and labels (N,), if there are any."""

    facts: dict[str, Any]
    x: Tensor
    t: Tensor | None
    labels: Tensor | None

    @property
    def without_labels(self) -> bool:
        """Called as model(x, t)."""
        return self.facts.get("labels", {}).get("type") in (None, "NoneType")


def rows_of(question: Question, call: Call) -> tuple[list[int], float]:
    """Which image of the batch each row of a call is, and how far the worst is from it."""
    apart = torch.cdist(call.x.flatten(1), question.x_t.flatten(1), p=float("inf"))  # (N, B)
    nearest = apart.min(1)
    return nearest.indices.tolist(), nearest.values.max().item()


def labels_of(question: Question, call: Call) -> list[int]:
    """The classes that a call asks for, K where it can't be told."""
    none, labels = question.num_classes, call.labels
    if call.without_labels or labels is None or labels.numel() not in (1, len(call.x)):
        return [none] * len(call.x)
    return labels.flatten().expand(len(call.x)).nan_to_num(none).long().clamp(0, none).tolist()


def problem(question: Question, call: Call, device: str, rounding: float) -> CheckFailed | None:
    """What is wrong with a call.

    Args:
        rounding: that x may have, relative
    """
    rows, off = rows_of(question, call)
    if not off <= rounding * max(1.0, question.x_t.abs().max().item()):
        return CheckFailed(
            f"expected the model to be asked about x_t, got another x, off by up to {off:.3g}",
            "The model sees x_t as guided_eps got it, not a scaled, clamped or noised one.",
        )
    return _problem_of_t(question, call, rows, device) or _problem_of_labels(question, call, rows, device)


def _problem_of_t(question: Question, call: Call, rows: list[int], device: str) -> CheckFailed | None:
    about, hint = call.facts["t"], "Pass t on as it came: for both halves of a double batch, torch.cat([t, t])."
    if wrong := _form("t", about, len(rows), device):
        return CheckFailed(wrong, hint)
    assert call.t is not None, "a tensor of integers has arrived"
    off = [i for i, row in enumerate(rows) if int(call.t[i]) != int(question.t[row])]
    if off:
        return CheckFailed(
            f"expected each image to be asked about with its own t, got t = {int(call.t[off[0]])} for the one at "
            f"t = {int(question.t[rows[off[0]]])}",
            f"{hint} Two halves need torch.cat, as repeat_interleave puts the copies of an image side by side.",
        )
    return None


def _problem_of_labels(question: Question, call: Call, rows: list[int], device: str) -> CheckFailed | None:
    if call.without_labels:
        return None
    if wrong := _form("labels", call.facts["labels"], len(rows), device):
        return CheckFailed(wrong, f"The model gets a label for each image of its batch. {LABELS}")
    assert call.labels is not None, "a tensor of integers has arrived"
    none, labels = question.num_classes, call.labels.tolist()
    for row, label in zip(rows, labels, strict=True):
        if label not in (own := int(question.y[row]), none):
            return CheckFailed(
                f"expected each image to be asked about as its own class or as K = {none}, got class {label} for one "
                f"of class {own}",
                _wrong_label(labels, rows, question),
            )
    return None


def _wrong_label(labels: list[int], rows: list[int], question: Question) -> str:
    own = question.y.tolist()
    odd = [label for label, row in zip(labels, rows, strict=True) if label not in (own[row], question.num_classes)]
    if len(set(odd)) == 1 and len(odd) > 1:
        where = "out of all labels" if not 0 <= odd[0] <= question.num_classes else "a class of its own"
        return (
            f'All of them are {odd[0]}, {where}: "no class" is num_classes, as it is given, and a label belongs to '
            "one image only."
        )
    if all(label == own[row] + 1 for label, row in zip(labels, rows, strict=True)):
        return "Labels count from 0, as y has them: nothing is added."
    return (
        "The labels have lost their images: each keeps its place, y as it came, and twice torch.cat([y, null]) for a "
        "double batch."
    )


def check_asks(problems: Sequence[CheckFailed], asked: Sequence[set[bool]]) -> dict[str, int]:
    """The model is asked about x_t as it came, with each image's own t, and its own label or K, as integers.

    Args:
        problems: of the calls
        asked: for each question at a w other than 0 and 1, whether what was asked for is K: False, True, or both
    """
    if problems:
        raise problems[0]
    lacking = next((each for each in asked if each != {True, False}), None)
    if lacking is not None:
        only = "nothing" if not lacking else '"no class"' if True in lacking else "each image's own label"
        raise CheckFailed(
            f"expected the model to be asked with each image's own label and with K, got {only} alone",
            "Both answers are needed: model(x_t, t, y), and the same with all labels num_classes. Is y overwritten by "
            "K before it is used? torch.full_like(y, num_classes) makes a new tensor.",
        )
    return {"questions": len(asked)}


def _form(what: str, about: dict[str, Any], count: int, device: str) -> str:
    """What is wrong with t or labels as tensors; empty if nothing is."""
    if about.get("dtype") is None:
        return f"expected {what} as an integer tensor of shape ({count},), got {about.get('type')}"
    if about["dtype"] not in INTEGERS:
        return f"expected {what} as int64 (or int32), got {about['dtype'].removeprefix('torch.')}"
    if about["shape"] != [count]:
        return f"expected {what} of shape ({count},) for {count} images, got {tuple(about['shape'])}"
    if about["device"] != device.split(":")[0]:
        return f"expected {what} on {device}, got {what} on {about['device']}"
    return ""
