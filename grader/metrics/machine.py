"""The machine on which something was measured, for result files."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import torch


def machine(device: torch.device) -> dict[str, str | int | None]:
    import diffusers

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
    return {
        "device": name, "type": device.type, "cores": os.cpu_count(), "threads": torch.get_num_threads(),
        "torch": torch.__version__, "diffusers": diffusers.__version__, "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {torch.backends.cpu.get_cpu_capability()}"
