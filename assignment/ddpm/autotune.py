"""Which setting runs this network fastest on this machine? `auto` measures it, instead of guessing.

A few training steps of the network itself, on a copy of it, in the settings that could pay on the device, turn by turn:
a machine that slows down meanwhile slows them all. A setting counts only where answer and gradients are the plain
ones, up to the rounding of its precision. What was measured is kept for the network and the machine.
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

SHORT = 60.0  # seconds: a run that is over sooner in the plain way is not worth measuring for
LONG = 300.0  # … and compiling, which takes most of a minute, is tried for longer ones only


@dataclass(frozen=True)
class Tuned:
    setting: Setting
    reason: str
    step_seconds: float | None  # of a training step in it, where one was timed
    measured: dict[str, str]  # every setting that was tried: so many times the plain speed, or why it was left out

    def __str__(self) -> str:
        return f"{self.setting} ({self.reason})"


def tune(
    model: nn.Module, runtime: RuntimeConfig, shape: tuple[int, int, int, int], device: torch.device, *, steps: int,
    seconds: float | None = None, about: object = None,
) -> Tuned:  # fmt: skip
    """The fastest setting for training steps on batches of `shape` (B, C, H, W). The network is left as it is.

    Args:
        runtime: what is not `auto` there is taken as it is
        steps: that lie ahead
        seconds: after which the run ends, however many steps are left
        about: what identifies the network, to remember the answer by; None: measure anew
    Raises:
        whatever the network raises when run in the plain way
    """
    plain, choices = _configured(runtime, device), _choices(runtime, device)
    if not any(choices.values()):
        return Tuned(plain, "as configured", None, {})

    race = Race(model, plain, shape, device)
    plain_step = race.seconds * shape[0] / race.images
    ahead = min(plain_step * steps, seconds or float("inf"))
    if ahead < SHORT:
        return Tuned(plain, "the plain way: the run is too short to measure others", plain_step, {})
    if ahead < LONG:
        choices["compile"] = []

    def measure() -> dict[str, Any]:
        started = time.monotonic()
        # threads first: where too many wait for a core, nothing else can be measured
        best = race.of([plain, *(replace(plain, threads=n) for n in choices["threads"])])
        race.fit(best)
        best = race.of([best, *(replace(best, precision=p) for p in choices["precision"])])
        kernels = [best.attention, *(choices["attention"] if race.attends else [])]
        layouts = product([best.channels_last, *choices["channels_last"]], kernels)
        best = race.of([replace(best, channels_last=c, attention=a) for c, a in layouts])
        best = race.of([best, *(replace(best, compile=c) for c in choices["compile"])])
        return {
            "setting": _to_json(best), "speed": race.speed[best], "images": race.images,
            "took": time.monotonic() - started, "measured": {str(s): says for s, says in race.says.items()},
        }  # fmt: skip

    key = (about, vars(runtime), shape, str(device), ahead < LONG, machine_is_busy())
    found = measure() if about is None else measured_once("speed", key, measure, lambda kept: bool(_from_json(kept)))
    best = _from_json(found)
    beside = "the plain way, as nothing was faster" if best == plain else f"{found['speed']:.2f} × the plain way"
    how = f"measured on {found['images']} images in {found['took']:.0f} s"
    return Tuned(best, f"{beside}, {how}", plain_step / found["speed"], found["measured"])


def machine_is_busy() -> bool:
    """Whether other programs leave less than half of the cores: what is fastest then is not what is fastest else."""
    return os.getloadavg()[0] > 0.5 * (os.cpu_count() or 1)


def _configured(runtime: RuntimeConfig, device: torch.device) -> Setting:
    """The plain way, but for what is configured."""
    given = {key: value for key, value in vars(runtime).items() if key != "device" and value != "auto"}
    if "precision" in given:
        given["precision"] = getattr(torch, given["precision"])
    if device.type == "cpu":
        given.setdefault("threads", torch.get_num_threads())
    return replace(PLAIN, **given)


def _choices(runtime: RuntimeConfig, device: torch.device) -> dict[str, list]:
    """For each part of a setting, what could pay on the device; nothing where it is configured.

    Not measured on MPS yet, where a kernel that is missing can end the process.
    """
    half = half_precision(device)
    threads = torch.get_num_threads()
    could_pay = {
        "cpu": {
            "precision": [half.value] if half.value else [], "channels_last": [True], "attention": ["math"],
            "threads": sorted({max(1, threads // 4), 1} - {threads}),
        },
        "cuda": {"precision": [half.value], "channels_last": [True], "compile": [True]},
    }.get(device.type, {})  # fmt: skip
    return {
        key: could_pay.get(key, []) if getattr(runtime, key) == "auto" else []
        for key in ("precision", "channels_last", "attention", "threads", "compile")
    }


def _to_json(setting: Setting) -> dict[str, Any]:
    return vars(setting) | {"precision": str(setting.precision).removeprefix("torch.")}


def _from_json(found: dict[str, Any]) -> Setting:
    """Raises KeyError, TypeError or AttributeError where it is none."""
    values = found["setting"]
    return Setting(**values | {"precision": getattr(torch, values["precision"])})
