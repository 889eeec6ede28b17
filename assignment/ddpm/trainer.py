"""One optimiser step, and everything that it changes.

Step k draws its timesteps and noise from a generator seeded by k, so a checkpoint needs no generator state.
"""

import copy
import math

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from assignment.ddpm.device import Runner
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.seeds import derive_seed


class Trainer:
    """All that changes while training: the network, its moving average, the optimiser, and the history."""

    def __init__(
        self, runner: Runner, diffusion: GaussianDiffusion, *, learning_rate: float, ema_decay: float, fused: bool
    ) -> None:
        self.runner = runner
        self.diffusion = diffusion
        self.ema_decay = ema_decay
        self.ema = copy.deepcopy(runner.model).requires_grad_(False)
        self.optimizer = torch.optim.Adam(runner.model.parameters(), lr=learning_rate, fused=fused)
        self.scaler = torch.amp.GradScaler(diffusion.device.type, enabled=runner.precision == torch.float16)

        self.step_count = 0
        self.seconds = 0.0  # spent training, over all sittings
        self.best = math.inf  # lowest validation loss so far
        self.log: list[dict] = []  # a row per epoch
        self.epoch_losses: list[Tensor] = []  # of the epoch under way, still on the device

    def step(self, x_0: Tensor, seed: int) -> None:
        """One optimiser step on a batch (B, C, H, W)."""
        torch.manual_seed(derive_seed("step", seed, self.step_count))
        loss = self.diffusion.training_loss(self.runner, x_0)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.update_ema()
        self.step_count += 1
        self.epoch_losses.append(loss.detach())

    def update_ema(self) -> None:
        warm_up = (1 + self.step_count) / (10 + self.step_count)  # else a short run would remember its random start
        average = get_ema_multi_avg_fn(min(self.ema_decay, warm_up))
        average(list(self.ema.parameters()), list(self.runner.model.parameters()), None)
        for mine, theirs in zip(self.ema.buffers(), self.runner.model.buffers(), strict=True):
            mine.copy_(theirs)

    def averaged_runner(self) -> Runner:
        """The averaged network, run as the network itself is run."""
        return Runner(self.ema, precision=self.runner.precision, channels_last=self.runner.channels_last)

    def mean_loss(self) -> float:
        """Mean over the epoch so far; waits for the device."""
        return torch.stack(self.epoch_losses).cpu().double().mean().item() if self.epoch_losses else 0.0

    def state_dict(self) -> dict:
        return {
            "model": self.runner.model.state_dict(), "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict(),
            "step_count": self.step_count, "seconds": self.seconds, "best": self.best, "log": self.log,
            "epoch_losses": [loss.item() for loss in self.epoch_losses],
        }  # fmt: skip

    def load_state_dict(self, state: dict) -> None:
        """Raises RuntimeError or ValueError where the network is not the one of the checkpoint."""
        self.runner.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step_count, self.seconds, self.best = state["step_count"], state["seconds"], state["best"]
        self.log = state["log"]
        self.epoch_losses = [torch.tensor(loss, device=self.diffusion.device) for loss in state["epoch_losses"]]
