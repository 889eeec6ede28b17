"""Levels 5 and 6 in two pictures: each class at three strengths of guidance, and the FID by the number of steps.

python -m grader.demo_bonus [--config configs/X_conditional.yaml] [key.path=value …]      (make demo-bonus)

Of the reference network, as main.py has trained it. Every FID is kept when it is measured, so the next call goes on.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch

from assignment.ddpm.checkpoint import WEIGHTS
from assignment.ddpm.config import Config, identity, load_config
from assignment.ddpm.data import load_images
from assignment.ddpm.device import choose_device
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import Parser, UserError, run_command
from assignment.ddpm.figures import save_grid
from assignment.ddpm.files import replacing
from assignment.ddpm.labels import a_row_each
from grader.metrics.draw import draw, draw_ddim, guided, to_bytes
from grader.metrics.quality import REAL, fidelity
from grader.metrics.record import load_record
from grader.metrics.reference import BATCH, load_network
from grader.runs import run_folder
from grader.suite.pictures import save_few_steps

CONFIG = Path("configs/digits_conditional.yaml")
STRENGTHS, EACH, STEPS_SHOWN = (0.0, 1.0, 3.0), 4, 50  # w; images of each class; steps of DDIM
STEPS, IMAGES = (5, 10, 20, 50, 100, 250), 256  # for each an FID, of so many images
SAMPLERS = {"DDPM": draw, "DDIM": draw_ddim}

Fids = dict[str, dict[int, float]]  # sampler → steps → FID


class Demo:
    """A trained network with classes, what is drawn from it, and the folder for the pictures."""

    def __init__(self, config: Config, weights: Path) -> None:
        assert config.model.num_classes is not None, "as `read` has made sure"
        self.config, self.weights, self.classes = config, weights, config.model.num_classes
        self.shape, self.folder = config.model.image_shape, Path(config.output_dir) / "bonus"
        self.device = choose_device(config.runtime.device).value
        self.diffusion = GaussianDiffusion.of(config, self.device)
        self.network, _ = load_network(config.model, weights, self.device)

    def draw_classes(self) -> Path:
        """A row for each class and a block of columns for each strength; every block begins with the same noise."""
        labels, blocks = a_row_each(EACH * self.classes, self.classes), []
        blank = torch.ones(self.classes, 1, *self.shape)  # white, between the blocks
        for w in STRENGTHS:
            images = draw_ddim(
                guided(self.network, w, self.classes), self.diffusion, len(labels), self.shape,
                steps=min(STEPS_SHOWN, self.diffusion.num_timesteps), seed=0, batch_size=BATCH[self.device.type],
                labels=labels,
            )  # fmt: skip
            blocks += [images.view(self.classes, EACH, *self.shape), blank]
        page = torch.cat(blocks[:-1], dim=1)  # (K, columns, C, H, W)
        save_grid(
            page.flatten(0, 1), self.folder / "classes.png", columns=page.shape[1],
            above=[(k * (EACH + 1) + (EACH - 1) / 2, f"w = {w:g}") for k, w in enumerate(STRENGTHS)],
            beside=[str(label) for label in range(self.classes)],
        )  # fmt: skip
        return self.folder / "classes.png"

    def measure_fids(self) -> Fids:
        """With the class at w = 1, the network's own answer; prints each."""
        file, about = self.folder / "fids.json", self.about()
        found = kept_fids(file, about)
        for steps in (n for n in STEPS if n <= self.diffusion.num_timesteps):
            for name in SAMPLERS:
                if steps not in found[name]:
                    found[name][steps] = self.fid(name, steps)
                    with replacing(file) as temporary:
                        temporary.write_text(json.dumps({"about": about, "fids": found}, indent=1) + "\n")
                print(f"{name} in {steps} steps: FID {found[name][steps]:.1f}")
        return found

    def fid(self, sampler: str, steps: int) -> float:
        data = self.config.data
        real = load_images(data.name, data.root, limit=None, shape=self.shape).train[:REAL]
        samples = SAMPLERS[sampler](
            self.network, self.diffusion, IMAGES, self.shape, steps=steps, seed=0, batch_size=BATCH[self.device.type],
            labels=torch.arange(IMAGES) % self.classes,
        )  # fmt: skip
        return fidelity(to_bytes(samples), real, data.name)["fid"]

    def about(self) -> dict[str, object]:
        """What the FIDs depend on."""
        weights = hashlib.sha256(self.weights.read_bytes()).hexdigest()
        return {**identity(self.config), "weights": weights, "images": IMAGES}


def kept_fids(file: Path, about: dict[str, object]) -> Fids:
    """Those measured earlier of the same; none of anything else."""
    try:
        kept = json.loads(file.read_text())
        if kept["about"] == about:
            return {name: {int(n): float(fid) for n, fid in kept["fids"][name].items()} for name in SAMPLERS}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        pass  # not there, or not ours: measured again
    return {name: {} for name in SAMPLERS}


def of_real_images(config_name: str) -> float | None:
    """The FID of as many unseen real images; None where it is not recorded."""
    record = load_record(config_name)
    for drawn in record.figures["samples"].values() if record else ():
        if drawn["images"] == IMAGES:
            return drawn["floor"]["fid"]["mean"]
    return None


def read(argv: list[str]) -> tuple[Path, Config]:
    """The configuration and its file. Raises UserError if it has no classes, or as `load_config`."""
    parser = Parser(prog="python -m grader.demo_bonus", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help=f"a YAML file; default: {CONFIG}")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="override a key of the configuration")
    args = parser.parse_intermixed_args(argv)
    config = load_config(args.config, args.overrides)
    if config.model.num_classes is None:
        raise UserError(f"{args.config}: model.num_classes is null; expected a configuration with classes, as {CONFIG}")
    return args.config, config


def run(argv: list[str]) -> None:
    file, config = read(argv)
    weights = run_folder(file, config, trusted=True) / WEIGHTS
    if not weights.is_file():
        raise UserError(f"{weights}: not there; train first: uv run python main.py --config {file} --solution")
    demo, real = Demo(config, weights), of_real_images(file.stem)
    print(f"each class, with w = {', '.join(f'{w:g}' for w in STRENGTHS)}: {demo.draw_classes()}", flush=True)
    picture = save_few_steps(demo.measure_fids(), demo.folder / "steps.png", real=real)
    says = "" if real is None else f"; that of as many unseen real images is {real:.1f}"
    print(f"FID of {IMAGES} images by the number of steps: {picture}{says}")


def main(argv: list[str]) -> int:
    """Exit codes: 0 done, 1 the run failed, 2 the call is wrong, 130 interrupted."""
    return run_command(lambda: run(argv), interrupted="the same command goes on")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
