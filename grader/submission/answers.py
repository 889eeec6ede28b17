"""The required form of each probe's answer: it comes from an untrusted process, so nothing is taken for granted."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from grader.worker.wire import WireError

Check = Callable[[Any], bool]


def a(kind: type | tuple[type, ...]) -> Check:
    return lambda v: isinstance(v, kind) and not (isinstance(v, int) and v.bit_length() > 63)


def each(check: Check) -> Check:
    return lambda v: isinstance(v, list) and all(map(check, v))


def row(*checks: Check) -> Check:
    return lambda v: isinstance(v, list) and len(v) == len(checks) and all(c(x) for c, x in zip(checks, v, strict=True))


def table(check: Check) -> Check:
    return lambda v: isinstance(v, dict) and all(map(check, v.values()))


def optional(check: Check) -> Check:
    return lambda v: v is None or check(v)


OUTPUT = {
    "type": a(str), "shape": optional(each(a(int))), "dtype": optional(a(str)), "device": optional(a(str)),
    "requires_grad": optional(a(bool)),
}  # fmt: skip
SETTINGS = row(a(dict), a(dict))

# probe → the form of its values, and the tensors that come with them
ANSWERS: dict[str, tuple[dict[str, Check], tuple[str, ...]]] = {
    "build": (
        {"parameters": each(row(a(str), a(int), a(bool))), "batch_norms": each(a(str)), "defaults": SETTINGS},
        ("rng",),
    ),
    "perturb": ({}, ()),
    "forward": ({**OUTPUT, "defaults": SETTINGS}, ("x", "t", "rng_before", "rng_after")),
    "angles": ({}, ()),
    "modes": ({"wrote": a(bool)}, ()),
    "flow": ({"requires_grad": a(bool)}, ()),
    "slopes": ({"reported": each(a((float, int))), "repeats": a(bool)}, ("forth", "back")),
    "kinds": ({"trained": each(a(str)), "statistics": each(a(str))}, ()),
    "steps": (
        {"losses": each(a((float, int))), "gradients": table(row(a(bool), a(bool), a(bool))), "seconds": a(float)},
        (),
    ),
    "state": ({}, ()),
    "load_state": ({}, ()),
    "meta": ({}, ()),
    "build_sampler": ({"changed": each(a(str))}, ()),
    "p_sample": ({**OUTPUT, "changed": each(a(str))}, ("x_t", "t")),
    "sample": ({**OUTPUT, "changed": each(a(str))}, ()),
    "guide": ({**OUTPUT, "changed": each(a(str))}, ("x_t", "t", "labels")),
}


def check_answer(probe: str, values: Any, tensors: dict[str, Tensor]) -> None:
    """Raises WireError if the answer to a probe does not have the probe's form."""
    shape, names = ANSWERS[probe]
    if not isinstance(values, dict) or not all(check(values.get(key)) for key, check in shape.items()):
        raise WireError("an answer of another form than the request's")
    if missing := [name for name in names if name not in tensors]:
        raise WireError(f"an answer without its tensor {missing[0]}")
    if any(tensors[name].dtype != torch.uint8 for name in names if name.startswith("rng")):
        raise WireError("the state of a random generator in another form than it has")
    _check_described(values if shape.items() >= OUTPUT.items() else {}, tensors.get("y"))


def check_question(facts: Any, tensors: dict[str, Tensor]) -> None:
    """The same for a call of the model by a sampler."""
    names = ("x", "t", *(("labels",) if isinstance(facts, dict) and "labels" in facts else ()))
    if not isinstance(facts, dict) or not all(
        isinstance(facts.get(k), dict) and all(check(facts[k].get(key)) for key, check in OUTPUT.items()) for k in names
    ):
        raise WireError("a call of the model in another form than it has")
    for name in names:
        _check_described(facts[name], tensors.get(name))


def _check_described(facts: dict[str, Any], y: Tensor | None) -> None:
    """A tensor matches its description, and the description is complete or absent."""
    about = [facts.get(key) is None for key in ("shape", "dtype", "device", "requires_grad")]
    if any(about) and not all(about):
        raise WireError("half a description of a tensor")
    if y is not None and facts and (facts.get("shape") != list(y.shape) or facts.get("dtype") != str(y.dtype)):
        raise WireError("a tensor other than the one that is described")
