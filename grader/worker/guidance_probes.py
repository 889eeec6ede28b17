"""The probe that calls a submission's guided_eps: the judge answers in place of the network, as for a sampler."""

import importlib
from collections.abc import Callable
from typing import Any

from torch import Tensor, is_grad_enabled, manual_seed, no_grad

from grader.worker.sampler_probes import AskedModel
from grader.worker.session import ContractError, Result, Session, Tensors, call, describe, probe, sendable


class AskedWithLabels(AskedModel):
    """The same where labels may come as a third argument."""

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        given = {"x": x, "t": t, "labels": y}
        facts: dict[str, Any] = {name: describe(value) for name, value in given.items()}
        facts |= {"training": self.training, "grad": is_grad_enabled()}
        eps = self.ask(facts, {k: v for k, v in given.items() if isinstance(v, Tensor) and sendable(v)})
        return eps.to(self.weight.device)


def find_function(file: str, name: str) -> Callable[..., Any]:
    found = getattr(importlib.import_module(f"assignment.{file}"), name, None)
    if not callable(found):
        raise ContractError(f"{file}.py defines no function {name}")
    return found


@probe
def guide(session: Session, tensors: Tensors, *, w: float, num_classes: int, seed: int) -> Result:
    """guided_eps on x_t (B, C, H, W), t and labels (B,), without gradients, as within a sampler."""
    guided = find_function("sampler", "guided_eps")
    model = AskedWithLabels(session.ask).to(session.device).eval()
    inputs: Tensors = {name: tensors[name].to(session.device) for name in ("x_t", "t", "labels")}
    manual_seed(seed)
    with no_grad():
        y = call(
            guided, "guided_eps(model, x_t, t, y, w, num_classes)", model, *inputs.values(), w, num_classes
        )  # fmt: skip
    same = {"the model's weights": not model.weight.any(), "the model's mode": not model.training}
    changed = [what for what, so in same.items() if not so]
    return {**describe(y), "changed": changed}, inputs | ({"y": y} if sendable(y) else {})
