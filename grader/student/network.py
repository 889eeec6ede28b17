"""A student's network as the checks use it: built in the worker, called like a function, with verified answers."""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.seeds import derive_seed
from grader.checks.gradients import Slopes
from grader.checks.output_contract import check_finite, check_floating, check_output, check_shape
from grader.errors import Raised
from grader.student.deadlines import Deadlines, Pace
from grader.student.noisy_images import NoisyImages, of_fields
from grader.submission.process import AnySubmission, Reply
from grader.worker.slopes import DIRECTIONS, IMAGES

FORWARDS = 2 * DIRECTIONS + 3  # passes to measure slopes


class Network:
    """One DiffusionModel in the worker. Each check builds its own, so no check can spoil another."""

    def __init__(
        self, submission: AnySubmission, deadlines: Deadlines, config: ModelConfig, *, seed: int,
        inputs: NoisyImages | None = None,
    ) -> None:  # fmt: skip
        """`inputs`: what the network is asked about, if not smooth fields."""
        self.submission, self.deadlines, self.config, self.seed = submission, deadlines, config, seed
        self.inputs = inputs or of_fields(config.num_timesteps)
        self.built = self._request("build", config=asdict(config), seed=seed)

    @property
    def pace(self) -> Pace:
        """The reference's."""
        return self.deadlines.pace

    def _request(self, probe: str, seconds: float = 0.0, **arguments: Any) -> Reply:
        """`seconds`: what the reference would take."""
        if "seed" in arguments:  # the judge's own seed stays here: it would reveal all of the judge's noise
            arguments["seed"] = derive_seed("worker", arguments["seed"])
        return self.deadlines.ask(self.submission, probe, seconds, name="network", **arguments)

    def perturb(self) -> "Network":
        """Add random noise to all trainable parameters, so that zero-initialised layers let something through."""
        self._request("perturb", seed=derive_seed("perturb", self.seed))
        return self

    def reply(self, x: Tensor, t: Tensor, labels: Tensor | None = None, **options: Any) -> Reply:
        """One forward pass (eval mode, no gradients), whatever comes back; with labels (B,) it is forward(x, t, y)."""
        return self._request("forward", self.pace.forward * len(x), tensors=_inputs(x, t, labels), **options)

    def __call__(
        self, x: Tensor, t: Tensor, labels: Tensor | None = None, *, where: str = "of the output",
        autocast: bool = False, **options: Any,
    ) -> Tensor:  # fmt: skip
        """x (B, C, H, W), t (B,) → the predicted noise on the CPU: of the right type, shape and dtype, and finite.

        With labels (B,), integers, if there are any.

        `autocast` lets the device compute in bfloat16, as training does; the answer may then be of that dtype.
        """
        reply = self.reply(x, t, labels, autocast=autocast, **options)
        came = reply.tensors.get("y")
        if autocast:
            y = check_shape(reply.values, came, x.shape)
            check_floating(y)
        else:
            y = check_output(reply.values, came, x.shape, x.dtype, self.submission.device)
        y = y.float()
        check_finite(y, where)
        return y

    def train(
        self, x_t: Tensor, t: Tensor, noise: Tensor, labels: Tensor | None = None, *, learning_rate: float, seed: int,
        **options: Any,
    ) -> Reply:  # fmt: skip
        """K optimiser steps, one on each batch: x_t and noise (K, B, C, H, W), t and labels (K, B)."""
        batch = {"x_t": x_t, "t": t, "noise": noise} | ({} if labels is None else {"labels": labels})
        seconds = self.pace.step * t.numel()
        reply = self._request("steps", seconds, tensors=batch, learning_rate=learning_rate, seed=seed, **options)
        if len(reply.values["losses"]) != len(t):
            raise Raised(f"the submission's process sent {len(reply.values['losses'])} losses of {len(t)} steps")
        return reply

    def angles(self, x: Tensor, t: Tensor) -> dict[str, list[Tensor]]:
        """What it takes sines and cosines of ("angle"), and what its linear layers get ("linear"), for notes only.

        For x (B, C, H, W) and t (B,): (B, D) each.
        """
        reply = self._request("angles", self.pace.forward * len(x), tensors={"x": x, "t": t})
        found = dict[str, list[Tensor]]()
        for name, value in reply.tensors.items():
            if value.is_floating_point() and value.ndim == 2 and len(value) == len(x) and value.numel():
                found.setdefault(name.split(" ")[0], []).append(value)
        return found

    def modes(self, x: Tensor, t: Tensor) -> tuple[list[Tensor], bool]:
        """Its answers (B, C, H, W) in eval mode, and twice in train mode; whether that wrote into buffers."""
        seeds = [derive_seed("modes", self.seed, k) for k in range(2)]
        reply = self._request("modes", 3 * self.pace.forward * len(x), tensors={"x": x, "t": t}, seeds=seeds)
        names = ("eval", *(f"train {seed}" for seed in seeds))
        return [reply.tensors[name] for name in names if name in reply.tensors], reply.values["wrote"]

    def flow(self, x: Tensor, t: Tensor, cotangent: Tensor, *, seed: int) -> Reply:
        tensors = {"x": x, "t": t, "cotangent": cotangent}
        reply = self._request("flow", self.pace.step * len(x), tensors=tensors, seed=seed)
        gradient = reply.tensors.get("gradient")
        if gradient is not None and (gradient.shape, gradient.dtype) != (x.shape, x.dtype):
            raise Raised("the submission's process sent a gradient of another form than x's")
        return reply

    def slopes(self, x: Tensor, t: Tensor, cotangent: Tensor, *, step: float, train: bool) -> Slopes:
        """How the output times the cotangent (B, C, H, W) changes along random directions of x and the parameters."""
        tensors = {"x": x, "t": t, "cotangent": cotangent}
        seed = derive_seed("slopes", self.seed)
        reply = self._request("slopes", FORWARDS * self.pace.step * len(x), tensors=tensors, step=step, train=train,
                              seed=seed)  # fmt: skip
        reported = torch.tensor(reply.values["reported"], dtype=torch.float64)
        forth, back = (reply.tensors[side] for side in ("forth", "back"))
        formed = forth.shape == back.shape == (len(reported), *x.shape) and forth.dtype == back.dtype == torch.float64
        if not formed or len(reported) <= IMAGES:
            raise Raised("the submission's process sent outputs of another form than x's")
        found = ((forth - back) * cotangent).flatten(1).sum(1) / (2 * step)
        return Slopes(reported, found, of_x=IMAGES, repeats=reply.values["repeats"])

    def kinds(self, x: Tensor, t: Tensor) -> tuple[set[str], set[str]]:
        """Names in the state dict: of what training moves, and of statistics that torch.nn's own layers keep."""
        reply = self._request("kinds", self.pace.step * len(x), tensors={"x": x, "t": t}, seed=self.seed)
        return set(reply.values["trained"]), set(reply.values["statistics"])

    def move(self, x: Tensor, t: Tensor, labels: Tensor | None = None) -> None:
        """A forward pass on torch's meta device: fails where a tensor would stay behind on the CPU."""
        seconds = self.pace.forward * len(x)
        self._request("meta", seconds, tensors=_inputs(x, t, labels), config=asdict(self.config))

    def state(self) -> dict[str, Tensor]:
        return self._request("state").tensors

    def load(self, state: dict[str, Tensor]) -> None:
        self._request("load_state", tensors=state)

    def noisy(self, t: Tensor, *purpose: int | str) -> Tensor:
        """Noisy images x_t (B, C, H, W) as in training, of t (B,), from the judge's own generator."""
        return self.inputs.draw(t, self.config.image_shape, self._generator(*purpose))

    def at_random(self, batch: int, *purpose: int | str) -> tuple[Tensor, Tensor]:
        """The same at random, mixed t: x_t (B, C, H, W), t (B,)."""
        t = torch.randint(self.config.num_timesteps, (batch,), generator=self._generator("t", *purpose))
        return self.noisy(t, *purpose), t

    def number(self, low: int, high: int, *purpose: int | str) -> int:
        """A random number in [low, high], such as the size of a batch."""
        return int(torch.randint(low, high + 1, (), generator=self._generator("number", *purpose)))

    def _generator(self, *purpose: int | str) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed("input", self.seed, *purpose))

    def noise(self, batch: int, *purpose: int | str, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        """Random x (B, C, H, W) and random, mixed t (B,), from the judge's own generator."""
        generator, c = self._generator(*purpose), self.config
        x = scale * torch.randn(batch, c.image_channels, c.image_size, c.image_size, generator=generator)
        return x, torch.randint(c.num_timesteps, (batch,), generator=generator)


def _inputs(x: Tensor, t: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    """As the worker wants them."""
    return {"x": x, "t": t} | ({} if labels is None else {"labels": labels})
