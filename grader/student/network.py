"""A student's network as the checks use it: built in the worker, called like a function, with verified answers."""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.seeds import derive_seed
from grader.checks.output_contract import check_finite, check_floating, check_output, check_shape
from grader.errors import Raised
from grader.student.deadlines import Deadlines, Pace
from grader.submission.process import AnySubmission, Reply


class Network:
    """One DiffusionModel in the worker. Each check builds its own, so no check can spoil another."""

    def __init__(self, submission: AnySubmission, deadlines: Deadlines, config: ModelConfig, *, seed: int) -> None:
        self.submission, self.deadlines, self.config, self.seed = submission, deadlines, config, seed
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

    def reply(self, x: Tensor, t: Tensor, **options: Any) -> Reply:
        """One forward pass (eval mode, no gradients), whatever comes back."""
        return self._request("forward", self.pace.forward * len(x), tensors={"x": x, "t": t}, **options)

    def __call__(
        self, x: Tensor, t: Tensor, *, where: str = "of the output", autocast: bool = False, **options: Any
    ) -> Tensor:
        """x (B, C, H, W), t (B,) → the predicted noise on the CPU: of the right type, shape and dtype, and finite.

        `autocast` lets the device compute in bfloat16, as training does; the answer may then be of that dtype.
        """
        reply = self.reply(x, t, autocast=autocast, **options)
        came = reply.tensors.get("y")
        if autocast:
            y = check_shape(reply.values, came, x.shape)
            check_floating(y)
        else:
            y = check_output(reply.values, came, x.shape, x.dtype, self.submission.device)
        y = y.float()
        check_finite(y, where)
        return y

    def train(self, x_t: Tensor, t: Tensor, noise: Tensor, *, learning_rate: float, seed: int, **options: Any) -> Reply:
        """K optimiser steps, one on each batch: x_t and noise (K, B, C, H, W), t (K, B)."""
        batch = {"x_t": x_t, "t": t, "noise": noise}
        seconds = self.pace.step * t.numel()
        reply = self._request("steps", seconds, tensors=batch, learning_rate=learning_rate, seed=seed, **options)
        if len(reply.values["losses"]) != len(t):
            raise Raised(f"the submission's process sent {len(reply.values['losses'])} losses of {len(t)} steps")
        return reply

    def flow(self, x: Tensor, t: Tensor, cotangent: Tensor, *, seed: int) -> Reply:
        tensors = {"x": x, "t": t, "cotangent": cotangent}
        reply = self._request("flow", self.pace.step * len(x), tensors=tensors, seed=seed)
        gradient = reply.tensors.get("gradient")
        if gradient is not None and (gradient.shape, gradient.dtype) != (x.shape, x.dtype):
            raise Raised("the submission's process sent a gradient of another form than x's")
        return reply

    def move(self, x: Tensor, t: Tensor) -> None:
        """A forward pass on torch's meta device: fails where a tensor would stay behind on the CPU."""
        self._request("meta", self.pace.forward * len(x), tensors={"x": x, "t": t}, config=asdict(self.config))

    def state(self) -> dict[str, Tensor]:
        return self._request("state").tensors

    def load(self, state: dict[str, Tensor]) -> None:
        self._request("load_state", tensors=state)

    def noise(self, batch: int, *purpose: int | str, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        """Random x (B, C, H, W) and random, mixed t (B,), from the judge's own generator."""
        generator = torch.Generator().manual_seed(derive_seed("input", self.seed, *purpose))
        c = self.config
        x = scale * torch.randn(batch, c.image_channels, c.image_size, c.image_size, generator=generator)
        return x, torch.randint(c.num_timesteps, (batch,), generator=generator)
