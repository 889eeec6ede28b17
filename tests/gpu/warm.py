"""Compile a reference's training step in advance, beside other work: its training then finds it in torch's cache."""

import argparse
import time

import torch

from assignment.ddpm.config import load_config
from assignment.ddpm.runner import Runner, Setting
from reference.model import DiffusionModel


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.warm", description=__doc__)
    parser.add_argument("--config", required=True)
    config = load_config(parser.parse_args().config)
    m, batch = config.model, config.data.batch_size
    setting = Setting(torch.bfloat16, channels_last=True, compile=True)
    runner = Runner(DiffusionModel(m).to("cuda"), setting).train()
    x = torch.randn(batch, *m.image_shape, device="cuda")
    for _ in range(2):
        started = time.monotonic()
        runner(x, torch.zeros(batch, dtype=torch.long, device="cuda")).square().mean().backward()
        torch.cuda.synchronize()
        print(f"{time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
