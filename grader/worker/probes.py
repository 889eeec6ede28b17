"""Probes run beside the student's code: they do what the judge asks, and return tensors and events, never a verdict.

A probe is a function (session, tensors, **arguments) → (values, tensors). Values are JSON; all judging happens
elsewhere.
"""

import importlib
import math
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

import torch
from torch import Tensor, equal, is_grad_enabled, manual_seed, nn, randn, set_grad_enabled
from torch.nn.functional import mse_loss

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.worker import slopes as slopes_along
from grader.worker.angles import Angles
from grader.worker.devices import NoMixing
from grader.worker.statistics import kept_by_torch

# Like the imports above, bound before a submission is loaded: if it replaces torch's functions, these stay.
get_rng_state = torch.default_generator.get_state
run_backward = torch.autograd.Variable._execution_engine.run_backward
requires_grad_, named_parameters = Tensor.requires_grad_, nn.Module.named_parameters
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


class Adam:
    """Kingma & Ba 2014, algorithm 1; the same as torch.optim.Adam, whose first use imports the compiler for 3 s."""

    def __init__(self, parameters: list[nn.Parameter], lr: float) -> None:
        self.parameters, self.lr, self.count = parameters, lr, 0
        self.mean, self.square = ([torch.zeros_like(p) for p in parameters] for _ in range(2))

    @torch.no_grad()
    def put(self, values: list[Tensor]) -> None:
        for p, value in zip(self.parameters, values, strict=True):
            p.copy_(value)

    @torch.no_grad()
    def step(self) -> None:
        self.count += 1
        for p, m, v in zip(self.parameters, self.mean, self.square, strict=True):
            if p.grad is not None:
                m.lerp_(p.grad, 1 - 0.9)
                v.mul_(0.999).addcmul_(p.grad, p.grad, value=1 - 0.999)
                size = v.sqrt().div_((1 - 0.999**self.count) ** 0.5).add_(1e-8)
                p.addcdiv_(m, size, value=-self.lr / (1 - 0.9**self.count))


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


def clock(session: Session) -> float:
    """Seconds, on a CPU divided among the threads."""
    return process_time() / torch.get_num_threads() if session.device.type == "cpu" else perf_counter()


def backward(y: Tensor, cotangent: Tensor) -> None:
    """y.backward(cotangent)"""
    run_backward((y,), (cotangent,), False, False, (), allow_unreachable=True, accumulate_grad=True)


def describe(y: Any) -> dict[str, Any]:
    """Facts about an answer, for the judge to compare with the contract."""
    if not isinstance(y, Tensor):
        return {"type": type(y).__name__}
    kind = "Tensor" if type(y) is Tensor else f"{type(y).__module__}.{type(y).__name__}"
    return {"type": kind, "shape": list(y.shape),
            "dtype": str(y.dtype), "device": y.device.type, "requires_grad": y.requires_grad}  # fmt: skip


def sendable(y: Any) -> bool:
    return isinstance(y, Tensor) and y.layout == torch.strided and not y.is_complex() and not y.is_meta


# ---- the network


@probe
def build(session: Session, tensors: Tensors, *, name: str, config: dict[str, Any], seed: int) -> Result:
    """Import model.py, build DiffusionModel(config) on the device, in train mode as torch leaves it."""
    before = defaults()
    manual_seed(seed)
    model = call(find_class("model", "DiffusionModel"), "DiffusionModel(config)", ModelConfig(**config))
    if not isinstance(model, nn.Module):
        raise ContractError(f"DiffusionModel is a {type(model).__name__}, not a torch.nn.Module")
    rng = get_rng_state()
    session.networks[name] = model.to(session.device)
    session.optimizers.pop(name, None)
    batch_norms = [n for n, m in model.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    return {
        "parameters": [[n, p.numel(), p.requires_grad] for n, p in model.named_parameters()],
        "batch_norms": batch_norms, "defaults": [before, defaults()],
    }, {"rng": rng}  # fmt: skip


@probe
def perturb(session: Session, tensors: Tensors, *, name: str, seed: int) -> Result:
    """Add noise to every trainable parameter, so that zero-initialised layers let something through."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in session.networks[name].parameters():
            if p.requires_grad:
                fan_in = max(1, p.numel() // len(p)) if p.ndim > 1 else 16
                scale = 0.2 * p.square().mean().sqrt() + 0.2 / math.sqrt(fan_in)
                weights: Tensor = p
                weights += scale * randn(p.shape, generator=generator).to(p)
    return {}, {}


@probe
def forward(
    session: Session, tensors: Tensors, *, name: str, seed: int = 0, autocast: bool = False, grad: bool = False
) -> Result:
    """One forward pass in eval mode: x (B, C, H, W), t (B,) → y, and inputs, generators and defaults afterwards."""
    model = session.networks[name].eval()
    x, t = (tensors[k].to(session.device) for k in ("x", "t"))
    manual_seed(seed)
    rng = get_rng_state()
    mode = is_grad_enabled()
    set_grad_enabled(grad)
    before = defaults()
    try:
        with torch.autocast(session.device.type, torch.bfloat16, enabled=autocast):
            y = model(x, t)
        after = defaults()
    finally:
        set_grad_enabled(mode)
    back = {"x": x, "t": t, "rng_before": rng, "rng_after": get_rng_state()}
    if sendable(y):
        back["y"] = y
    return {**describe(y), "defaults": [before, after]}, back


@probe
def angles(session: Session, tensors: Tensors, *, name: str) -> Result:
    """What sines and cosines are taken of in a forward pass in eval mode: x (B, C, H, W), t (B,) → (B, D) each."""
    x, t = (tensors[k].to(session.device) for k in ("x", "t"))
    with torch.no_grad(), Angles(len(x)) as seen:
        session.networks[name].eval()(x, t)
    return {}, {str(i): angle for i, angle in enumerate(seen.found)}


@probe
def flow(session: Session, tensors: Tensors, *, name: str, seed: int) -> Result:
    """Backward from a random cotangent (B, C, H, W) to x, in train mode, with gradients on as in training."""
    model = session.networks[name].train()
    x = requires_grad_(tensors["x"].to(session.device))
    manual_seed(seed)
    y = model(x, tensors["t"].to(session.device))
    if not y.requires_grad:
        return {"requires_grad": False}, {}
    backward(y, tensors["cotangent"].to(y))
    return {"requires_grad": True}, {} if x.grad is None else {"gradient": x.grad}


@probe
def slopes(session: Session, tensors: Tensors, *, name: str, seed: int, step: float, train: bool) -> Result:
    """How the output times a cotangent changes along random directions: autograd's word, and outputs on either side."""
    model = session.networks[name].train(train)
    x = requires_grad_(tensors["x"].to(session.device))
    t, cotangent = (tensors[k].to(session.device) for k in ("t", "cotangent"))
    reported, repeats, forth, back = slopes_along.measure(
        model, x, t, lambda y: backward(y, cotangent.to(y)), seed=seed, step=step
    )
    return {"reported": reported, "repeats": repeats}, {"forth": forth, "back": back}


@probe
def kinds(session: Session, tensors: Tensors, *, name: str, seed: int) -> Result:
    """Which entries of the state dict training moves, and which buffers torch.nn itself keeps, as x and t show."""
    model = session.networks[name].train()
    manual_seed(seed)
    x, t = (tensors[k].to(session.device) for k in ("x", "t"))
    trained = [n for n, p in named_parameters(model, remove_duplicate=False) if p.requires_grad]
    return {"trained": trained, "statistics": kept_by_torch(model, x, t)}, {}


@probe
def steps(
    session: Session, tensors: Tensors, *, name: str, seed: int, learning_rate: float, gradients: bool = False
) -> Result:
    """K optimiser steps on x_t, t, noise (K, B, …); the optimiser's state is kept between calls.

    Only these steps move trainable parameters: what forward itself writes into them is taken back, as memory of images.
    `gradients`: also report for each trainable parameter whether a gradient came, was ever non-zero, was always finite.
    `seconds` that the steps took: on a CPU those for which it worked, in all threads, whoever else was waiting for it.
    """
    model = session.networks[name].train()
    if name not in session.optimizers:
        trainable = [p for p in model.parameters() if p.requires_grad]
        session.optimizers[name] = Adam(trainable, lr=learning_rate)
    optimizer = session.optimizers[name]
    seen = {n: [False, False, True] for n, p in model.named_parameters() if p.requires_grad} if gradients else {}
    manual_seed(seed)
    losses, start = [], clock(session)
    for x_t, t, noise in zip(*(tensors[k].to(session.device) for k in ("x_t", "t", "noise")), strict=True):
        values = [p.detach().clone() for p in optimizer.parameters]
        loss = mse_loss(model(x_t, t).float(), noise)
        model.zero_grad(set_to_none=True)
        backward(loss, torch.ones_like(loss))
        for n, p in model.named_parameters() if gradients else ():
            if n in seen and p.grad is not None:
                nonzero, finite = bool(p.grad.any()), bool(p.grad.isfinite().all())
                seen[n] = [True, seen[n][1] or nonzero, seen[n][2] and finite]
        optimizer.put(values)
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "gradients": seen, "seconds": clock(session) - start}, {}


@probe
def state(session: Session, tensors: Tensors, *, name: str) -> Result:
    """The state dict; entries that share memory are sent separately, and parameters as they are, whatever it says."""
    model = session.networks[name]
    found = {k: v for k, v in model.state_dict().items() if isinstance(v, Tensor)}
    found |= {k: p for k, p in named_parameters(model, remove_duplicate=False) if k in found}
    return {}, {k: v.detach().clone() for k, v in found.items()}


@probe
def load_state(session: Session, tensors: Tensors, *, name: str) -> Result:
    session.networks[name].load_state_dict(tensors)
    return {}, {}


@probe
def meta(session: Session, tensors: Tensors, *, name: str, config: dict[str, Any]) -> Result:
    """Run on torch's meta device: a tensor made without a device, or kept as an attribute, stays on the CPU."""
    model = find_class("model", "DiffusionModel")(ModelConfig(**config)).to("meta").eval()
    x, t = (tensors[k].to("meta") for k in ("x", "t"))
    try:
        with torch.no_grad(), NoMixing():
            y = model(x, t)
    except Exception as error:
        # operations that this device lacks altogether (.item(), data-dependent shapes) say nothing about the network
        if not isinstance(error, RuntimeError) or "device" not in str(error):
            return {"unsupported": f"{type(error).__name__}: {error}"[:200]}, {}
        raise
    return describe(y), {}


# ---- the sampler


class AskedModel(nn.Module):
    """A network in whose place the judge answers. Its one parameter makes it look like any other."""

    def __init__(self, ask: Ask) -> None:
        super().__init__()
        self.ask = ask
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        facts = {"x": describe(x), "t": describe(t), "training": self.training, "grad": is_grad_enabled()}
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
