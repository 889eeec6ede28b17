"""Train a submission before it is judged, with the project's own main.py, in a clean tree and a process of its own.

The run is stored under the hash of model.py, so the same code resumes where it stopped and other code starts anew.
In the sandbox, if there is one, the training sees its data and its runs, and can write only to these runs.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images
from grader import ROOT
from grader.errors import GraderFault
from grader.grade import grade
from grader.submission.process import lay_out
from grader.submission.sandbox import Sandbox, clean_environment
from grader.submission.sources import read_sources
from grader.submission.temporary_folder import TemporaryFolder
from grader.worker.processes import die_with_parent

SCRATCH_MIB = 4096  # for what torch.compile writes


def train(submission: Path, configs: Iterable[Path], overrides: Sequence[str], output: Path, sandbox: Sandbox) -> Path:
    """Train on each configuration if the contract of level 1 is kept; returns the folder of the runs.

    The training's output is passed through. A training that fails leaves no weights, which the checks report.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the training has written its checkpoint
    """
    sources = read_sources(submission)
    runs = output.resolve() / "trainings" / hashlib.sha256(sources.get("model.py", b"")).hexdigest()[:16]
    for config in sorted(configs):
        results = grade(
            submission,
            levels=[1],
            config=config,
            overrides=overrides,
            quiet=True,
            options=["-k", "contract", f"--sandbox={'auto' if sandbox else 'none'}"],
        )
        broken = [check for check in results.checks if check.verdict != "passed"]
        if broken:
            print(f"{config.stem}: not trained, as {broken[0].id} is not kept: {broken[0].message}")
            continue
        print(f"{config.stem}: the contract is kept, training", flush=True)
        home = TemporaryFolder()
        try:
            code = _run(sources, home.path, config.resolve(), overrides, runs, sandbox)
        finally:
            home.close()
        if code:  # whichever it is: the submission chooses it, so it must not end the grading
            print(f"{config.stem}: the training failed (exit code {code})")
    return runs


def _run(
    sources: dict[str, bytes], folder: Path, config: Path, overrides: Sequence[str], runs: Path, sandbox: Sandbox
) -> int:
    """Run main.py in a tree with the submission's files and pristine given code; returns its exit code."""
    tree = folder / "tree"
    tree.mkdir()
    lay_out(sources, tree)
    shutil.copy(ROOT / "main.py", tree)
    shutil.copy(config, tree)
    (tree / "reference").mkdir()
    shutil.copy(ROOT / "reference" / "sampler.py", tree / "reference")  # what main.py samples with
    settings = load_config(config, overrides)
    root = Path(settings.data.root).resolve()
    # downloaded here if necessary: there is no network inside
    load_images(settings.data.name, root, limit=1, shape=settings.model.image_shape)
    runs.mkdir(parents=True, exist_ok=True)
    mine = ["training.resume=true", f"output_dir={runs}", f"data.root={root}"]
    command = sandbox.wrap(
        [sys.executable, "main.py", "--config", config.name, *overrides, *mine], at=tree, readable=[folder, root],
        writable=[runs], scratch_mib=SCRATCH_MIB, gpu=not settings.runtime.device.startswith("cpu"),
    )  # fmt: skip
    try:
        # Ctrl-C reaches it through us, and only once
        process = subprocess.Popen(
            command, cwd=tree, env=clean_environment(), start_new_session=True, preexec_fn=die_with_parent
        )
    except OSError as error:
        raise GraderFault(f"the training could not be started: {error}") from error
    try:
        return process.wait()
    except KeyboardInterrupt:
        os.kill(_innermost(process.pid), signal.SIGINT)
        process.wait()  # for its checkpoint
        raise


def _innermost(pid: int) -> int:
    """The training itself: bubblewrap's only child, if it runs in a sandbox."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    below = children.read_text().split() if children.exists() else []
    return int(below[0]) if below else pid
