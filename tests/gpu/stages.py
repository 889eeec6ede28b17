"""The stages, by priority, and how they are run: some alone, the others in parallel lanes."""

import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing

ROOT = Path(__file__).parent.parent.parent
STATE = ROOT / "outputs" / "gpu-stages"  # a log and an end for each stage
RESULTS = ROOT / "tests" / "bench" / "results" / "stages-cuda.json"
DATA = ("fashion_mnist", "cifar10")
BANK = "tests/proof/submissions"
AROUND = 40  # seconds around a training: importing, compiling, samples.png
# minutes are short, and measuring settings takes one: these won on Fashion-MNIST
FAST = ("runtime.precision=bfloat16", "runtime.channels_last=true", "runtime.compile=true")


@dataclass(frozen=True)
class Stage:
    """A Python process. `lane` "" runs alone, before the lanes; the stages of a lane run one after another."""

    name: str
    lane: str
    seconds: float  # that it needs at least: with less left it is not started
    command: Callable[[float], list[str]]  # seconds available → Python's arguments
    reserve: float = 0.0  # seconds to leave for the later stages of its lane


def plan(data: str, *, rehearsal: bool, only: list[str] | None) -> list[Stage]:
    """The stages by priority. Raises UserError if one of `only` is unknown."""
    stages = _rehearsal() if rehearsal else _cifar10() if data == "cifar10" else _fashion_mnist()
    if unknown := set(only or ()) - {stage.name for stage in stages}:
        raise UserError(f"--only {unknown.pop()}: expected some of {', '.join(stage.name for stage in stages)}")
    return [stage for stage in stages if not only or stage.name in only]


def _fashion_mnist() -> list[Stage]:
    config, gpu = "configs/fashion_mnist.yaml", "runtime.device=cuda"
    right, wrong = f"{BANK}/trained/unet.py", f"{BANK}/trained/unet_without_t.py"

    def bench(left: float) -> list[str]:
        return ["-m", "tests.bench", "--config", config, "--rounds", "1", "--steps", "50", "--sampling-steps", "200"]

    def graded(name: str, model: str, *more: str) -> Callable[[float], list[str]]:
        return lambda left: ["-m", "tests.gpu.graded", name, model, "--config", config, *more, gpu]

    return [
        Stage("tests", "tests", 30, lambda left: ["-m", "pytest", "tests/gpu/test_gpu.py", "-p", "no:cacheprovider"]),
        Stage("sandbox", "tests", 30, graded("sandbox", right, "--sandbox", "required")),
        Stage("right", "right", 60, graded("right", right, "--train", "0.5")),
        Stage("wrong", "wrong", 60, graded("wrong", wrong, "--train", "0.5")),
        Stage("warm", "training", 30, lambda left: ["-m", "tests.gpu.warm", "--config", config]),
        Stage("reference", "training", 100, reference(config, *FAST), reserve=75),
        Stage("draw", "training", 15, draw(config, 2048, 50, 250)),
        Stage("draw-1000", "training", 15, draw(config, 1024, 1000)),
        Stage("overfit", "overfit", 30, lambda left: ["-m", "tests.gpu.overfit", "--processes", "10"]),
        Stage("networks", "overfit", 30, lambda left: ["-m", "tests.gpu.networks", "--minutes", "0.1", "0.4"]),
        Stage(
            "runs", "runs", 40, lambda left: ["-m", "tests.bench.runs", "--only", "fashion_mnist", "--minutes", "0.4"]
        ),
        Stage("bench", "bench", 60, bench),
    ]


def _cifar10() -> list[Stage]:
    config = "configs/cifar10.yaml"
    return [
        Stage("reference-cifar10", "training", 100, reference(config, *FAST), reserve=70),
        Stage("draw-cifar10", "training", 15, draw(config, 2048, 50, 250)),
        Stage("draw-cifar10-1000", "training", 30, draw(config, 512, 1000)),
    ]


def reference(config: str, *overrides: str) -> Callable[[float], list[str]]:
    """Training from random weights, for as long as the time allows."""

    def command(left: float) -> list[str]:
        minutes = f"training.max_minutes={max(0.1, (left - AROUND) / 60):.2f}"
        return [
            "-m", "grader.recording", "--config", config, "--anew", "--only", "train", minutes,
            "sampling.every_epochs=0", *overrides,
        ]  # fmt: skip

    return command


def draw(config: str, images: int, *steps: int) -> Callable[[float], list[str]]:
    """Samples of the reference, in several numbers of steps."""
    return lambda left: [
        "-m", "tests.gpu.draw", "--config", config, "--images", str(images), "--steps", *map(str, steps)
    ]  # fmt: skip


def _rehearsal() -> list[Stage]:
    """Every kind of stage once, on the digits and a CPU, in a minute or two."""
    config, cpu = "configs/digits.yaml", "runtime.device=cpu"
    about = ["--config", config]
    tiny = ["data.limit=256", "training.epochs=2", "sampling.num_images=2", cpu]

    def grade(left: float) -> list[str]:
        model = f"{BANK}/trained/unet.py"
        return ["-m", "tests.gpu.graded", "right", model, *about, "--train", "0.02", cpu, "sampling.num_images=2"]

    def overfit(left: float) -> list[str]:
        return ["-m", "tests.gpu.overfit", "--device", "cpu", "--configs", "digits", "--names", "residual_convnet"]

    return [
        Stage("tests", "grading", 1, lambda left: ["-m", "pytest", "tests/gpu/test_gpu.py", "-p", "no:cacheprovider"]),
        Stage("reference", "training", 1, reference(config, *tiny)),
        Stage("draw", "training", 1,
              lambda left: ["-m", "tests.gpu.draw", *about, "--images", "4", "--steps", "5", "--milestones", "4", cpu]),
        Stage("right", "grading", 1, grade),
        Stage("overfit", "overfit", 1, overfit),
    ]  # fmt: skip


def run_all(stages: list[Stage], *, deadline: float) -> dict[str, str]:
    """Run them until the deadline (of time.monotonic); returns how each ended, in a few words."""
    STATE.mkdir(parents=True, exist_ok=True)
    ends: dict[str, str] = {}
    lanes: dict[str, list[Stage]] = {}
    for stage in stages:
        lanes.setdefault(stage.lane, []).append(stage)

    def run_lane(lane: list[Stage]) -> None:
        for stage in lane:
            ends[stage.name] = end = _run(stage, deadline)
            print(f"{stage.name}: {end}", flush=True)

    run_lane(lanes.pop("", []))
    threads = [threading.Thread(target=run_lane, args=(lane,)) for lane in lanes.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    note_all()
    return ends


def note_all() -> None:
    """Write how every stage last ended, and on which machine, to a result file; stages of earlier days stay in it."""
    rows = json.loads(RESULTS.read_text())["stages"] if RESULTS.exists() else []
    ends, machine = (json.loads(file.read_text()) for file in sorted(STATE.glob("*.json"))), _machine()
    told = {row["stage"]: row for row in rows} | {end["stage"]: {**end, "machine": machine} for end in ends}
    with replacing(RESULTS) as temporary:
        temporary.write_text(json.dumps({"stages": list(told.values())}, indent=1) + "\n")


def _machine() -> dict[str, str | int]:
    """As in grader/metrics/machine.py, without importing torch: seconds count here."""
    name = "none"
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        name = subprocess.run(query, capture_output=True, text=True).stdout.strip()
    return {
        "device": name, "type": "cuda", "cores": os.cpu_count() or 1, "python": platform.python_version(),
        "torch": version("torch"), "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip


def _run(stage: Stage, deadline: float) -> str:
    end = STATE / f"{stage.name}.json"
    if end.exists() and json.loads(end.read_text())["end"].startswith("done"):
        return f"done before, in {json.loads(end.read_text())['seconds']:.0f} s"
    started = time.monotonic()
    left = deadline - started - stage.reserve
    if left < stage.seconds:
        says = f"not begun: {max(0, left):.0f} s were left, it needs {stage.seconds:.0f}"
    else:
        says = _process([sys.executable, *stage.command(left)], STATE / f"{stage.name}.log", left + stage.reserve)
    seconds = time.monotonic() - started
    with replacing(end) as temporary:
        temporary.write_text(json.dumps({"stage": stage.name, "end": says, "seconds": round(seconds, 1)}) + "\n")
    return f"{says}, {seconds:.0f} s"


def _process(command: list[str], log: Path, seconds: float) -> str:
    """Run it in its own process group, which is killed when the time is up; its output goes to the log."""
    with open(log, "ab") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code is None:
        return f"stopped after {seconds:.0f} s"
    return "done" if code == 0 else f"failed (exit code {code})"
