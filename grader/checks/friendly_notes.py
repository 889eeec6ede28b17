"""Notes without points: what is allowed, works, and yet makes a network's life harder than it need be."""

import ast
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

ADDS_X = (
    "the output is x + f(x, t), or x − f(x, t); at small t hardly anything in x is noise, so f has to learn to take "
    "the image away again. A plain last layer learns that sooner"
)
RAW_T = (
    "a Linear layer gets t as it is, a number of up to {number:.0f}, where all else is about 1: training becomes slow "
    "or unstable, and near t look alike. Give it SinusoidalTimestepEmbedding(dim)(t)"
)
SLOW_ANGLES = (
    "at t = T − 1 no angle is beyond {angle:.2g} rad, so all t look nearly alike: was t divided by T? The sinusoids' "
    "frequencies are made for the integer t"
)
BATCH_NORM = (
    "images of a batch with very different t share its statistics, in training others than in sampling; GroupNorm is "
    "the usual choice"
)
WRONG_T = "a wrong t changes the loss by only {change:+.1%}"
MODES = (
    "in eval mode the output is {off:.0%} away from that in train mode, with nothing random and no statistics in "
    "between: what forward does only `if self.training` is missing when samples are drawn"
)
APART = 0.01  # of the output's size: further apart than the modes of one network by rounding
NARROW = 1.0  # rad: within it a sinusoid is nearly a straight line
RAW = 10.0  # a number of t that a linear layer gets: beyond it, it is much larger than features are
PROPORTIONAL = 1e-3  # relative: angles that are so near to being proportional to t are


def adds_x(source: bytes) -> bool:
    """Whether `DiffusionModel.forward` plainly returns x ± something, x being as it came. Unreadable sources don't."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "DiffusionModel"]
    methods = [node for kind in classes for node in kind.body if isinstance(node, ast.FunctionDef)]
    return any(method.name == "forward" and _adds_its_first(method) for method in methods)


def _adds_its_first(forward: ast.FunctionDef) -> bool:
    if len(forward.args.args) < 2:
        return False
    x, inside = forward.args.args[1].arg, [node for statement in forward.body for node in ast.walk(statement)]
    stored = [node.id for node in inside if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)]
    returned = [node.value for node in inside if isinstance(node, ast.Return)]
    if len(returned) != 1 or x in stored:
        return False
    value = returned[0]
    if isinstance(value, ast.Name) and stored.count(value.id) == 1:  # y = x ± …; return y
        value = next((node.value for node in inside if isinstance(node, ast.Assign)
                      and [getattr(target, "id", "") for target in node.targets] == [value.id]), None)  # fmt: skip
    sums = isinstance(value, ast.BinOp) and isinstance(value.op, (ast.Add, ast.Sub))
    return sums and any(isinstance(side, ast.Name) and side.id == x for side in (value.left, value.right))  # type: ignore[union-attr]


def on_t(found: Mapping[str, list[Tensor]], t: Tensor) -> dict[str, str]:
    """Notes on how t enters a network.

    Args:
        found: what sines and cosines were taken of ("angle") and linear layers got ("linear"); see `widest_of_t`
        t: (3,), t[0] = t[1]
    """
    notes, angle, number = {}, *(widest_of_t(found.get(kind, []), t) for kind in ("angle", "linear"))
    if angle is not None and angle <= NARROW:
        notes["sinusoids of t"] = SLOW_ANGLES.format(angle=angle)
    if number is not None and number > RAW:
        notes["t as a number"] = RAW_T.format(number=min(number, t[0].item()))  # later layers may get it larger
    return notes


def on_modes(answers: Sequence[Tensor], wrote: bool) -> dict[str, str]:
    """Notes on a network that is another one when it is sampled.

    Args:
        answers: (B, C, H, W) each: in eval mode, and twice in train mode, with the random generator elsewhere
        wrote: whether train mode wrote into buffers, as running statistics are
    """
    alike = len(answers) == 3 and len({(y.shape, y.dtype) for y in answers}) == 1
    if wrote or not alike or not answers[0].is_floating_point():
        return {}
    sampled, trained, again = (y.double() for y in answers)
    off = ((sampled - trained).norm() / trained.norm().clamp(min=1e-12)).item()
    return {"eval mode": MODES.format(off=off)} if trained.equal(again) and off > APART else {}


def widest_of_t(values: list[Tensor], t: Tensor) -> float | None:
    """The largest size that multiples of t alone have at t[0]; None if there are none.

    Args:
        values: (3, D) each: for two images at one t, and for the first at another
        t: (3,), t[0] = t[1]
    """
    of_t = []
    for one, other, later in (value.double() for value in values):
        size = one.abs().max()
        follows = (later - one * t[2] / t[0]).abs().max() <= PROPORTIONAL * size
        if size > 0 and torch.equal(one, other) and follows:
            of_t.append(size.item())
    return max(of_t, default=None)
