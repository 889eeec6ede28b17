"""Train the reference, and record what the grader compares with.

uv run python -m reference --config configs/X.yaml [--seeds N] [key.path=value …]      (make reference)
uv run python -m reference --status                                                    (make reference-status)

Trainings go on where they were stopped (outputs/reference/); with training.max_minutes a sitting ends early, and the
record says so until another one has finished the training.
"""

import argparse
import sys
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from torch import nn

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm import exercise
from assignment.ddpm.config import Config, config_files, load_config
from assignment.ddpm.data import Images, load_images
from assignment.ddpm.device import Runner, choose_device
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from assignment.ddpm.progress import progress_bar
from grader import ROOT
from grader.checks.paired import stratified
from grader.grading import Drawing, load_grading
from grader.machine import machine
from grader.metrics import classifier
from grader.metrics import record as rec
from grader.metrics.draw import draw, to_bytes
from grader.metrics.quality import Real, assess
from grader.metrics.record import Record, load_record, save_record
from grader.metrics.triples import LOOKS, draw_triples, losses, widths
from reference.model import DiffusionModel
from reference.sampler import DDPMSampler

MILESTONES = (1, 2, 5, 10, 20, 50, 100, 200)  # epochs after which the weights are kept, to be judged later
SHIPPED = 15 << 20  # bytes of weights, at most, that go into the repository
DRAWS = 5  # of real images, for the floor
BATCH = {"cpu": 64, "mps": 256, "cuda": 1024}


class Training(NamedTuple):
    """One training, measured."""

    figures: dict
    runner: Runner
    losses: torch.Tensor  # of the first look


class Reference:
    """The reference of one configuration: its trainings, and what is measured of them."""

    def __init__(self, config_file: Path, overrides: list[str]) -> None:
        self.name, self.config_file, self.overrides = config_file.stem, config_file, overrides
        config = load_config(config_file, overrides)
        self.config, self.device = config, choose_device(config.runtime.device).value
        self.epochs_wanted = load_config(config_file).training.epochs  # as shipped, whatever this call overrides
        m = config.model
        self.shape = (m.image_channels, m.image_size, m.image_size)
        self.images: Images = load_images(config.data.name, config.data.root, limit=None, shape=self.shape)
        self.diffusion = GaussianDiffusion(m.num_timesteps, config.diffusion.beta_start, config.diffusion.beta_end)

    def folder(self, seed: int) -> Path:
        return Path("outputs") / "reference" / f"{self.name}-seed{seed}"

    def configured(self, seed: int) -> Config:
        mine = [f"training.seed={seed}", "training.resume=true", f"output_dir={self.folder(seed)}"]
        return load_config(self.config_file, [*self.overrides, *mine])

    def train(self, seed: int) -> None:
        """Train to the end, or for this sitting; keeps the weights of the milestones."""

        def keep(epoch: int, averaged: nn.Module) -> None:
            if epoch in MILESTONES:
                ckpt.save_weights(averaged.model, self.folder(seed) / f"epoch-{epoch:04d}.safetensors", epoch=epoch)

        exercise.run(self.configured(seed), DiffusionModel, DDPMSampler, self.folder(seed) / "run", on_epoch=keep)

    def load(self, file: Path) -> tuple[Runner, dict[str, str]]:
        """Weights as they are shipped, rounded to bfloat16; run in float32, as a student's are judged."""
        model = DiffusionModel(self.config.model)
        about = ckpt.load_weights(model, file)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(parameter.bfloat16().float())
        return Runner(model.to(self.device).eval().requires_grad_(False), precision=torch.float32), about

    @torch.no_grad()
    def predict(self, runner: Runner, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return runner(x_t.to(self.device), t.to(self.device)).cpu()

    def losses(self, runner: Runner, part: str, look: int, what: str) -> torch.Tensor:
        triples = draw_triples(getattr(self.images, part), self.diffusion.num_timesteps, look, part=part)
        with progress_bar(len(triples.t), "triples", f"loss, {what}") as bar:
            return losses(
                lambda x, t: self.predict(runner, x, t), self.diffusion, triples,
                batch_size=BATCH[self.device.type], progress=bar.update,
            )  # fmt: skip

    def summary(self, values: torch.Tensor, part: str, look: int) -> dict:
        """The loss of a look with its standard error, and by bins of t."""
        triples = draw_triples(getattr(self.images, part), self.diffusion.num_timesteps, look, part=part)
        mean = stratified(values, triples.bins, widths())
        return {"loss": mean.value, "standard_error": mean.error, "by_bin": mean.bins.tolist()}

    def measure(self, seed: int) -> Training:
        """One training: its losses along the way and at the end."""
        rows = ckpt.read_log(self.folder(seed) / "run" / ckpt.LOG)
        runner, about = self.load(self.folder(seed) / "run" / ckpt.WEIGHTS)
        values = self.losses(runner, "validation", 0, f"seed {seed}")
        figures = {
            "seed": seed, "epochs": rows[-1]["epoch"], "epochs_wanted": self.epochs_wanted,
            "kept_epoch": float(about["epoch"]), "training_seconds": rows[-1]["seconds"],
            "logged_validation_loss": float(about["val_loss"]), **self.summary(values, "validation", 0),
            "milestones": [],
        }  # fmt: skip
        for file in sorted(self.folder(seed).glob("epoch-*.safetensors")):
            early, about = self.load(file)
            found = self.losses(early, "validation", 0, f"seed {seed}, epoch {about['epoch']}")
            figures["milestones"].append({"epoch": int(about["epoch"]), **self.summary(found, "validation", 0)})
        return Training(figures, runner, values)

    def drawing(self, kind: str) -> Drawing:
        return load_grading().samples[self.config.data.name].setting(kind)

    def sample(self, runner: Runner, seed: int, kind: str) -> dict:
        """Draw samples as the grader does on this kind of device, and assess them."""
        drawing = self.drawing(kind)
        samples = draw(
            lambda x, t: self.predict(runner, x, t), self.diffusion, drawing.images, self.shape,
            steps=drawing.steps, seed=seed, batch_size=BATCH[self.device.type],
        )  # fmt: skip
        return assess(to_bytes(samples), self.real).to_json()

    @cached_property
    def real(self) -> Real:
        return Real.of(self.config.data.name, self.images)

    def floor(self, kind: str) -> list[dict]:
        """The same of real images that no training has seen, in place of the samples."""
        count = self.drawing(kind).images
        held_out = torch.cat([self.images.validation, self.images.test])
        draws = []
        for k in range(DRAWS):
            chosen = torch.randperm(len(held_out), generator=torch.Generator().manual_seed(k))[:count]
            draws.append(assess(held_out[chosen], self.real).to_json())
        return draws

    def record(self, seeds: list[int], looks: int) -> Path:
        """Measure all trainings that there are, and write what the grader reads."""
        trainings = [self.measure(seed) for seed in seeds]
        best = min(trainings, key=lambda training: training.figures["loss"])
        kept = {"validation.0": best.losses, "test.0": self.losses(best.runner, "test", 0, "test images")}
        for look in range(1, looks):
            kept[f"validation.{look}"] = self.losses(best.runner, "validation", look, f"look {look + 1}")
        fingerprints = {}
        for name in kept:
            part, look = name.split(".")
            triples = draw_triples(getattr(self.images, part), self.diffusion.num_timesteps, int(look), part=part)
            fingerprints[name] = triples.fingerprint()

        samples = {}
        for kind in ("cpu",) if self.device.type == "cpu" else ("cpu", "gpu"):  # who has a GPU can do both
            of_each = [self.sample(training.runner, training.figures["seed"], kind) for training in trainings]
            samples[kind] = asdict(self.drawing(kind)) | {"reference": of_each, "floor": self.floor(kind)}
        of_seeds = [training.figures for training in trainings]
        figures = {
            "config": self.name, "provisional": self.why_provisional(of_seeds),
            "machine": machine(self.device), "overrides": self.overrides,
            "classifier": classifier.load(self.config.data.name).name,
            "parameters": sum(p.numel() for p in best.runner.parameters()), "chosen_seed": best.figures["seed"],
            "weights": self.save_weights(best.runner), "fingerprints": fingerprints,
            "test": self.summary(kept["test.0"], "test", 0), "seeds": of_seeds, "samples": samples,
        }  # fmt: skip
        return save_record(self.name, Record(figures, kept))

    def save_weights(self, runner: Runner) -> str:
        """Ship the weights where they are small enough; returns where they are, from the root of the project."""
        file = rec.WEIGHTS / f"{self.name}.safetensors"
        state = {k: v.bfloat16().cpu().contiguous() for k, v in runner.model.state_dict().items()}
        if sum(v.nbytes for v in state.values()) > SHIPPED:
            file = Path("outputs") / "reference" / f"{self.name}.safetensors"
        with replacing(file) as temporary:
            safetensors.torch.save_file(state, temporary)
        return str(file.resolve().relative_to(ROOT)) if file.is_absolute() else str(file)

    def why_provisional(self, seeds: list[dict]) -> str:
        """In a few words; empty where the figures are final."""
        done, wanted = min(s["epochs"] for s in seeds), self.epochs_wanted
        limited = f", {self.config.data.limit:,} images" if self.config.data.limit else ""
        if done < wanted or limited:
            return f"{self.device.type}: {done:.3g} of {wanted} epochs{limited}"
        return ""


def status() -> str:
    """What is recorded for each configuration, and what of it is provisional."""
    lines = []
    for file in config_files():
        name = Path(file).stem
        record = load_record(name)
        if record is None:
            lines.append(f"{name:<16} not recorded: make reference CONFIG={file}")
            continue
        f = record.figures
        kinds = ", ".join(f["samples"])
        state = f"provisional ({f['provisional']})" if f["provisional"] else "final"
        missing = "" if "gpu" in f["samples"] else "; samples as on a GPU: not recorded"
        lines.append(
            f"{name:<16} {state}; {len(f['seeds'])} seeds, {f['machine']['device']}, {f['machine']['date']}; "
            f"samples recorded for: {kinds}{missing}"
        )
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m reference", description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, metavar="FILE", help="a YAML file, see configs/")
    parser.add_argument("--seeds", type=int, default=1, help="trainings, with training.seed = 0, 1, …")
    parser.add_argument("--status", action="store_true", help="list what is recorded, and what of it is provisional")
    parser.add_argument("--only-record", action="store_true", help="train nothing, measure what earlier sittings left")
    parser.add_argument(
        "--looks",
        type=int,
        choices=range(1, len(LOOKS) + 1),
        default=len(LOOKS),
        metavar="N",
        help=f"at the validation images, up to {len(LOOKS)}; fewer where a CPU would need hours",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="overrides a key of the configuration")
    args = parser.parse_intermixed_args(argv)
    try:
        if args.status:
            print(status())
            return 0
        if args.config is None:
            raise UserError(f"--config is missing: expected one of {', '.join(config_files())}")
        reference = Reference(args.config, args.overrides)
        for seed in range(args.seeds) if not args.only_record else ():
            reference.train(seed)
        print("written:", reference.record(list(range(args.seeds)), args.looks))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
