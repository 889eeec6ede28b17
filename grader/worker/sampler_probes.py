"""What the judge asks of sampler.py: one step, a whole sampling; it answers itself in place of the network."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, equal, is_grad_enabled, manual_seed, nn

from assignment.ddpm.diffusion import GaussianDiffusion
from grader.worker.session import (
    Ask,
    ContractError,
    Result,
    Session,
    Tensors,
    call,
    describe,
    find_class,
    probe,
    sendable,
)

WIDTHS = (1, 64, 128, 256, 128, 64, 1)


def layers() -> nn.Sequential:
    """As many parameters as a network has. Draws no random numbers, which are the sampler's."""
    with torch.random.fork_rng(devices=[]):  # skip_init would need no restoring, but takes 0.4 s to import
        made = nn.Sequential(*(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(WIDTHS)))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in made.parameters():
            p.normal_(0.0, 0.02, generator=generator)
    return made


LAYERS = layers()


class AskedModel(nn.Module):
    """A network in whose place the judge answers. Layers that nothing goes through make it look like any other."""

    def __init__(self, ask: Ask) -> None:
        super().__init__()
        self.ask = ask
        self.weight = nn.Parameter(torch.zeros(1))
        self.layers = LAYERS

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        training = any(module.training for module in self.modules())
        facts = {"x": describe(x), "t": describe(t), "training": training, "grad": is_grad_enabled()}
        eps = self.ask(facts, {k: v for k, v in (("x", x), ("t", t)) if sendable(v)})
        return eps.to(self.weight.device) + 0 * self.weight


SCHEDULES = ("betas", "alphas", "alpha_bar", "sqrt_alpha_bar", "sqrt_one_minus_alpha_bar", "sqrt_recip_alpha",
             "posterior_variance")  # fmt: skip


@probe
def build_sampler(
    session: Session, tensors: Tensors, *, name: str, schedule: list[Any], shares_with: str | None = None,
    few: list[Any] | None = None,
) -> Result:  # fmt: skip
    """DDPMSampler(diffusion, device) on a schedule (T, beta_start, beta_end), or on another sampler's diffusion.

    With `few`, (steps, eta), it is DDIMSampler(diffusion, device, steps, eta).
    """
    T, beta_start, beta_end = schedule
    if shares_with is None:
        diffusion = GaussianDiffusion(T, beta_start, beta_end, session.device)
    else:
        diffusion = session.samplers[shares_with][1]
    kind, arguments = ("DDPMSampler", "") if few is None else ("DDIMSampler", ", steps, eta")
    build = find_class("sampler", kind)
    sampler, changed = _watched(
        diffusion,
        AskedModel(session.ask),
        lambda: call(build, f"{kind}(diffusion, device{arguments})", diffusion, session.device, *(few or ())),
    )
    for method in ("p_sample", "sample"):
        if not callable(getattr(sampler, method, None)):
            raise ContractError(f"{kind} has no method {method}")
    session.samplers[name] = sampler, diffusion
    return {"changed": changed}, {}


def _watched(diffusion: GaussianDiffusion, model: AskedModel, run: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Run, and name what changed in the schedule and the model."""

    def snapshot() -> dict[str, Any]:
        return {
            **{f"diffusion.{k}": _copied(getattr(diffusion, k, None)) for k in SCHEDULES},
            "diffusion.num_timesteps": diffusion.num_timesteps,
            "the model's weights": model.weight.detach().clone(),
            "the model's requires_grad": model.weight.requires_grad,
            "the model's device": str(model.weight.device),
        }

    before = snapshot()
    y = run()
    after = snapshot()
    return y, [k for k, v in before.items() if not _same(v, after[k])]


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _same(a: Any, b: Any) -> bool:
    """torch.equal alone takes 1 for 1.0."""
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return bool(a is b or (type(a) is type(b) and a == b))
    return a.dtype == b.dtype and a.device == b.device and equal(a, b)


@probe
def p_sample(session: Session, tensors: Tensors, *, name: str, seed: int) -> Result:
    """One reverse step on x_t (B, C, H, W), t (B,), and t_prev if given; the judge answers in place of the model."""
    sampler, diffusion = session.samplers[name]
    model = AskedModel(session.ask).to(session.device).eval()
    inputs: Tensors = {k: tensors[k].to(session.device) for k in ("x_t", "t", "t_prev") if k in tensors}
    manual_seed(seed)
    what = f"p_sample(model, {', '.join(inputs)})"
    y, changed = _watched(diffusion, model, lambda: call(sampler.p_sample, what, model, *inputs.values()))
    return {**describe(y), "changed": changed}, inputs | ({"y": y} if sendable(y) else {})


@probe
def sample(session: Session, tensors: Tensors, *, name: str, shape: list[int], seed: int | None) -> Result:
    """A whole sampling with a model left in train mode; without a seed the generator continues as it is."""
    sampler, diffusion = session.samplers[name]
    model = AskedModel(session.ask).to(session.device).train()
    if seed is not None:
        manual_seed(seed)
    y, changed = _watched(diffusion, model, lambda: call(sampler.sample, "sample(model, shape)", model, tuple(shape)))
    return {**describe(y), "changed": changed}, {"y": y} if sendable(y) else {}
