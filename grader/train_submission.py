"""Train a submission before it is judged, with the project's own main.py, in a clean tree and a process of its own.

The run is stored under the hash of the program, so the same one resumes where it stopped and another starts anew.
It has limits like a worker's. In the sandbox, if there is one, it sees a copy of the training images and its own runs,
and can write only there: whoever has seen the test images, or the secret, needs to learn nothing.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from assignment.ddpm.checkpoint import LOG
from assignment.ddpm.data import prepare
from assignment.ddpm.errors import UserError
from grader.check_ids import TRAINED, config_file
from grader.errors import GraderFault
from grader.grade import grade
from grader.grading_config import Training, load_grading
from grader.grading_options import GradingOptions
from grader.reports.wording import printable
from grader.results import Results
from grader.runs import settings_for
from grader.student.training_log import read_log
from grader.submission.given_code import GIVEN, TRAINING, WORKER, CodeFolder, copy_code, lay_out, let_everybody_read
from grader.submission.sandbox import Sandbox, clean_environment, user_for
from grader.submission.sources import read_sources
from grader.submission.supervise import supervise
from grader.submission.temporary_folder import TemporaryFolder
from grader.submission.weights_files import handed_in, refusal, runs_of
from grader.worker.limits import Limits, tasks_of_user
from grader.worker.processes import die_with_parent

SCRATCH_MIB = 4096  # for what torch.compile writes
LEAST = 0.05  # minutes: enough to be told that time is up
AFTERWARDS = 10.0  # minutes after the training's own end, for its samples
FULL = 64 << 20  # bytes that are left of a disk on which a training can't write its checkpoint
BUSY = 1.5  # times as slow as when it was measured: a machine on which a timeout says nothing of a submission


@dataclass(frozen=True)
class Trained:
    """What became of a training."""

    config: str
    state: str  # finished, cut off, failed, not trained
    says: str
    minutes: float  # of this call
    epochs: float = 0.0  # that its log tells of, in this call and before
    of: int = 0


def train(
    submission: Path, configs: Sequence[Path], overrides: Sequence[str], output: Path, sandbox: Sandbox,
    minutes: float | None = None, private: Sequence[Path] = (), graded: Mapping[Path, Results] | None = None,
) -> list[Trained]:  # fmt: skip
    """Train on each configuration if the contract of level 1 is kept.

    The training's output is passed on. A training that fails leaves no weights, which the checks report; one that is
    cut off leaves those of its best epoch.

    Args:
        configs: in the order in which they are wanted
        minutes: for all of them
        private: files that no training may see, such as the course's secret
        graded: level 1 on a configuration, where it has been judged already
    Raises:
        GraderFault: the machine was too busy for the contract, or a training could not be started
        KeyboardInterrupt: after Ctrl-C, once the training has written its checkpoint
    """
    end = math.inf if minutes is None else time.monotonic() + 60 * minutes
    trained = []
    for i, config in enumerate(configs):
        if broken := why_not(submission, config, overrides, sandbox, (graded or {}).get(config)):
            trained.append(Trained(config.stem, "not trained", f"not trained, as {broken}", 0.0))
        else:
            print(f"{config.stem}: the contract is kept, training", flush=True)
            left = (end - time.monotonic()) / 60 / (len(configs) - i)
            trained.append(_train(submission, config, overrides, output, sandbox, left, private))
        print(f"{config.stem}: {trained[-1].says}", flush=True)
    return trained


def usable(submission: Path, config: Path, options: GradingOptions) -> bool:
    """Whether weights were handed in that load, so that nothing has to be trained; says which it is."""
    if options.trusted or not handed_in(submission, config.stem):
        if why := refusal(submission, config.stem):
            print(f"{config.stem}: {why}")
        return False
    level = next(level for level in options.levels if level in TRAINED and config_file(level, options.config) == config)
    (check,) = grade(
        submission, levels=[level], config=config, overrides=options.overrides, quiet=True,
        only=lambda check: check == f"level{level}.trained.weights", options=[f"--sandbox={options.sandbox}"],
    ).checks  # fmt: skip
    ok = check.verdict == "passed"
    print(f"{config.stem}: not trained, as weights were handed in" if ok else f"{config.stem}: {check.message}")
    return ok


def _train(
    submission: Path, config: Path, overrides: Sequence[str], output: Path, sandbox: Sandbox, minutes: float,
    private: Sequence[Path],
) -> Trained:  # fmt: skip
    sources, limits, began = read_sources(submission), load_grading().training, time.monotonic()
    runs, home = runs_of(output, sources.get("model.py", b"")), TemporaryFolder()
    try:
        problem = _run(sources, home.path, config.resolve(), overrides, runs, sandbox, limits, minutes, private)
    finally:
        home.close()
    took, epochs = (time.monotonic() - began) / 60, settings_for(config, overrides).training.epochs
    try:
        log = read_log(runs / f"{config.stem}-student" / LOG)
    except UserError:
        log = []  # which the checks report
    done = log[-1].epoch if log else 0.0
    reached = f"after {done:.4g} of {epochs} epochs, {took:.1f} minutes"
    if problem:  # whichever it is: the submission chooses it, so it must not end the grading
        return Trained(config.stem, "failed", f"the training {problem}, {reached}", took, done, epochs)
    state = "finished" if done >= epochs else "cut off"
    return Trained(config.stem, state, f"the training was {state} {reached}", took, done, epochs)


def why_not(
    submission: Path, config: Path, overrides: Sequence[str], sandbox: Sandbox, known: Results | None = None
) -> str:
    """The check of the contract that is not kept, and its message; empty if all are. A timeout is tried once more."""

    def check_contract() -> Results:
        return grade(
            submission, levels=[1], config=config, overrides=overrides, quiet=True,
            only=lambda check: ".contract." in check, options=[f"--sandbox={sandbox.kind()}"],
        )  # fmt: skip

    for attempt in range(2):
        results = check_contract() if known is None or attempt else known
        broken = [check for check in results.checks if ".contract." in check.id and check.verdict != "passed"]
        late = [check for check in broken if check.verdict == "timeout"]
        if not late:
            break
    else:
        if results.environment["slowdown"] > BUSY:
            raise GraderFault(
                f"{config.stem}: {late[0].id} took too long on a machine that is {results.environment['slowdown']:g} "
                "times as slow as when it was measured; grade again when it is less busy"
            )
    return f"{broken[0].id} is not kept: {broken[0].message}" if broken else ""


def _run(
    sources: dict[str, bytes], home: Path, config: Path, overrides: Sequence[str], runs: Path, sandbox: Sandbox,
    limits: Training, minutes: float, private: Sequence[Path],
) -> str:  # fmt: skip
    """Run main.py in a tree with the submission's files and pristine given code; returns what went wrong, if it did."""
    tree, user = home / "tree", user_for(os.getpid()) if sandbox else None
    tree.mkdir()
    lay_out(sources, tree)
    copy_code(tree, TRAINING)
    (tree / config.name).write_bytes(config.read_bytes())
    let_everybody_read(tree)
    settings = settings_for(config, overrides)
    root, images = Path(settings.data.root).resolve(), home / "images"
    images.mkdir()
    try:
        # downloaded here if necessary: there is no network inside
        prepare(settings.data.name, root, images, num_classes=settings.model.num_classes)
    except OSError as error:
        raise GraderFault(f"the training images could not be copied to {images}: {error}") from error
    let_everybody_read(images)
    runs.mkdir(parents=True, exist_ok=True)
    if user is not None:
        for path in (home, runs, *runs.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)
    asked = math.inf if settings.training.max_minutes is None else settings.training.max_minutes
    cap = min(limits.minutes, max(LEAST, minutes), asked)
    mine = ["training.resume=true", f"training.max_minutes={cap:.3f}", f"output_dir={runs}", f"data.root={images}"]
    gpu = not settings.runtime.device.startswith("cpu")
    ready, told = os.pipe()
    request = {
        "folder": str(tree), "user": user, "ready": told, "running": tasks_of_user(),
        "readable": [str(tree), str(images)],
        "limits": asdict(Limits(math.inf if gpu else limits.memory_gib, limits.processes, limits.file_mib)),
    }  # fmt: skip
    code, scratch = CodeFolder((*WORKER, *GIVEN)), home / "scratch"
    scratch.mkdir()  # for where the sandbox has none of its own
    try:
        with sandbox.filter_file(gpu=gpu) as filter_:
            command = sandbox.wrap(
                [sys.executable, "-m", "grader.worker.confined", json.dumps(request), "main.py", "--config",
                 config.name, *overrides, *mine],
                at=code.path, readable=[code.path, home], writable=[runs, *([] if sandbox else [scratch])],
                hidden=[root, runs.parent.parent, *private], scratch=scratch, scratch_mib=SCRATCH_MIB, gpu=gpu,
                users=True, metadata=True, filter_=filter_,
            )  # fmt: skip
            process = subprocess.Popen(
                command, cwd=code.path, env=clean_environment(), start_new_session=True, preexec_fn=die_with_parent,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[told, *filter_],
            )  # fmt: skip
        os.close(told)
        exit_code, why = supervise(
            process, _say, seconds=60 * (cap + AFTERWARDS), folder=runs, mib=limits.disk_mib
        )  # fmt: skip
        started = os.read(ready, 1) == b"1"
    except OSError as error:
        raise GraderFault(f"the training could not be started: {error}") from error
    finally:
        os.close(ready)
        code.close()
    if not started:
        raise GraderFault(f"the training could not be started (exit code {exit_code}): its last words are above")
    if why:
        return f"was ended: {why}"
    if exit_code and shutil.disk_usage(runs).free < FULL:
        raise GraderFault(f"the disk of {runs} is full, and the training failed (exit code {exit_code})")
    return f"failed (exit code {exit_code})" if exit_code else ""


def _say(line: str, drawn_over: bool) -> None:
    """A line of a training: never at the start of a line of ours, where a CI would take it for a command."""
    if not drawn_over:
        print(f"  | {printable(line)}", flush=True)
    elif sys.stdout.isatty():
        print(f"  | {printable(line)}", end="\r", flush=True)
