"""What levels 1 to 3 compare with: a reference's losses on frozen triples and during training, and its samples."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.torch
import torch

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm.config import Config, load_config
from assignment.ddpm.data import Images, load_images, load_part, load_test
from assignment.ddpm.device import choose_device, half_precision
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from assignment.ddpm.labels import check_labels
from assignment.ddpm.runner import Runner, Setting
from grader import ROOT
from grader.checks.beats_reference import stratified
from grader.grading_config import Drawing, load_grading
from grader.metrics import classifier, damage
from grader.metrics import record as rec
from grader.metrics.draw import draw, to_bytes
from grader.metrics.floor import real_images
from grader.metrics.machine import machine
from grader.metrics.quality import assess
from grader.metrics.record import Record, load_record, save_record
from grader.metrics.reference import BATCH, load_network, measure_losses
from grader.metrics.triples import Triples, draw_triples, widths
from grader.recording.training import RUN, estimate, read_sittings, sit

SHIPPED = 15 << 20  # bytes of weights, at most, that go into the repository


class Training(NamedTuple):
    """One training, measured."""

    figures: dict[str, Any]
    runner: Runner
    losses: torch.Tensor  # of the first look


class Reference:
    """The reference for one configuration: its trainings, and what is measured on them."""

    def __init__(self, config_file: Path, overrides: list[str]) -> None:
        self.name, self.config_file, self.overrides = config_file.stem, config_file, overrides
        config = load_config(config_file, overrides)
        self.config, self.device = config, choose_device(config.runtime.device).value
        self.epochs_wanted = load_config(config_file).training.epochs  # as shipped, whatever this call overrides
        m = config.model
        self.shape = m.image_shape
        data, classes = config.data, m.num_classes
        self.images: Images = load_images(data.name, data.root, limit=None, shape=self.shape, num_classes=classes)
        self.test, self.test_labels = load_test(data.name, data.root, shape=self.shape), None
        if classes is not None:
            self.test_labels = check_labels(data.name, load_part(data.name, data.root, train=False).labels, classes)
        self.diffusion = GaussianDiffusion.of(config)

    def folder(self, seed: int) -> Path:
        return Path("outputs") / "reference" / f"{self.name}-seed{seed}"

    def configured(self, seed: int) -> Config:
        mine = [f"training.seed={seed}", "training.resume=true", f"output_dir={self.folder(seed)}"]
        return load_config(self.config_file, [*self.overrides, *mine])

    def train(self, seed: int, *, anew: bool) -> None:
        """Train to the end, or for this sitting."""
        sit(self.name, self.configured(seed), self.folder(seed), anew=anew)

    def recorded_seeds(self) -> list[int]:
        """Number of trainings recorded; 1 if there is no record."""
        record = load_record(self.name)
        return [seed["seed"] for seed in record.figures["seeds"]] if record else [0]

    def about_the_training_ahead(self) -> str:
        """How long the first seed's training will still take on this machine, in words."""
        return estimate(self.name, self.configured(0), self.folder(0), len(self.images.train))

    def load(self, file: Path) -> tuple[Runner, dict[str, str]]:
        """Weights rounded to bfloat16, as shipped, and run in float32, as a student's are."""
        return load_network(self.config.model, file, self.device)

    def triples(self, part: str, look: int) -> Triples:
        """The public ones."""
        images = self.test if part == "test" else self.images.validation
        return draw_triples(images, self.diffusion.num_timesteps, look, part=part)

    def losses(self, runner: Runner, part: str, look: int, what: str) -> torch.Tensor:
        """Of the network called with x and t alone, as levels 1 to 3 call every network."""
        triples = self.triples(part, look)
        return measure_losses(runner, self.diffusion, triples, self.device, f"loss, {what}")

    def summary(self, values: torch.Tensor, part: str, look: int) -> dict[str, Any]:
        """The loss of a look with its standard error, and the loss by bins of t."""
        triples = self.triples(part, look)
        mean = stratified(values, triples.bins, widths())
        return {"loss": mean.value, "standard_error": mean.error, "by_bin": mean.bins.tolist()}

    def with_labels(self, runner: Runner, part: str, what: str) -> dict[str, Any]:
        """The same of the first look, with the true labels; empty where the network has no classes."""
        labels = self.test_labels if part == "test" else self.images.validation_labels
        if labels is None:
            return {}
        triples = self.triples(part, 0)
        y = labels[triples.index]
        values = measure_losses(runner, self.diffusion, triples, self.device, f"loss with labels, {what}", labels=y)
        return {"with_labels": self.summary(values, part, 0)}

    def measure(self, seed: int) -> Training:
        """One training: its losses during training and at the end."""
        rows = ckpt.read_log(self.folder(seed) / RUN / ckpt.LOG)
        runner, about = self.load(self.folder(seed) / RUN / ckpt.WEIGHTS)
        values = self.losses(runner, "validation", 0, f"seed {seed}")
        figures = {
            "seed": seed, "epochs": rows[-1]["epoch"], "epochs_wanted": self.epochs_wanted,
            "kept_epoch": float(about["epoch"]), "training_seconds": rows[-1]["seconds"],
            "sittings": read_sittings(self.folder(seed)),
            "logged_validation_loss": float(about["val_loss"]), **self.summary(values, "validation", 0),
            **self.with_labels(runner, "validation", f"seed {seed}"), "milestones": self.milestones(seed),
        }  # fmt: skip
        return Training(figures, runner, values)

    def milestones(self, seed: int) -> list[dict[str, Any]]:
        """The losses during training, measured once and stored: a large network's early weights may be gone later."""
        file = self.folder(seed) / "milestones.json"
        found = json.loads(file.read_text()) if file.exists() else self.earlier_milestones(seed)
        for weights in sorted(self.folder(seed).glob("epoch-*.safetensors")):
            epoch = int(weights.stem.removeprefix("epoch-"))
            if epoch not in {row["epoch"] for row in found}:
                runner, what = self.load(weights)[0], f"seed {seed}, epoch {epoch}"
                summary = self.summary(self.losses(runner, "validation", 0, what), "validation", 0)
                found.append({"epoch": epoch, **summary, **self.with_labels(runner, "validation", what)})
                with replacing(file) as temporary:
                    temporary.write_text(json.dumps(found, indent=1) + "\n")
        return found

    def earlier_milestones(self, seed: int) -> list[dict[str, Any]]:
        """Those of the recorded training, if this one continued from its shipped weights."""
        record = load_record(self.name)
        if record is None or record.chosen["sittings"][0] not in read_sittings(self.folder(seed)):
            return []
        return record.chosen["milestones"]

    def drawing(self, kind: str) -> Drawing:
        return load_grading().samples[self.config.data.name].setting(kind)

    @torch.no_grad()
    def draw(self, runner: Runner, drawing: Drawing, seed: int) -> torch.Tensor:
        """Samples, uint8 (N, C, H, W), in the precision used for a student's; drawn entirely on the device."""
        if half_precision(self.device).value == torch.bfloat16:
            runner = Runner(runner.model, Setting(torch.bfloat16))
        diffusion = GaussianDiffusion.of(self.config, self.device)
        return to_bytes(draw(
            runner, diffusion, drawing.images, self.shape,
            steps=drawing.steps, seed=seed, batch_size=BATCH[self.device.type],
        ))  # fmt: skip

    def samples_file(self, seed: int, steps: int) -> Path:
        return self.folder(seed) / f"samples-{steps}.safetensors"

    def samples(self, seed: int, drawing: Drawing, weights: Path | None = None) -> torch.Tensor:
        """Samples of a training, uint8 (N, C, H, W), drawn as the grader does; stored beside its weights."""
        file, weights = self.samples_file(seed, drawing.steps), weights or self.folder(seed) / RUN / ckpt.WEIGHTS
        runner, _ = self.load(weights)
        of = fingerprint(runner.model)
        if file.exists():
            with safetensors.safe_open(file, framework="pt") as opened:
                kept = opened.get_tensor("images")
                if opened.metadata()["weights"] == of and len(kept) >= drawing.images:
                    return kept[: drawing.images]
        samples = self.draw(runner, drawing, seed)
        with replacing(file) as temporary:
            safetensors.torch.save_file({"images": samples}, temporary, metadata={"weights": of})
        return samples

    def kinds(self, seeds: list[int]) -> tuple[str, ...]:
        """The settings to record samples for: both with a GPU, or if a GPU has already drawn its own."""
        drawn = all(self.samples_file(seed, self.drawing("gpu").steps).exists() for seed in seeds)
        return ("cpu", "gpu") if self.device.type != "cpu" or drawn else ("cpu",)

    def record(self, seeds: list[int], looks: int) -> Path:
        """Measure all existing trainings, and write the files that the grader reads."""
        trainings = [self.measure(seed) for seed in seeds]
        best = min(trainings, key=lambda training: training.figures["loss"])
        kept = {"validation.0": best.losses, "test.0": self.losses(best.runner, "test", 0, "test images")}
        for look in range(1, looks):
            kept[f"validation.{look}"] = self.losses(best.runner, "validation", look, f"look {look + 1}")
        fingerprints = {}
        for name in kept:
            part, _, number = name.partition(".")
            fingerprints[name] = self.triples(part, int(number)).fingerprint()

        drawn = {kind: [self.samples(seed, self.drawing(kind)) for seed in seeds] for kind in self.kinds(seeds)}
        of_seeds = [training.figures for training in trainings]
        figures = {
            "config": self.name, "provisional": self.why_provisional(of_seeds),
            "machine": machine(self.device), "overrides": self.overrides,
            "parameters": sum(p.numel() for p in best.runner.parameters()), "chosen_seed": best.figures["seed"],
            "weights": self.save_weights(best.runner), "fingerprints": fingerprints,
            "test": self.summary(kept["test.0"], "test", 0) | self.with_labels(best.runner, "test", "test images"),
            "seeds": of_seeds, **self.assess(drawn),
        }  # fmt: skip
        return save_record(self.name, Record(figures, kept))

    def assess(self, drawn: dict[str, list[torch.Tensor]]) -> dict[str, Any]:
        """Metrics of samples, by the setting they were drawn in, and of as many real images."""
        data, train = self.config.data.name, self.images.train
        held_out = torch.cat([self.images.validation, self.test])
        floors = real_images(data, held_out, train, [self.drawing(kind).images for kind in drawn])
        samples = {
            kind: asdict(self.drawing(kind))
            | {"reference": [assess(images, data, train).to_json() for images in sets], "floor": floor}
            for (kind, sets), floor in zip(drawn.items(), floors, strict=True)
        }
        return {"classifier": classifier.load(data).name, "damage": damage.load(data).name, "samples": samples}

    def record_samples(self) -> Path:
        """Measure samples and real images again, as after a change of grading.yaml; the losses stay.

        The weights are those that the record names; if they are gone, only stored samples can be measured.
        """
        record = load_record(self.name)
        if record is None:
            raise UserError(f"nothing is recorded of {self.name} yet: leave --only away")
        weights, seed = ROOT / record.figures["weights"], record.figures["chosen_seed"]
        drawn = {}
        for kind in self.kinds([seed]):
            drawing, kept = self.drawing(kind), self.samples_file(seed, self.drawing(kind).steps)
            if weights.exists():
                drawn[kind] = [self.samples(seed, drawing, weights)]
            elif kept.exists():
                drawn[kind] = [safetensors.torch.load_file(kept)["images"][: drawing.images]]
            else:
                drawn[kind] = []
        return save_record(self.name, Record(record.figures | self.assess(drawn), record.losses))

    def save_weights(self, runner: Runner) -> str:
        """Ship the weights if they are small enough; returns their path from the root of the project."""
        file = rec.WEIGHTS / f"{self.name}.safetensors"
        state = {k: v.bfloat16().cpu().contiguous() for k, v in runner.model.state_dict().items()}
        if sum(v.nbytes for v in state.values()) > SHIPPED:
            file = Path("outputs") / "reference" / f"{self.name}.safetensors"
        with replacing(file) as temporary:
            safetensors.torch.save_file(state, temporary)
        return str(file.resolve().relative_to(ROOT)) if file.is_absolute() else str(file)

    def why_provisional(self, seeds: list[dict[str, Any]]) -> str:
        """The reason in a few words; empty if the figures are final."""
        done, wanted = min(s["epochs"] for s in seeds), self.epochs_wanted
        trained_on = seeds[0]["sittings"][-1]["machine"]["type"]
        limited = f", {self.config.data.limit:,} images" if self.config.data.limit else ""
        if done < wanted or limited:
            return f"{trained_on}: {done:.3g} of {wanted} epochs{limited}"
        return ""


def fingerprint(model: torch.nn.Module) -> str:
    """SHA-256 of a network's weights, rounded as they are shipped."""
    digest = hashlib.sha256()
    for _, tensor in sorted(model.state_dict().items()):
        digest.update(tensor.bfloat16().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
