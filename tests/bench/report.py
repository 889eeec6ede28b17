"""The README's figures, made from the result files: `python -m tests.bench.report` writes them in.

A test compares the README with what this would write, so no figure in it can go stale.
"""

import json
import re
from pathlib import Path

from tests.bench.__main__ import table
from tests.bench.results import RESULTS
from tests.bench.runs import LARGE, T4

README = Path("README.md")
GPU_SETS = ("fashion_mnist", "cifar10")


def load(name: str) -> dict | None:
    path = RESULTS / name
    return json.loads(path.read_text()) if path.exists() else None


def where(result: dict) -> str:
    m = result["machine"]
    return f"{m['device']}, {m['threads']} threads" if m["type"] == "cpu" else m["device"]


def runs() -> str:
    lines = ["| run | machine | time | epochs | validation loss |", "|---|---|---:|---:|---:|"]
    measured = set()
    for device in ("cpu", "cuda"):
        result = load(f"runs-{device}.json") or {"runs": []}
        for run in result["runs"]:
            arguments = run["command"].removeprefix("main.py --config configs/")
            measured.add(arguments)
            minutes = (run["seconds"] if device == "cpu" else run["whole_training_seconds"]) / 60
            done = f"{run['epochs']:g}" + (
                f" of {run['epochs_wanted']}" if run["epochs"] < run["epochs_wanted"] else ""
            )
            lines.append(f"| `{arguments}` | {where(result)} | {minutes:.1f} min | {done} | {run['val_loss']:.4f} |")
    documented = [
        (name, machine, args) for machine, args in (("Colab T4", T4), ("large GPU", LARGE)) for name in GPU_SETS
    ]
    for name, machine, arguments in documented:
        run = f"{name}.yaml --solution {arguments}"
        if run not in measured:
            lines.append(f"| `{run}` | {machine} | not yet measured | | |")
    return "\n".join(lines)


def speed() -> str:
    parts = []
    for config in ("digits", "fashion_mnist", "cifar10"):
        for device in ("cpu", "cuda"):
            if result := load(f"{config}-{device}.json"):
                parts.append(f"{table(result)}\n\n{where(result)}, torch {result['machine']['torch']}")
    if not any(RESULTS.glob("*-cuda.json")):
        parts.append("GPU: not yet measured.")
    return "\n\n".join(parts)


def fill(text: str) -> str:
    """Replace what stands between the markers <!-- name --> and <!-- /name -->."""
    for name, make in (("runs", runs), ("speed", speed)):
        block = f"<!-- {name} -->\n{make()}\n<!-- /{name} -->"
        text = re.sub(rf"<!-- {name} -->.*<!-- /{name} -->", lambda _, block=block: block, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    README.write_text(fill(README.read_text()))
