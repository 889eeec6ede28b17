"""How close do right networks come to the limits of the overfit run on this device, and which wrong ones pass?

Every right network of the bank, and the wrong ones that the checks after that run should catch. Rewrites
tests/bench/results/overfit-<device>.json after each grading, so that an interrupted run leaves what it has.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import torch

from tests.bench.results import write
from tests.proof.bank import Entry, entries

CHECKS = ("training.overfits", "training.predicts_noise", "training.not_squashed")

GRADE = """
import json, sys
from pathlib import Path
from grader.grade import grade
names = ("overfits", "predicts_noise", "not_squashed")
results = grade(Path(sys.argv[1]), levels=[1], config=Path(sys.argv[2]), overrides=[sys.argv[3]], seed=1, quiet=True,
                only=lambda check: check.endswith(names))
Path(sys.argv[4]).write_text(json.dumps(results.to_json()))
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.overfit", description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--configs", nargs="+", default=["fashion_mnist", "digits"])
    parser.add_argument("--names", nargs="+", help="of networks, else all that matter")
    args = parser.parse_args()
    bank = [e for e in entries() if e.level == 1 and (e.right or e.caught_by.removeprefix("level1.") in CHECKS)]
    chosen = [e for e in bank if not args.names or e.name.split("/")[-1] in args.names]
    tasks = [(entry, config) for config in args.configs for entry in chosen]
    found: list[dict] = []
    with ThreadPoolExecutor(args.processes) as pool:
        for done in as_completed(pool.submit(one, entry, config, args.device) for entry, config in tasks):
            found.append(done.result())
            print(found[-1], flush=True)
            write(f"overfit-{args.device}.json", torch.device(args.device), {"of": len(tasks), "runs": found})


def one(entry: Entry, config: str, device: str) -> dict:
    """A grading in a separate process: the results of these checks, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results.json"
        laid_out = entry.lay_out(Path(folder) / "submission")
        command = [sys.executable, "-c", GRADE, laid_out, f"configs/{config}.yaml", f"runtime.device={device}", output]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        about = {"name": entry.name, "config": config, "right": entry.right}
        if done.returncode:
            return about | {"fault": done.stderr.strip().splitlines()[-1]}
        by_name = {check["id"].removeprefix("level1."): check for check in json.loads(output.read_text())["checks"]}
    overfits = by_name["training.overfits"]
    return about | {
        "verdicts": {name: by_name[name]["verdict"] for name in CHECKS}, "measured": overfits["measurements"],
        "message": overfits["message"], "seconds": overfits["seconds"],
    }  # fmt: skip


if __name__ == "__main__":
    main()
