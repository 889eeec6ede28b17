"""Result files: what was measured, and on which machine."""

import json
from pathlib import Path

import torch

from grader.metrics.machine import machine

RESULTS = Path(__file__).parent / "results"
CONFIGS = ("digits", "fashion_mnist", "cifar10")
DEVICES = ("cpu", "cuda")


def write(name: str, device: torch.device, figures: dict) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / name
    path.write_text(json.dumps({"machine": machine(device), **figures}, indent=1) + "\n")
    return path


def load(name: str) -> dict | None:
    path = RESULTS / name
    return json.loads(path.read_text()) if path.exists() else None


def each(kind: str) -> list[tuple[str, dict]]:
    """The existing result files of a kind, by configuration and device."""
    names = [(config, f"{kind}{config}-{device}.json") for config in CONFIGS for device in DEVICES]
    return [(config, result) for config, name in names if (result := load(name))]


def where(result: dict) -> str:
    """The machine of a result, in a few words."""
    m = result["machine"]
    threads = f"{m['threads']} thread{'s' if m['threads'] != 1 else ''}"
    device = f"{m['device']}, {threads}" if m["type"] == "cpu" else m["device"]
    return f"{device}, torch {m['torch']}, {m['date']}"
