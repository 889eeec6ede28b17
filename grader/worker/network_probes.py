"""What the judge asks of model.py: build it, call it, train it for a few steps, hand out its state."""

import math
from time import perf_counter, process_time
from typing import Any

import torch
from torch import Tensor, is_grad_enabled, manual_seed, nn, randn, set_grad_enabled
from torch.nn.functional import mse_loss

from assignment.ddpm.config import ModelConfig
from grader.worker import slopes as slopes_along
from grader.worker.adam import Adam
from grader.worker.angles import Angles
from grader.worker.as_real import as_real
from grader.worker.devices import NoMixing
from grader.worker.session import (
    ContractError,
    Result,
    Session,
    Tensors,
    call,
    defaults,
    describe,
    find_class,
    probe,
    sendable,
)
from grader.worker.statistics import kept_by_torch

# Like the imports above, bound before a submission is loaded: if it replaces torch's functions, these stay.
run_backward = torch.autograd.Variable._execution_engine.run_backward
get_rng_state = torch.default_generator.get_state
requires_grad_, named_parameters = Tensor.requires_grad_, nn.Module.named_parameters
INPUTS = ("x", "t", "labels")  # of forward; there need be no labels


def clock(session: Session) -> float:
    """Seconds, on a CPU divided among the threads."""
    return process_time() / torch.get_num_threads() if session.device.type == "cpu" else perf_counter()


def backward(y: Tensor, cotangent: Tensor) -> None:
    """y.backward(cotangent)"""
    run_backward((y,), (cotangent,), False, False, (), allow_unreachable=True, accumulate_grad=True)


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
                weights = as_real(p)
                scale = 0.2 * weights.square().mean().sqrt() + 0.2 / math.sqrt(fan_in)
                weights += scale * randn(weights.shape, generator=generator).to(weights)
    return {}, {}


@probe
def forward(
    session: Session, tensors: Tensors, *, name: str, seed: int = 0, autocast: bool = False, grad: bool = False
) -> Result:
    """One forward pass in eval mode: x (B, C, H, W), t (B,) → y, and inputs, generators and defaults afterwards.

    With labels (B,), if there are any, as forward's third argument; so in `steps` and `meta`.
    """
    model = session.networks[name].eval()
    inputs = {k: tensors[k].to(session.device) for k in INPUTS if k in tensors}
    manual_seed(seed)
    rng = get_rng_state()
    mode = is_grad_enabled()
    set_grad_enabled(grad)
    before = defaults()
    try:
        with torch.autocast(session.device.type, torch.bfloat16, enabled=autocast):
            y = model(*inputs.values())
        after = defaults()
    finally:
        set_grad_enabled(mode)
    back = {**inputs, "rng_before": rng, "rng_after": get_rng_state()}
    if sendable(y):
        back["y"] = y
    return {**describe(y), "defaults": [before, after]}, back


@probe
def angles(session: Session, tensors: Tensors, *, name: str) -> Result:
    """What sines and cosines are taken of in a forward pass in eval mode: x (B, C, H, W), t (B,) → (B, D) each."""
    x, t = (tensors[k].to(session.device) for k in ("x", "t"))
    with torch.no_grad(), Angles(len(x)) as seen:
        session.networks[name].eval()(x, t)
    return {}, seen.found


@probe
def modes(session: Session, tensors: Tensors, *, name: str, seeds: list[int]) -> Result:
    """x (B, C, H, W), t (B,) → y in eval mode, and in train mode with each seed; whether that wrote into buffers."""
    model = session.networks[name]
    x, t = (tensors[k].to(session.device) for k in ("x", "t"))
    with torch.no_grad():
        answers = {"eval": model.eval()(x, t)}
        before = [buffer.clone() for buffer in model.buffers()]
        for seed in seeds:
            manual_seed(seed)
            answers[f"train {seed}"] = model.train()(x, t)
        wrote = not all(map(torch.equal, before, model.buffers()))
    return {"wrote": wrote}, {k: y for k, y in answers.items() if sendable(y)}


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
    sent = (tensors[k].to(session.device) for k in ("noise", "x_t", "t", "labels") if k in tensors)
    for noise, *inputs in zip(*sent, strict=True):
        optimizer.keep()
        loss = mse_loss(model(*inputs).float(), noise)
        model.zero_grad(set_to_none=True)
        backward(loss, torch.ones_like(loss))
        for n, p in model.named_parameters() if gradients else ():
            if n in seen and p.grad is not None:
                nonzero, finite = bool(p.grad.any()), bool(p.grad.isfinite().all())
                seen[n] = [True, seen[n][1] or nonzero, seen[n][2] and finite]
        optimizer.put_back()
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
    inputs = [tensors[k].to("meta") for k in INPUTS if k in tensors]
    try:
        with torch.no_grad(), NoMixing():
            y = model(*inputs)
    except Exception as error:
        # operations that this device lacks altogether (.item(), data-dependent shapes) say nothing about the network
        if not isinstance(error, RuntimeError) or "device" not in str(error):
            return {"unsupported": f"{type(error).__name__}: {error}"[:200]}, {}
        raise
    return describe(y), {}
