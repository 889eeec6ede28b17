"""What `auto` measures and chooses for the reference on this machine: `python -m tests.bench.settings [CONFIG …]`.

Measured afresh, for a run as long as the configuration's. Writes tests/bench/results/settings-<config>-<device>.json.
"""

import argparse
from pathlib import Path

from assignment.ddpm.autotune import tune
from assignment.ddpm.config import config_files, load_config
from assignment.ddpm.device import choose_device
from reference.model import DiffusionModel
from tests.bench.results import write

STEPS = 10**6  # long enough that every setting is tried


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.settings", description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="*", default=config_files(), metavar="CONFIG")
    for file in parser.parse_args().configs:
        config = load_config(file)
        device = choose_device(config.runtime.device).value
        m, batch = config.model, config.data.batch_size
        shape = (batch, *m.image_shape)
        tuned = tune(DiffusionModel(m).to(device), config.runtime, shape, device, steps=STEPS)
        print(f"{file}: {tuned}", *(f"  {setting}: {says}" for setting, says in tuned.measured.items()), sep="\n")
        figures = {"chosen": str(tuned.setting), "reason": tuned.reason, "measured": tuned.measured}
        print(write(f"settings-{Path(file).stem}-{device.type}.json", device, figures), flush=True)


if __name__ == "__main__":
    main()
