"""Train small networks from the bank on Fashion-MNIST for a few minutes each, and draw clear and unclear samples.

Leaves uint8 images in outputs/gpu-networks/<network>-<minutes>.safetensors, to test the limits on samples.
"""

import argparse
import json
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from assignment.ddpm import exercise
from assignment.ddpm.checkpoint import LOG, WEIGHTS, load_weights, read_log
from assignment.ddpm.config import load_config
from assignment.ddpm.device import choose_device
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.runner import Runner, Setting
from grader.metrics.draw import draw, to_bytes
from reference.sampler import DDPMSampler
from tests.proof.bank import BANK
from tests.proof.trained import network_class

OUTPUT = Path("outputs") / "gpu-networks"
NETWORKS = (
    "trained/unet.py", "trained/unet_without_t.py", "right/networks/residual_convnet.py",
    "right/networks/unet_add_attention.py", "right/networks/dit_adaln_zero.py",
)  # fmt: skip
IMAGES, STEPS = 512, 50


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.networks", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs="+", required=True)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    args = parser.parse_intermixed_args()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for minutes in args.minutes:
        for name in NETWORKS:
            one(name, minutes, args.overrides)


def one(name: str, minutes: float, overrides: list[str]) -> None:
    file = OUTPUT / f"{Path(name).stem}-{minutes:g}.safetensors"
    if file.exists():
        return
    config = load_config("configs/fashion_mnist.yaml", [
        f"training.max_minutes={minutes}", f"output_dir={OUTPUT / 'runs' / file.stem}", "sampling.num_images=2",
        "sampling.every_epochs=0", "runtime.compile=false", *overrides,
    ])  # fmt: skip
    device, run_dir = choose_device(config.runtime.device).value, Path(config.output_dir) / "run"
    network = network_class(BANK / name)
    exercise.run(config, network, DDPMSampler, run_dir)
    model = network(config.model)
    about = load_weights(model, run_dir / WEIGHTS)
    runner = Runner(model.to(device).eval().requires_grad_(False), Setting())
    diffusion = GaussianDiffusion(device=device)
    with torch.no_grad():
        images = to_bytes(draw(
            runner, diffusion, IMAGES, (1, 28, 28), steps=STEPS, seed=0, batch_size=IMAGES,
        ))  # fmt: skip
    trained = {"epochs": read_log(run_dir / LOG)[-1]["epoch"], "val_loss": about["val_loss"], "network": name}
    safetensors.torch.save_file({"images": images}, file, metadata={"trained": json.dumps(trained)})


if __name__ == "__main__":
    main()
