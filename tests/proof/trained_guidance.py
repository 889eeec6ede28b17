"""What trained networks with labels reach in level 6: four references, and three that are worse, on the digits.

    uv run python -m tests.proof.trained_guidance

Trains those that outputs/guided/ lacks, minutes each on a CPU, judges each as level 6 does, and writes
tests/bench/results/trained-guidance-cpu.json.
"""

import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor

from assignment.ddpm.checkpoint import WEIGHTS
from assignment.ddpm.config import load_config
from assignment.ddpm.data import Images, load_images, load_part
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.checks.beats_reference import stratified
from grader.checks.finding import CheckFailed
from grader.checks.guided_samples import check_uses_labels, wrong_labels
from grader.grading_config import load_grading
from grader.metrics.draw import Predict, draw
from grader.metrics.record import load_record
from grader.metrics.reference import BATCH, load_network
from grader.metrics.triples import LOOKS, draw_triples, losses, widths
from grader.student.trained_labels import STRENGTHS, TOLD, GuidedSamples, judged, predict_at
from tests.bench.results import write

CONFIG = Path("configs/digits_conditional.yaml")
FOLDER = Path("outputs/guided")
QUICK = ("--sampler", "ddim", "sampling.steps=10", "sampling.num_images=10", "sampling.every_epochs=0")
TRAININGS = {
    **{f"seed-{seed}": (f"training.seed={seed}",) for seed in range(4)},
    "epochs-20": ("training.epochs=20",),
    "epochs-5": ("training.epochs=5",),
    "without-labels": ("training.label_dropout=0.999",),
}


class Bench:
    """The configuration's data, and what networks are asked for on it."""

    def __init__(self) -> None:
        config = load_config(CONFIG)
        self.config, self.classes, self.name = config, config.model.num_classes, config.data.name
        data, self.shape = config.data, config.model.image_shape
        self.images: Images = load_images(self.name, data.root, limit=None, shape=self.shape, num_classes=self.classes)
        test = load_part(self.name, data.root, train=False)
        self.test, self.labels = test.images, torch.as_tensor(test.labels).long()
        self.diffusion, self.batch = GaussianDiffusion.of(config), BATCH["cpu"]
        self.drawing = load_grading().samples[self.name].setting("cpu")

    def wished(self) -> Tensor:
        return torch.arange(self.drawing.images) % self.classes

    def losses(self, network: Predict) -> dict[str, float]:
        triples = draw_triples(self.test, self.diffusion.num_timesteps, 0, part="test")
        right = self.labels[triples.index]
        wrong = wrong_labels(right, self.classes, torch.rand(len(right), generator=torch.Generator().manual_seed(0)))
        found = losses(network, self.diffusion, triples, labels=right, batch_size=self.batch)
        others = losses(network, self.diffusion, triples.first(TOLD), labels=wrong[:TOLD], batch_size=self.batch)
        try:
            told = check_uses_labels(found[:TOLD], others)
        except CheckFailed as failed:
            told = failed.measurements
        return {"loss": stratified(found, triples.bins, widths()).value, "standard_errors": told["standard_errors"],
                "raised_by": told["raised_by"]}  # fmt: skip

    def of(self, images: Tensor) -> dict[str, float]:
        found: GuidedSamples = judged(images, self.wished(), self.images.train, self.name, self.classes)
        return {"share": found.share, "fid": found.fid, "coverage": found.coverage}

    def samples(self, network: Predict) -> dict[str, dict[str, float]]:
        return {
            f"{w:g}": self.of(draw(
                predict_at(network, w, self.classes), self.diffusion, self.drawing.images, self.shape,
                steps=self.drawing.steps, seed=1, batch_size=self.batch, labels=self.wished(),
            )) for w in STRENGTHS
        }  # fmt: skip

    def class_means(self) -> dict[str, dict[str, float]]:
        """No network: the mean image of each wished class, with a little noise."""
        x = self.images.train.float() / 127.5 - 1
        means = torch.stack([x[self.images.train_labels == label].mean(0) for label in range(self.classes)])
        noise = torch.randn(len(self.wished()), *self.shape, generator=torch.Generator().manual_seed(0))
        return {"1": self.of((means[self.wished()] + 0.05 * noise).clamp(-1, 1))}


def train(name: str, words: tuple[str, ...]) -> Path:
    """The weights of a training; trained if they are not there."""
    weights = FOLDER / name / f"{CONFIG.stem}-solution" / WEIGHTS
    if not weights.is_file():
        command = [
            sys.executable,
            "main.py",
            "--config",
            str(CONFIG),
            "--solution",
            *QUICK,
            f"output_dir={FOLDER / name}",
        ]
        subprocess.run([*command, "runtime.device=cpu", "training.resume=true", *words], check=True)
    return weights


@torch.no_grad()
def main() -> None:
    bench, rows = Bench(), {}
    for name, words in TRAININGS.items():
        network, _ = load_network(bench.config.model, train(name, words), torch.device("cpu"))
        rows[name] = bench.losses(network) | {"samples": bench.samples(network)}
        print(name, rows[name], flush=True)
    rows["class means"] = {"samples": bench.class_means()}
    record = load_record(CONFIG.stem)
    figures = {
        "images": bench.drawing.images, "steps": bench.drawing.steps, "triples": LOOKS[0],
        "reference": record.figures["test"]["with_labels"]["loss"],
        "fid_limit": record.figures["samples"]["cpu"]["floor"]["fid"]["mean"]
        + load_grading().samples[bench.name].above_real,
    }  # fmt: skip
    print(write("trained-guidance-cpu.json", torch.device("cpu"), figures | {"rows": rows}))


if __name__ == "__main__":
    main()
