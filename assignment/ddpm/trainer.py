"""One optimiser step, and everything it changes.

Step k draws its timesteps and noise from a generator seeded by k, so a checkpoint needs no generator state.
"""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.labels import drop_labels
from assignment.ddpm.runner import Runner
from assignment.ddpm.seeds import derive_seed


class MovingAverage:
    """A copy of a network whose weights follow the network's own, exponentially averaged; its buffers are equal."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        # With a constant learning rate the weights scatter around a good point; their average is closer to it.
        # Ho et al. (appendix B) use a decay of 0.9999, for runs that are far longer than ours.
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        # Tensors, not names: both lists stay true only while weights are changed in place, as optimisers do.
        self.parameters = list(self.model.parameters()), list(model.parameters())
        self.buffers = list(self.model.buffers()), list(model.buffers())

    def update(self, step: int) -> None:
        warm_up = (1 + step) / (10 + step)  # else a short run would remember its random start
        # average ← decay · average + (1 - decay) · weights
        get_ema_multi_avg_fn(min(self.decay, warm_up))(*self.parameters, None)
        # Buffers are not learnt but measured or counted, such as batch norm's statistics: averages of averages, or of
        # integers, would mean nothing.
        for mine, theirs in zip(*self.buffers, strict=True):
            mine.copy_(theirs)


class Trainer:
    """All that changes while training: the network, its moving average, the optimiser, and the history."""

    def __init__(
        self, runner: Runner, diffusion: GaussianDiffusion, *, learning_rate: float, ema_decay: float, fused: bool,
        num_classes: int | None = None, label_dropout: float = 0.0,
    ) -> None:  # fmt: skip
        self.runner = runner
        self.diffusion = diffusion
        self.num_classes, self.label_dropout = num_classes, label_dropout
        self.average = MovingAverage(runner.model, ema_decay)
        # Adam (Kingma & Ba 2014, Algorithm 1) with its defaults, as in Ho et al.; fused: all weights in one kernel,
        # which takes no complex ones.
        fused = fused and not any(p.is_complex() for p in runner.model.parameters())
        self.optimizer = torch.optim.Adam(runner.model.parameters(), lr=learning_rate, fused=fused)
        # float16 has a small range: gradients below 6e-8 would become 0 if the loss were not scaled up first.
        # bfloat16 has the range of float32 and needs no scaling.
        self.scaler = torch.amp.GradScaler(diffusion.device.type, enabled=runner.setting.precision == torch.float16)

        self.step_count = 0
        self.seconds = 0.0  # spent training, over all sittings
        self.best = math.inf  # lowest validation loss so far
        self.log: list[dict[str, float]] = []  # a row per epoch
        self.epoch_losses: list[Tensor] = []  # of the epoch under way, still on the device

    def step(self, x_0: Tensor, *y: Tensor, seed: int) -> None:
        """One optimiser step on a batch (B, C, H, W), with its labels y (B,) where the network has classes."""
        if self.num_classes is not None:
            n, share = self.num_classes, self.label_dropout
            y = tuple(drop_labels(labels, n, share, seed=seed, step=self.step_count) for labels in y)
        # All generators, the GPU's too: t, noise and dropout of step k are the same in a run that was interrupted.
        torch.manual_seed(derive_seed("step", seed, self.step_count))
        loss = self.diffusion.training_loss(self.runner, x_0, *y)  # Algorithm 1; a scalar
        self.optimizer.zero_grad(set_to_none=True)  # gradients add up: without this, those of all steps so far
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)  # unscales first, and skips a step whose gradients overflowed
        self.scaler.update()
        self.average.update(self.step_count)
        self.step_count += 1
        self.epoch_losses.append(loss.detach())  # not .item(), which waits for the GPU; not loss, which keeps the graph

    def averaged_runner(self) -> Runner:
        """The averaged network, run in the same setting as the network itself."""
        return self.runner.uncompiled(self.average.model)

    def mean_loss(self) -> float:
        """Mean over the epoch so far; waits for the device."""
        return torch.stack(self.epoch_losses).cpu().double().mean().item() if self.epoch_losses else 0.0

    def state_dict(self) -> dict[str, Any]:
        # With the optimiser's moments: without them Adam would start over, and a resumed run would be another run.
        return {
            "model": self.runner.model.state_dict(), "average": self.average.model.state_dict(),
            "optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict(),
            "step_count": self.step_count, "seconds": self.seconds, "best": self.best, "log": self.log,
            "epoch_losses": [loss.item() for loss in self.epoch_losses],
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises RuntimeError or ValueError if the checkpoint is of another network."""
        self.runner.model.load_state_dict(state["model"])
        self.average.model.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        for parameter, moments in self.optimizer.state.items():
            for name, value in moments.items():
                if value.shape == parameter.shape:  # in this run's memory layout, for the fused optimiser
                    moments[name] = torch.empty_like(parameter, requires_grad=False).copy_(value)
        self.scaler.load_state_dict(state["scaler"])
        self.step_count, self.seconds, self.best = state["step_count"], state["seconds"], state["best"]
        self.log = state["log"]
        self.epoch_losses = [torch.tensor(loss, device=self.diffusion.device) for loss in state["epoch_losses"]]
