"""The pictures in README.md and docs/students.md: `python -m tests.bench.pictures`. Minutes on a CPU.

The forward process, the schedule and a reverse process come from the reference's record on the digits. What a report
shows comes from a grading of the ladder's last rung, so `python -m tests.bench.ladder` runs first.
"""

import shutil
import tempfile
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from assignment.ddpm.checkpoint import WEIGHTS
from assignment.ddpm.config import Config, load_config
from assignment.ddpm.data import load_images
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError, run_command
from assignment.ddpm.exercise import save_noising
from assignment.ddpm.figures import DPI, SIZE, save_grid
from grader.demo_bonus import Demo, of_real_images
from grader.grade import grade
from grader.metrics.record import WEIGHTS as RECORDED
from grader.metrics.reference import load_network
from grader.suite.pictures import save_few_steps
from reference.sampler import DDPMSampler
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.proof.trained import DIGITS

PICTURES = ROOT / "reference" / "pictures"
TRAINED = ROOT / "outputs" / "ladder" / "digits-5" / "run" / WEIGHTS
STOPS = (999, 800, 600, 400, 250, 150, 80, 40, 0)  # timesteps that the picture of a reverse process shows
SEED = 3
CONDITIONAL = "digits_conditional"


def noising(config: Config, diffusion: GaussianDiffusion) -> None:
    fashion = load_config(ROOT / "configs" / "fashion_mnist.yaml", [f"data.root={config.data.root}"])
    images = load_images(fashion.data.name, fashion.data.root, limit=None, shape=fashion.model.image_shape)
    torch.manual_seed(0)
    save_noising(images.train, diffusion, PICTURES / "noising.png")


def schedule(diffusion: GaussianDiffusion) -> None:
    """How much of x_t is image and how much noise, and how much noise a reverse step adds."""
    figure = Figure(figsize=(2 * SIZE[0], SIZE[1]), dpi=DPI * 2 // 3, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(diffusion.sqrt_alpha_bar, label="√alpha_bar[t]: weight of the image", color="tab:blue")
    left.plot(diffusion.sqrt_one_minus_alpha_bar, label="√(1 − alpha_bar[t]): weight of the noise", color="tab:orange")
    left.set(xlabel="timestep t", title="what x_t is made of")
    t = torch.arange(diffusion.num_timesteps)[:40]
    right.plot(t, diffusion.betas[:40].sqrt(), label="√beta[t]", color="tab:blue", marker=".")
    tilde = diffusion.posterior_variance[:40].sqrt()
    right.plot(t, tilde, label="√beta-tilde[t]: 0 at t = 0", color="tab:orange", marker=".")
    right.set(xlabel="timestep t (the first 40 of 1,000)", title="standard deviation of a reverse step")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(PICTURES / "schedule.png")


@torch.no_grad()
def reverse(config: Config, diffusion: GaussianDiffusion, images: int = 3) -> None:
    """A reverse process: x_t, and below it the image that the network's answer points to."""
    network, _ = load_network(config.model, RECORDED / "digits.safetensors", torch.device("cpu"))
    sampler = DDPMSampler(diffusion, "cpu")
    torch.manual_seed(SEED)
    x = torch.randn(images, *config.model.image_shape)
    seen: list[tuple[Tensor, Tensor]] = []
    for step in reversed(range(diffusion.num_timesteps)):
        t = torch.full((images,), step)
        if step in STOPS:
            signal, noise = diffusion.sqrt_alpha_bar[step], diffusion.sqrt_one_minus_alpha_bar[step]
            seen.append((x, (x - noise * network(x, t)) / signal))
        x = sampler.p_sample(network, x, t)
    rows = [torch.stack([pair[kind][i] for pair in seen]) for i in range(images) for kind in (0, 1)]  # (S, C, H, W)
    save_grid(
        torch.cat(rows), PICTURES / "reverse.png", columns=len(STOPS), beside=["x_t", "estimate of x_0"] * images,
        above=[(column, f"t = {t}") for column, t in enumerate(STOPS)],
    )  # fmt: skip


def of_reports() -> None:
    """What a report shows of a trained network, and of a sampler with a mistake."""
    if not TRAINED.exists():
        raise UserError(f"{TRAINED}: not there; expected it from: python -m tests.bench.ladder")
    of_network = {"level1.samples.sound", "level2.loss.beats_reference"}
    for files, levels, only, names in (
        ({"model.py": "trained/unet"}, [1, 2], of_network, ("level1-samples", "level2-loss-by-t")),
        ({"sampler.py": "wrong/samplers/sigma_of_t_minus_1"}, [4], {"level4.end_to_end"}, ("level4-steps",)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            for name, file in files.items():
                shutil.copy(BANK / f"{file}.py", Path(folder) / name)
            figures = Path(folder) / "figures"
            options = [f"--figures={figures}", *([f"--weights=digits={TRAINED}"] if levels != [4] else [])]
            grade(
                Path(folder), levels=levels, config=DIGITS, overrides=["runtime.device=cpu"], quiet=True,
                only=only.__contains__, options=options,
            )  # fmt: skip
            for name in names:
                shutil.copy(figures / f"{name}.png", PICTURES / f"{name}.png")


def bonus() -> None:
    """What `make demo-bonus` shows, of the recorded weights."""
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(ROOT / "configs" / f"{CONDITIONAL}.yaml", [f"output_dir={folder}", "runtime.device=cpu"])
        demo = Demo(config, RECORDED / f"{CONDITIONAL}.safetensors")
        shutil.copy(demo.draw_classes(), PICTURES / "bonus-classes.png")
        save_few_steps(demo.measure_fids(), PICTURES / "bonus-steps.png", real=of_real_images(CONDITIONAL))


def draw() -> None:
    config = load_config(DIGITS)
    diffusion = GaussianDiffusion.of(config)
    noising(config, diffusion)
    schedule(diffusion)
    reverse(config, diffusion)
    bonus()
    of_reports()


if __name__ == "__main__":
    raise SystemExit(run_command(draw))
