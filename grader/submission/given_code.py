"""What is laid out for a submission: the given code and its own files, readable whatever the umask of the judge."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from grader import ROOT
from grader.submission.temporary_folder import TemporaryFolder

WORKER = ("grader/__init__.py", "grader/worker")  # what shares a process with a submission
GIVEN = ("assignment/__init__.py", "assignment/ddpm")
TRAINING = ("main.py", "reference/sampler.py")  # what a training needs besides: main.py samples with the latter


def copy_code(folder: Path, names: Iterable[str]) -> None:
    """Copy files and folders of this project, pristine, to the same places below `folder`."""
    for name in names:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    let_everybody_read(folder)


class CodeFolder:
    """A copy of some of the project's code, in a folder that everybody can enter, until `close`."""

    def __init__(self, names: Iterable[str]) -> None:
        self.home = TemporaryFolder()
        self.home.path.chmod(0o755)
        self.path = self.home.path / "code"
        copy_code(self.path, names)

    def close(self) -> None:
        self.home.close()


def lay_out(sources: Mapping[str, bytes], folder: Path) -> None:
    """Put the given code and the submission's files into an empty folder, and nothing else."""
    copy_code(folder, GIVEN)
    for name, source in sources.items():
        (folder / "assignment" / name).write_bytes(source)
    let_everybody_read(folder)


def let_everybody_read(folder: Path) -> None:
    """The worker may be another user; under a strict umask it could read nothing of what we write."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
