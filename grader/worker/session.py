"""What probes share: a session's networks and samplers, the registry, and how the student's code is called.

A probe is a function (session, tensors, **arguments) → (values, tensors). Values are JSON; all judging happens
elsewhere.
"""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from grader.worker.adam import Adam

# Bound before a submission is loaded, as the imports are: if it replaces torch's functions, these stay.
SETTINGS = {
    "default dtype": torch.get_default_dtype,
    "default device": torch.get_default_device,
    "grad mode": torch.is_grad_enabled,
    "deterministic algorithms": torch.are_deterministic_algorithms_enabled,
    "number of threads": torch.get_num_threads,
}

Tensors = dict[str, Tensor]
Ask = Callable[[dict[str, Any], Tensors], Tensor]


class ContractError(Exception):
    """The submission breaks the contract; the message is complete without a traceback."""


class Session:
    """State kept between requests: the networks and samplers that were built, by name."""

    def __init__(self, device: str, ask: Ask) -> None:
        self.device = torch.device(device)
        self.ask = ask  # how a sampler's model reaches the judge, which answers in its place
        self.networks: dict[str, nn.Module] = {}
        self.optimizers: dict[str, Adam] = {}
        self.samplers: dict[str, Any] = {}


Result = tuple[dict[str, Any], Tensors]
Probe = Callable[..., Result]
PROBES: dict[str, Probe] = {}


def probe(function: Probe) -> Probe:
    PROBES[function.__name__] = function
    return function


def call(student: Callable[..., Any], what: str, *arguments: Any) -> Any:
    """Call the student's code; a signature that does not fit is the student's error, not ours."""
    try:
        return student(*arguments)
    except TypeError as error:
        if error.__traceback__ and error.__traceback__.tb_next is None:  # raised by the call itself, not inside it
            raise ContractError(f"{what} can't be called as the contract says: {error}") from error
        raise


def find_class(file: str, name: str) -> type:
    module = importlib.import_module(f"assignment.{file}")
    found = getattr(module, name, None)
    if not isinstance(found, type):
        theirs = {each: of.__module__ for each, of in vars(module).items() if isinstance(of, type)}
        others = [each for each, home in theirs.items() if home == module.__name__]
        raise ContractError(f"{file}.py defines no class {name}" + (f", only {', '.join(others)}" if others else ""))
    return found


def defaults() -> dict[str, Any]:
    """Process-wide settings that only the judge may change."""
    found = {name: get() for name, get in SETTINGS.items()}
    return {name: value if isinstance(value, (bool, int)) else str(value) for name, value in found.items()}


def describe(y: Any) -> dict[str, Any]:
    """Facts about an answer, for the judge to compare with the contract."""
    if not isinstance(y, Tensor):
        return {"type": type(y).__name__}
    kind = "Tensor" if type(y) is Tensor else f"{type(y).__module__}.{type(y).__name__}"
    return {"type": kind, "shape": list(y.shape),
            "dtype": str(y.dtype), "device": y.device.type, "requires_grad": y.requires_grad}  # fmt: skip


def sendable(y: Any) -> bool:
    return isinstance(y, Tensor) and y.layout == torch.strided and not y.is_complex() and not y.is_meta
