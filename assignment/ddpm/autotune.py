"""Which setting runs this network fastest on this machine? `auto` measures it, instead of guessing.

A few training steps on a copy of the network, in the settings that could pay off on the device, in turn: a machine that
slows down meanwhile slows them all. A setting counts only if output and gradients equal the plain ones, up to the
rounding of its precision. The result is cached for the network and the machine.
"""

import os
import time
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import nn

from assignment.ddpm.config import RuntimeConfig
from assignment.ddpm.device import half_precision
from assignment.ddpm.measured_once import measured_once
from assignment.ddpm.race import Race
from assignment.ddpm.runner import PLAIN, Setting

SHORT = 60.0  # seconds: shorter runs are not worth measuring for
LONG = 300.0  # seconds: compiling, which takes most of a minute, is tried only for longer runs


@dataclass(frozen=True)
class Tuned:
    setting: Setting
    sampling: Setting  # without gradients, when samples are drawn
    reason: str  # printed with it
    step_seconds: float | None  # of a training step in this setting; None if none was timed
    measured: dict[str, str]  # every setting tried: its speed, as a multiple of the plain one, or why it was left out

    def __str__(self) -> str:
        return f"{self.setting} ({self.reason})"


def tune(
    model: nn.Module, runtime: RuntimeConfig, shape: tuple[int, int, int, int], device: torch.device, *, steps: int,
    seconds: float | None = None, about: object = None, num_classes: int | None = None,
) -> Tuned:  # fmt: skip
    """The fastest setting for training steps on batches of `shape` (B, C, H, W). The network stays unchanged.

    Args:
        runtime: values other than `auto` are used as they are
        steps: how many the run takes
        seconds: after which the run ends, however many steps are left
        about: identifies the network in the cache; None: don't use the cache
        num_classes: of the labels that the network is called with; None: without
    Raises:
        whatever the network raises in the plain setting
    """
    plain, choices = _configured(runtime, device), _choices(runtime, device)
    # First, whether to measure at all: it costs seconds, and saves a share of the time ahead.
    if not any(choices.values()):
        return Tuned(plain, replace(plain, compile=False), "as configured", None, {})

    race = Race(model, plain, shape, device, num_classes=num_classes)
    plain_step = race.seconds * shape[0] / race.images  # seconds for a whole batch, from one of race.images
    ahead = min(plain_step * steps, float("inf") if seconds is None else seconds)
    if ahead < SHORT:
        too_short = "the plain way: the run is too short to measure others"
        return Tuned(plain, replace(plain, compile=False), too_short, plain_step, {})
    if ahead < LONG:
        choices["compile"] = []

    def for_sampling(best: Setting) -> Setting:
        """What pays in training need not pay without gradients: raced anew, against the plain way."""
        simple = replace(plain, compile=False)
        others = (replace(a, threads=b.threads) for a in (best, simple) for b in (best, simple))
        race = Race(model, simple, shape, device, num_classes=num_classes, training=False)
        return race.of(dict.fromkeys([simple, *others]))

    def measure() -> dict[str, Any]:
        # One part of the setting after the other, each starting from the best so far: of all combinations there are up
        # to 24 on a CPU.
        started = time.monotonic()
        # threads first: where too many wait for a core, nothing else can be measured
        best = race.of([plain, *(replace(plain, threads=n) for n in choices["threads"])])
        race.fit(best)  # other threads, another speed: as many images as can now be timed well
        best = race.of([best, *(replace(best, precision=p) for p in choices["precision"])])
        # in combination, as the memory layout may decide which kernel is faster
        kernels = [best.attention, *(choices["attention"] if race.attends else [])]
        layouts = product([best.channels_last, *choices["channels_last"]], kernels)
        best = race.of([replace(best, channels_last=c, attention=a) for c, a in layouts])
        uncompiled = best
        best = race.of([best, *(replace(best, compile=c) for c in choices["compile"])])
        return {
            "setting": _to_json(best), "sampling": _to_json(for_sampling(uncompiled)),
            "speed": race.speed[best], "images": race.images,
            "took": time.monotonic() - started, "measured": {str(s): says for s, says in race.says.items()},
        }  # fmt: skip

    # a busy machine is another machine, and a long run may choose what a short one may not
    key = (about, vars(runtime), shape, str(device), ahead < LONG, machine_is_busy())
    found = measure() if about is None else measured_once("speed", key, measure, _is_whole)
    best = _from_json(found["setting"])
    beside = "the plain way, as nothing was faster" if best == plain else f"{found['speed']:.2f} × the plain way"
    how = f"measured on {found['images']} images in {found['took']:.0f} s"
    return Tuned(
        best, _from_json(found["sampling"]), f"{beside}, {how}", plain_step / found["speed"], found["measured"]
    )  # fmt: skip


def machine_is_busy() -> bool:
    """Whether other programs use more than half of the cores: then other settings are the fastest."""
    # processes that run or wait for a core, averaged over the last minute
    return os.getloadavg()[0] > 0.5 * (os.cpu_count() or 1)


def _configured(runtime: RuntimeConfig, device: torch.device) -> Setting:
    """The plain setting, except for what is configured."""
    given = {key: value for key, value in vars(runtime).items() if key != "device" and value != "auto"}
    if "precision" in given:
        given["precision"] = getattr(torch, given["precision"])  # "bfloat16" → torch.bfloat16
    if device.type == "cpu":
        given.setdefault("threads", torch.get_num_threads())  # spelt out, to be printed and raced against others
    return replace(PLAIN, **given)


def _choices(runtime: RuntimeConfig, device: torch.device) -> dict[str, list[Any]]:
    """For each part of a setting, the values that could pay off on the device; none if it is configured.

    Not measured on MPS yet, where a missing kernel can end the process.
    """
    half = half_precision(device)
    threads = torch.get_num_threads()
    # No compiling on a CPU: it would take most of a minute before it could even be measured.
    could_pay: dict[str, dict[str, list[Any]]] = {
        "cpu": {
            "precision": [half.value] if half.value else [], "channels_last": [True], "attention": ["math"],
            "threads": sorted({max(1, threads // 4), 1} - {threads}),  # fewer than now, never more
        },
        "cuda": {"precision": [half.value], "channels_last": [True], "compile": [True]},
    }  # fmt: skip
    here = could_pay.get(device.type, {})
    return {
        key: here.get(key, []) if getattr(runtime, key) == "auto" else []
        for key in ("precision", "channels_last", "attention", "threads", "compile")
    }


def _to_json(setting: Setting) -> dict[str, Any]:
    # JSON has no dtypes: torch.bfloat16 → "bfloat16", and back by name
    return vars(setting) | {"precision": str(setting.precision).removeprefix("torch.")}


def _from_json(values: dict[str, Any]) -> Setting:
    """Raises KeyError, TypeError or AttributeError if it is not a setting."""
    return Setting(**values | {"precision": getattr(torch, values["precision"])})


def _is_whole(kept: dict[str, Any]) -> bool:
    """Raises as _from_json does."""
    return all(_from_json(kept[key]) for key in ("setting", "sampling"))
