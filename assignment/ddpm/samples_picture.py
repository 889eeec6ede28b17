"""samples.png, by which a training is looked at: a square of images, or a row for each class."""

from pathlib import Path

import torch
from torch import nn

from assignment.ddpm.config import Config
from assignment.ddpm.device import Choice, choose_num_images
from assignment.ddpm.figures import save_grid
from assignment.ddpm.guidance import Guidance
from assignment.ddpm.labels import a_row_each
from assignment.ddpm.runner import Runner, threads
from assignment.ddpm.sampling import Sampler, draw_samples


class SamplesPicture:
    """Which images are drawn, and how; `str` of it is what is printed."""

    def __init__(
        self, config: Config, sampler: Sampler, device: Choice[torch.device], guidance: Guidance | None,
        steps: int | None,
    ) -> None:  # fmt: skip
        """`steps` of the sampler; None: all T."""
        self.config, self.sampler, self.device, self.guidance = config, sampler, device.value, guidance
        self.steps = steps or config.model.num_timesteps
        self.wanted = choose_num_images(config.sampling.num_images, device.value)
        self.labels = a_row_each(self.wanted.value, guidance.num_classes) if guidance else None  # (N,)

    @property
    def columns(self) -> int | None:
        """Images of each class; None: as many as make a square."""
        return len(self.labels) // self.guidance.num_classes if self.guidance and self.labels is not None else None

    def __str__(self) -> str:
        if self.guidance is None:
            return str(self.wanted)
        return f"{self.columns} of each of {self.guidance.num_classes} classes, guidance w = {self.guidance.w:g}"

    def save(self, runner: Runner, file: Path) -> None:
        """Draw with a network. Raises RunError as `draw_samples`."""
        runner = runner.for_sampling()
        network: nn.Module = self.guidance.of(runner) if self.guidance else runner
        sampling = self.config.sampling
        with threads(runner.setting.threads):
            images = draw_samples(
                self.sampler, network, self.wanted.value if self.labels is None else len(self.labels),
                self.config.model.image_shape, num_timesteps=self.steps, device=self.device, seed=sampling.seed,
                batch_size=sampling.batch_size, labels=self.labels,
            )  # fmt: skip
        classes = range(self.guidance.num_classes) if self.guidance else ()
        save_grid(images, file, columns=self.columns, beside=[str(label) for label in classes])
