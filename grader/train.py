"""Train a submission before it is judged, with the project's own main.py, in a clean tree and a process of its own.

The run is kept under the hash of model.py, so the same code goes on where it was stopped and other code starts anew.
"""

import hashlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from grader import ROOT
from grader.errors import GraderFault
from grader.grade import grade
from grader.submission import lay_out, read_sources


def train(submission: Path, configs: Iterable[Path], overrides: Sequence[str], output: Path) -> Path:
    """Train on each configuration where the contract of level 1 is kept; returns the folder of the runs.

    What the training prints passes through. One that fails leaves no weights, and the checks say so.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the training has written its checkpoint
    """
    sources = read_sources(submission)
    runs = output.resolve() / "trainings" / hashlib.sha256(sources.get("model.py", b"")).hexdigest()[:16]
    for config in sorted(configs):
        results = grade(
            submission, levels=[1], config=config, overrides=overrides, quiet=True, options=["-k", "contract"]
        )
        broken = [check for check in results.checks if check.verdict != "passed"]
        if broken:
            print(f"{config.stem}: not trained, as {broken[0].id} is not kept: {broken[0].message}")
            continue
        print(f"{config.stem}: the contract is kept, training", flush=True)
        with tempfile.TemporaryDirectory(prefix="training-") as folder:
            code = _run(sources, Path(folder), config.resolve(), overrides, runs)
        if code:  # whatever it is: the submission chooses it, and stops nothing by it
            print(f"{config.stem}: the training failed (exit code {code})")
    return runs


def _run(sources: dict[str, bytes], folder: Path, config: Path, overrides: Sequence[str], runs: Path) -> int:
    """main.py in a tree with the submission's files and pristine given code; returns its exit code."""
    tree = folder / "tree"
    tree.mkdir()
    lay_out(sources, tree)
    shutil.copy(ROOT / "main.py", tree)
    shutil.copytree(ROOT / "reference", tree / "reference", ignore=shutil.ignore_patterns("__pycache__"))
    root = next((o.partition("=")[2] for o in overrides if o.startswith("data.root=")), "data")
    mine = ["training.resume=true", f"output_dir={runs}", f"data.root={Path(root).resolve()}"]
    command = [sys.executable, "main.py", "--config", str(config), *overrides, *mine]
    try:
        process = subprocess.Popen(command, cwd=tree, start_new_session=True)  # Ctrl-C reaches it by us, and once
    except OSError as error:
        raise GraderFault(f"the training could not be started: {error}") from error
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()  # for its checkpoint
        raise
