"""NaN and infinity, in any input of any check: none passes. A check without an example here fails the last test."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

import grader.checks
from grader.checks.beats_reference import Comparison
from grader.checks.channels import Effects
from grader.checks.ddim_formulas import ddim_mean, ddim_sigma, expected_moments
from grader.checks.ddim_step import Jump
from grader.checks.deviations import Deviation
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.gaussian_world import GaussianOracle
from grader.checks.gradients import Slopes
from grader.checks.guidance_formulas import Guided, Question
from grader.checks.measure_step import Step, inside_inputs, outside_inputs
from grader.checks.samplings import Judged
from grader.checks.schedule import Schedule
from grader.checks.step_formulas import eps_form, sigma_beta
from grader.checks.subsequence import Subsequence
from grader.checks.transitions import FORMS
from grader.student.moved_pixels import moves
from tests.support.strategies import NOT_NUMBERS

Example = tuple[tuple[Any, ...], dict[str, Any]]
S = Schedule(20, 0.01, 0.4)
FACTS = {"type": "Tensor", "shape": [4, 1, 8, 8], "dtype": "torch.float32", "device": "cpu", "requires_grad": False}

# What a check is handed only to speak of it, or does not look into, and why: nothing is decided by it.
WORDS_ONLY = {
    ("check_beats", "along"): "where the reference stood after so many epochs: for the hint",
    ("check_overfits", "times"): "how slow a step is: for the hint",
    ("check_clean", "of_real"): "for the message",
    ("check_new", "of_real"): "for the message",
    ("check_images", "came"): "about its form; check_finite_images is next",
    ("check_output", "came"): "about its form; check_finite is next",
    ("check_shape", "y"): "about its shape; check_finite is next",
    ("check_floating", "y"): "about its dtype; check_finite is next",
    ("check_wished", "w"): "for the message",
    ("check_end", "others"): "by which a mistake is told from others: for the hint",
}
# Those that get no number at all.
WITHOUT_NUMBERS = {
    "check_own_work", "check_defaults", "check_trainable", "check_order", "check_timestep_tensors", "check_eval",
    "check_no_grad", "check_left_alone", "check_asks", "check_inputs_left",
    "check_rng_untouched", "check_not_reseeded", "check_timesteps",
}  # fmt: skip


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@cache
def steps(inside: bool) -> list[Step]:
    g, made = torch.Generator().manual_seed(1), []
    for t in (1, 10):
        shape = (4, 1, 64, 64)
        x, eps = inside_inputs(S, t, shape, g) if inside else outside_inputs(shape, g)
        made.append(
            Step(S, t, x, eps, (eps_form(S, t, x, eps) + sigma_beta(S, t) * noise(*shape, seed=100 + t)).float())
        )
    return made


def comparison() -> Comparison:
    return Comparison(-0.02, 0.001, 0.002, 0.1, 0.102, [(-0.02, 0.001), (-0.02, 0.001)], 4096)


def gaussian_samples() -> Example:
    oracle = GaussianOracle(S, -0.35, 0.15)
    mean, std = oracle.expected_moments("beta")
    z = noise(1 << 15)
    return ((mean + std * (z - z.mean()) / z.std()).view(32, 1, 32, 32), oracle), {}


def last_step() -> Example:
    x, eps = inside_inputs(S, 0, (4, 1, 8, 8), torch.Generator().manual_seed(1))
    out = eps_form(S, 0, x, eps)
    return (S, x, eps, out, out), {}


def mixed() -> Example:
    t, (x, eps) = [0, 5], inside_inputs(S, 5, (2, 1, 32, 32), torch.Generator().manual_seed(1))
    alone = {step: noise(4, 2, 1, 32, 32, seed=step) for step in t}
    both = torch.stack([alone[0][:, 0], alone[5][:, 1]], 1)
    return (t, x, eps, both, alone), {}


def learnt() -> Example:
    eps, x_0, bar = noise(8, 1, 8, 8), noise(8, 1, 8, 8, seed=1).clamp(-1, 1), torch.full((8,), 0.5)
    return (eps, eps.clone(), x_0, bar.sqrt().view(-1, 1, 1, 1) * (x_0 + eps), bar), {}


def whole_range() -> Example:
    y = torch.linspace(1, 2, 3).view(3, 1, 1, 1) * noise(1, 1, 8, 8)
    return (y, [0, 1, 9], [0, 1], torch.stack([y[:2], y[:2]], 1)), {}


def moved_pixels() -> Example:
    moved = moves(3, 16, torch.Generator().manual_seed(0))
    x = torch.zeros(len(moved), 3, 16, 16)
    for i, move in enumerate(moved):
        x[i][move.at] = 1
    kernel, channels = noise(3, 3, 3, 3, seed=1), torch.eye(3)[:, :, None, None] * noise(16, 16)
    seen = [torch.nn.functional.conv2d(each, kernel, padding=1) for each in (x, channels)]
    return (Effects(moved, *seen),), {}


def slopes() -> Example:
    found = noise(11).double()
    return (Slopes(found.clone(), found, 3, True),), {}


def needs_t() -> Example:
    x, one, other = (noise(16, 1, 4, 4, seed=seed) for seed in (1, 2, 3))
    return ({"increase": 1.0, "standard_errors": 100.0}, x, one, other), {}


def denoises() -> Example:
    return (torch.full((40,), 0.5), torch.ones(40), torch.arange(0, 1000, 25), 1000, [1.0] * 4), {}


def by_heart() -> Example:
    parts, bins = noise(60).abs() + 1, torch.arange(60) % 3
    return (parts, parts.clone(), bins, bins), {}


def samplings() -> Example:
    judged = [Judged("T = 20", 20, {FORMS[0]: Deviation(0.5, "the mean", "t = 3")})]
    return (judged, {FORMS[0]}), {}


def traces() -> Example:
    return tuple(SimpleNamespace(x=[noise(2, 1, 8, 8, seed=k), noise(2, 1, 8, 8, seed=k + 5)]) for k in (1, 2, 3)), {}


WORLD, FEW = GaussianOracle(S, -0.35, 0.15), Subsequence.of(S, [0, 6, 12, 19], 0.0)


def jumps(eta: float, t_prev: int = 3, *, inside: bool = True) -> list[Jump]:
    s, shape, g = Subsequence.jump(S, 9, t_prev, eta), (4, 1, 64, 64), torch.Generator().manual_seed(1)
    x, eps = inside_inputs(S, 9, shape, g) if inside else outside_inputs(shape, g)
    out = ddim_mean(s, s.last, x, eps) + ddim_sigma(s, s.last) * noise(*shape, seed=5)
    return [Jump(s, s.last, x, eps, out.float())]


def few_samples() -> tuple[Any, ...]:
    mean, std = expected_moments(FEW, WORLD)
    z = noise(8, 1, 64, 64)
    return mean + std * (z - z.mean()) / z.std(), FEW, WORLD


def decoded() -> Tensor:
    """What DDIM without noise makes of x_T = 0."""
    x = torch.zeros(2, 1, 8, 8)
    for i in reversed(range(FEW.T)):
        x = ddim_mean(FEW, i, x, WORLD(x, FEW.timesteps[i]))
    return x


QUESTION = Question(noise(4, 1, 8, 8), torch.arange(4), torch.tensor([0, 1, 2, 2]), noise(4, 3, 1, 8, 8, seed=1))


def guided(*ws: float) -> list[Guided]:
    """Right answers, the first two labelled with classes and the others with none."""
    return [Guided(QUESTION, w, QUESTION.mixed((w, 1 - w)).float()) for w in ws]


def by_label() -> Example:
    return (noise(2, 26, 1, 8, 8),), {}


Y = noise(4, 1, 8, 8)
# a right call of each check: one that passes
EXAMPLES: dict[str, Callable[[], Example]] = {
    "check_deterministic": lambda: ((Y, [Y, Y.clone()], "cpu"), {}),
    "check_no_hidden_state": lambda: (([Y, Y[:2]], [Y.clone(), Y[:2].clone()], "cpu"), {}),
    "check_inputs_unchanged": lambda: (({"x": Y, "t": torch.arange(4)}, {"x": Y.clone(), "t": torch.arange(4)}), {}),
    "check_registered": lambda: ((Y, Y.clone()), {}),
    "check_uses_every_t": lambda: ((Y, Y.clone(), [0, 1, 2, 3]), {}),
    "check_depends_on_t": lambda: ((Y, -Y, 10), {}),
    "check_whole_range": whole_range,
    "check_independent": lambda: ((Y, Y.clone()), {}),
    "check_channels": moved_pixels,
    "check_neighbours": moved_pixels,
    "check_slopes": slopes,
    "check_wrong_t_costs": lambda: ((torch.full((4,), 0.1), torch.full((4,), 0.3), 0.3), {}),
    "check_needs_t": needs_t,
    "check_learns_t": lambda: ((0.5, 40), {}),
    "check_denoises": lambda: (
        (torch.full((40,), 0.5), torch.ones(40), torch.arange(0, 1000, 25), 1000, [1.0] * 4),
        {},
    ),
    "check_same_alone": lambda: ((Y, Y.clone(), Y.clone()), {}),
    "check_none_by_heart": by_heart,
    "check_flow": lambda: ((True, Y), {}),
    "check_overfits": lambda: ((0.1, 0.5, 0.9, 300), {"times": 1.0}),
    "check_predicts_noise": learnt,
    "check_not_squashed": lambda: ((noise(4, 1, 32, 32), noise(4, 1, 32, 32)), {}),
    "check_output": lambda: ((FACTS, Y, (4, 1, 8, 8), torch.float32, "cpu"), {}),
    "check_shape": lambda: ((FACTS, Y, (4, 1, 8, 8)), {}),
    "check_floating": lambda: ((Y,), {}),
    "check_finite": lambda: ((Y, "of the output"), {}),
    "check_same_loss": lambda: ((torch.ones(4), torch.ones(4)), {}),
    "check_beats": lambda: ((comparison(), 3, [0, 500, 1000], [{"epoch": 1.0, "loss": 0.2}], ""), {}),
    "check_new_images": lambda: ((comparison(), comparison()), {}),
    "check_generalises": lambda: ((comparison(), comparison()), {}),
    "check_sound": lambda: ((Y.clamp(-1, 1),), {}),
    "check_classes": lambda: (([0.3, 0.3, 0.4], 0.02, 0.5, 0), {}),
    "check_confidence": lambda: ((0.9, 0.95, 0.8), {}),
    "check_clean": lambda: ((0.05, "noise", 0.01, 0.16), {}),
    "check_fid": lambda: ((12.0, 3.0, 14.0, ""), {}),
    "check_new": lambda: ((0.01, 0.02, 0.15), {}),
    "check_mean": lambda: ((steps(True), steps(False)), {}),
    "check_variance": lambda: ((steps(True),), {}),
    "check_gaussian": lambda: ((steps(True),), {}),
    "check_fresh_noise": lambda: ((noise(4, 3, 2, 16, 16),), {}),
    "check_last_step": last_step,
    "check_mixed_t": mixed,
    "check_starting_noise": lambda: ((noise(8, 3, 16, 16),), {}),
    "check_images": lambda: (("sample", FACTS, Y, (4, 1, 8, 8), "cpu"), {}),
    "check_finite_images": lambda: ((Y, "in the samples"), {}),
    "check_range": lambda: ((torch.linspace(-1, 1, 64).view(1, 1, 8, 8),), {}),
    "check_reproducible": lambda: ((Y, Y.clone()), {}),
    "check_not_repeated": traces,
    "check_samplings": samplings,
    "check_end_to_end": gaussian_samples,
    "check_result": lambda: ((jumps(0.5, t_prev=-1)[0],), {}),
    "check_moments": lambda: (few_samples(), {}),
    "check_back": lambda: ((Y, Y.clone(), FEW), {}),
    "check_decoded": lambda: ((torch.zeros(2, 1, 8, 8), decoded(), FEW, WORLD), {}),
    "check_end": lambda: ((guided(0.0)[0], guided(1.0, 2.5)), {}),
    "check_affine": lambda: ((guided(0.0, 1.0, 2.5),), {}),
    "check_null_label": lambda: ((guided(1.5, 2.5),), {}),
    "check_same_again": lambda: ((*guided(2.5), *guided(1.5), *guided(2.5)), {}),
    "check_own_label": lambda: ((guided(2.5)[0], list(guided(2.5)[0].out.split(1))), {}),
    "check_guided": lambda: ((FACTS, Y, (4, 1, 8, 8), "cpu"), {}),
    "check_none_is_no_class": lambda: ((Y, Y.clone(), 3), {}),
    "check_every_label": by_label,
    "check_names": by_label,
    "check_learnt": lambda: ((torch.tensor([0.1, 0.2, 0.3]), 100), {}),
    "check_uses_labels": lambda: ((noise(64).abs(), noise(64).abs() + 1 + 0.1 * noise(64, seed=1)), {}),
    "check_near_reference": lambda: ((0.08, 0.079), {}),
    "check_rises": lambda: (({0.0: 0.1, 1.0: 0.9, 3.0: 1.0}, 256), {}),
    "check_wished": lambda: ((0.99, 0.97, 3.0, [1.0, 0.98]), {}),
    "check_varied": lambda: ((0.9,), {}),
    "check_is_ddpm": lambda: ((0.5, Judged("T = 20", 20, {("eps form", "beta-tilde"): Deviation(0.5, "it")})), {}),
}


def check_order_example() -> Example:
    return (Y[[1, 0, 2, 3]], Y, [1, 0, 2, 3]), {}


def checks() -> dict[str, Callable[..., Any]]:
    """Every function of grader/checks that judges, as module.name."""
    found = {}
    for info in pkgutil.iter_modules(grader.checks.__path__):
        module = importlib.import_module(f"grader.checks.{info.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("check_") and function.__module__ == module.__name__:
                found[f"{info.name}.{name}"] = function
    return found


# where a name occurs twice
EXAMPLES_BY_MODULE = {"conditioning.check_order": check_order_example} | {
    f"ddim_step.{name}": example for name, example in {
        "check_mean": lambda: ((jumps(0.5), jumps(0.5, inside=False)), {}),
        "check_variance": lambda: ((jumps(0.5),), {}),
        "check_deterministic": lambda: (([(jumps(0.0)[0],) * 2],), {}),
        "check_last_step": lambda: (([(jumps(0.5, t_prev=-1)[0],) * 2],), {}),
    }.items()
} | {"labels.check_own_label": lambda: ((Y, Y.clone(), [0, 1, 2, 3]), {})}  # fmt: skip


def example_of(full: str) -> Callable[[], Example] | None:
    return EXAMPLES_BY_MODULE.get(full) or EXAMPLES.get(full.split(".")[1])


def poisoned(value: Any, number: float) -> Iterator[Any]:
    """The value with a number, an element of a tensor, or all of a tensor replaced."""
    if isinstance(value, Tensor) and value.is_floating_point():
        for where in (slice(0, 1), slice(value.numel() // 2, value.numel() // 2 + 1), slice(-1, None), slice(None)):
            bad = value.clone().flatten()
            bad[where] = number
            yield bad.view(value.shape)
    elif isinstance(value, float):
        yield number
    elif isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        for i, one in enumerate(value):
            yield from (type(value)([*value[:i], bad, *value[i + 1 :]]) for bad in poisoned(one, number))
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from ({**value, key: bad} for bad in poisoned(one, number))
    elif isinstance(value, SimpleNamespace):
        for key, one in vars(value).items():
            yield from (SimpleNamespace(**vars(value) | {key: bad}) for bad in poisoned(one, number))
    elif is_dataclass(value) and not isinstance(value, (Schedule, type)):
        for field in fields(value):
            for bad in poisoned(getattr(value, field.name), number):
                yield replace(value, **{field.name: bad})


def arguments(full: str) -> inspect.BoundArguments:
    args, options = example_of(full)()
    return inspect.signature(checks()[full]).bind(*args, **options)


NUMERIC = [full for full in checks() if example_of(full)]


@pytest.mark.parametrize("full", NUMERIC)
def test_each_example_passes(full):
    bound = arguments(full)
    checks()[full](*bound.args, **bound.kwargs)


@pytest.mark.parametrize("number", NOT_NUMBERS, ids=str)
@pytest.mark.parametrize("full", NUMERIC)
def test_no_check_passes_on_what_is_not_a_number(full, number):
    tried = 0
    for name, value in arguments(full).arguments.items():
        if (full.split(".")[1], name) in WORDS_ONLY:
            continue
        for bad in poisoned(value, number):
            bound = arguments(full)
            bound.arguments[name] = bad
            tried += 1
            with pytest.raises((CheckFailed, NotJudged)):
                checks()[full](*bound.args, **bound.kwargs)
    assert tried or full.split(".")[1] in {check for check, _ in WORDS_ONLY}


def test_every_check_has_an_example_or_gets_no_number():
    assert [full for full in checks() if not example_of(full) and full.split(".")[1] not in WITHOUT_NUMBERS] == []
    known = {full.split(".")[1] for full in checks()}
    assert set(EXAMPLES) | WITHOUT_NUMBERS | {name for name, _ in WORDS_ONLY} <= known
