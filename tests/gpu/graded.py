"""Grade a submission from the bank on the GPU, trained first or not, as an instructor would: results and pictures."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.proof.bank import BANK

OUTPUT = Path("outputs") / "gpu-graded"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.graded", description=__doc__)
    parser.add_argument("name", help="of the folder in outputs/gpu-graded/")
    parser.add_argument("model", type=Path)
    parser.add_argument("--config", required=True)
    parser.add_argument("--train", type=float, metavar="MINUTES", help="first, and judge level 2 as well")
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    args = parser.parse_intermixed_args()
    training = ["--train", f"training.max_minutes={args.train}", "--level", "2"] if args.train else []
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(args.model, Path(folder) / "model.py")
        shutil.copy(BANK / "right" / "samplers" / "eps_beta_tilde.py", Path(folder) / "sampler.py")
        command = [
            "-m", "grader", folder, "--config", args.config, "--level", "1", "--level", "4", *training, "--sandbox",
            args.sandbox, "--seed", "1", "--output", str(OUTPUT / args.name), *args.overrides,
        ]  # fmt: skip
        return subprocess.run([sys.executable, *command]).returncode


if __name__ == "__main__":
    sys.exit(main())
