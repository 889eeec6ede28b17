"""Settings raced against each other: which one gives the network's plain answer fastest?

Steps on copies of the network, in turn: a machine that slows down meanwhile slows all of them.
"""

import copy
import statistics
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from assignment.ddpm.device import is_out_of_memory
from assignment.ddpm.runner import Runner, Setting, threads

STEP_SECONDS = 0.3  # of a timed step in the plain setting on a CPU, about; a GPU is measured on whole batches
ROUNDS = 5  # of all settings; the median ignores up to two that were disturbed
GAIN = 1.05  # a setting wins if it is at least this many times as fast as the best so far: less may be luck
ROUNDING = 16  # largest error that passes, in machine epsilons of the precision; a U-Net in bfloat16 errs by 2 to 4
JOLT = 0.02  # noise on the weights of the copies, so that zero-initialised layers have an effect


class Race:
    """Settings against each other, on copies of one network."""

    def __init__(
        self, model: nn.Module, plain: Setting, shape: tuple[int, int, int, int], device: torch.device,
        *, training: bool = True, num_classes: int | None = None,
    ) -> None:  # fmt: skip
        """Of training steps, or without `training` of answers alone, as when samples are drawn."""
        self.device, self.plain, self.training, self.num_classes = device, plain, training, num_classes
        self.model = copy.deepcopy(model)  # the run itself has to start from unchanged weights and buffers
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():  # else changing a leaf that requires a gradient in place is an error
            for parameter in self.model.parameters():
                parameter.add_(JOLT * torch.randn(parameter.shape, generator=generator).to(parameter))
        self.batch = [torch.randn(shape, generator=generator).to(device) for _ in range(2)]  # x_t, and weights for y
        self.speed: dict[Setting, float] = {plain: 1.0}  # as a multiple of the plain speed
        self.says: dict[Setting, str] = {}  # the outcome in words

        self.images, self.seconds = 0, 0.0
        self.fit(plain)

    def fit(self, setting: Setting) -> None:
        """Use as many images as make a step in this setting long enough to time; on a GPU, whole batches."""
        most, runner = len(self.batch[0]), self.runner(setting)
        self.images = min(2, most) if self.device.type == "cpu" else most  # a GPU is idle for most of a small batch
        for _ in range(2):  # caches, workers
            self.seconds = self._timed(runner)
        if self.device.type == "cpu":
            # in proportion: the time of a step grows with its images
            self.images = min(most, max(2, round(self.images * STEP_SECONDS / self.seconds)))
            self.seconds = self._timed(runner)
        vars(self).pop("expected", None)  # cached for another number of images

    @cached_property
    def attends(self) -> bool:
        """Whether the network uses torch's attention."""
        with _Watched() as watched, torch.no_grad():
            self.runner(self.plain)(*self._inputs())
        return watched.attention

    @cached_property
    def random(self) -> bool:
        """Whether the answer in train mode is random, as with dropout."""
        first, second = (self._answer(self.runner(self.plain), seed=seed) for seed in (0, 1))
        return self._difference(first, second) > 0

    @cached_property
    def expected(self) -> tuple[Tensor, Tensor]:
        """The plain answer."""
        return self._answer(self.runner(self.plain), train=not self.random)

    def runner(self, setting: Setting) -> Runner:
        return Runner(copy.deepcopy(self.model), setting).train(self.training)

    def of(self, settings: Iterable[Setting]) -> Setting:
        """The fastest of them; the first, whose speed is known, if none is clearly faster."""
        first, *others = settings
        running = {first: self.runner(first)}
        for setting in others:
            try:
                running[setting] = self._tried(setting)
            except Refused as refused:
                self.says[setting] = str(refused)
        if len(running) == 1:
            return first
        self._timed(running[first])  # warm up; the others have just made a step in _tried
        # in turn, not one setting after the other: a machine that slows down meanwhile slows all of them
        rounds = [{setting: self._timed(runner) for setting, runner in running.items()} for _ in range(ROUNDS)]
        for setting in running.keys() - {first}:
            # of ratios within a round: what disturbs a round disturbs both of its times
            ratio = statistics.median(seconds[first] / seconds[setting] for seconds in rounds)
            self.speed[setting] = self.speed[first] * ratio
            self.says[setting] = f"{self.speed[setting]:.2f} ×"
        fastest = max(running, key=self.speed.__getitem__)
        return fastest if self.speed[fastest] >= GAIN * self.speed[first] else first

    def _tried(self, setting: Setting) -> Runner:
        """A runner that has made its first step. Raises Refused if the network can't be run in this setting."""
        scaled = self.training and setting.precision == torch.float16
        if scaled and any(p.is_complex() for p in self.model.parameters()):
            raise Refused("left out, as torch can't scale up the gradients of complex weights")
        try:
            runner = self.runner(setting)
            # in eval mode where dropout draws: how it draws depends on the memory layout
            off = self._difference(self._answer(runner, train=not self.random), self.expected)
            self._timed(runner.train(self.training))  # in the mode it will be used in; compiles if necessary
        except Exception as error:  # almost anything: a setting that does not suit the network is not used
            why = "out of memory" if is_out_of_memory(error) else (str(error) or repr(error)).splitlines()[0]
            raise Refused(f"does not run: {why}") from error
        if not off <= ROUNDING * _epsilon(setting.precision):  # not a number either
            raise Refused(f"left out, as its answer differs by {off:.1%}")
        return runner

    def _inputs(self) -> tuple[Tensor, ...]:
        x = self.batch[0][: self.images]  # (B, C, H, W)
        zeros = torch.zeros(len(x), dtype=torch.long, device=self.device)  # (B,): valid for every T, and every K
        return (x, zeros) if self.num_classes is None else (x, zeros, zeros)

    def _step(self, runner: Runner) -> Tensor:
        with torch.set_grad_enabled(self.training):
            y = runner(*self._inputs())  # (B, C, H, W)
        if self.training:
            # weighted by noise: the gradient of a plain sum would be 0 below a final norm, and show no errors
            (y * self.batch[1][: self.images]).sum().backward()
        return y.detach()

    def _answer(self, runner: Runner, *, seed: int = 0, train: bool = True) -> tuple[Tensor, Tensor]:
        """Predicted noise, and the gradients of all parameters in one vector."""
        torch.manual_seed(seed)  # for dropout
        with threads(runner.setting.threads):
            y = self._step(runner.train(train and self.training))
        gradients = [p.grad.flatten() for p in runner.parameters() if p.grad is not None]
        runner.zero_grad(set_to_none=True)
        return y, torch.cat(gradients) if gradients else y

    def _timed(self, runner: Runner) -> float:
        """Seconds of a step."""
        with threads(runner.setting.threads):
            self._synchronize()  # calls to a GPU return at once: without waiting, only the launch would be timed
            start = time.perf_counter()
            self._step(runner)
            self._synchronize()
            seconds = time.perf_counter() - start
        runner.zero_grad(set_to_none=True)
        return seconds

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @staticmethod
    def _difference(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
        """The larger relative error, of the answer or of the gradients."""
        return max(((a - b).norm() / b.norm().clamp(min=1e-12)).item() for a, b in zip(found, expected, strict=True))


class Refused(Exception):
    """Why a setting is left out."""


class _Watched(TorchFunctionMode):
    """Detects whether a network uses torch's attention."""

    attention = False

    def __torch_function__(  # called in place of every function of torch
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.attention |= func in (F.scaled_dot_product_attention, F.multi_head_attention_forward)
        return func(*args, **(kwargs or {}))


def _epsilon(precision: torch.dtype) -> float:
    """Machine epsilon of a precision; torch may compute float32 products in TF32, which rounds like float16."""
    return torch.finfo(torch.float16 if precision == torch.float32 else precision).eps
