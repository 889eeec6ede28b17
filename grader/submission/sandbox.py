"""A sandbox around everything that runs a submission's code: bubblewrap, where it is installed and allowed to work.

Inside there is no network, no other process, and no file but the system's, Python's, and this project's given code, all
read-only; only SCRATCH is writable. Imports no torch, as it is needed before that.
"""

import functools
import importlib.util
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from grader import ROOT
from grader.errors import GraderFault
from grader.submission.mounts import data_sets, mounts
from grader.worker.import_block import READY_MADE
from grader.worker.processes import SCRATCH

SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix/store",
    "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime",
    "/sys/devices/system/cpu", "/sys/devices/system/node",
)  # fmt: skip
# the environment variables that a submission may see; others can hold secrets, such as a CI's tokens
ENVIRONMENT = ("PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
ENVIRONMENT_OF = ("LC_", "PYTHON", "OMP_", "KMP_", "MKL_", "OPENBLAS_", "CUDA_", "NVIDIA_", "TORCH_", "PYTORCH_")


@dataclass(frozen=True)
class Sandbox:
    """`version` of bubblewrap, empty if there is no sandbox; then `why_not` gives the reason."""

    version: tuple[int, ...] = ()
    why_not: str = "not asked for"

    def __bool__(self) -> bool:
        return bool(self.version)

    def __str__(self) -> str:
        if self:
            return f"sandbox: bubblewrap {'.'.join(map(str, self.version))}"
        return f"no sandbox: {self.why_not}"

    def wrap(
        self, command: Iterable[str], *, at: Path, readable: Iterable[Path] = (), writable: Iterable[Path] = (),
        hidden: Iterable[Path] = (), scratch_mib: int, gpu: bool = False, users: bool = False,
    ) -> list[str]:  # fmt: skip
        """The command line that runs `command` inside, in the folder `at`; unchanged if there is no sandbox.

        Files keep their paths. What is `hidden` is not there, though a folder above it be shown; the same holds for
        this project's own checkout and for data sets among Python's packages. The command is process 1 of the sandbox:
        when it ends, all others inside end. With `users` it may run its children as other users (`own_user`), if the
        judge is root.
        """
        if not self:
            return list(command)
        words = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        words += ["--cap-drop", "ALL"]
        if os.getuid() != 0:
            words += ["--unshare-user", *(["--disable-userns"] if self.version >= (0, 8) else [])]
        elif users:
            words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_KILL"]
        words += ["--as-pid-1", "--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"]
        if gpu:
            for device in sorted(Path("/dev").glob("nvidia*")):
                words += ["--dev-bind", str(device), str(device)]
        words += ["--remount-ro", "/dev"]
        usual = visible()
        words += mounts(
            [*usual, *([Path("/sys")] if gpu else []), *readable], writable, [ROOT, *data_sets(*usual), *hidden]
        )  # fmt: skip
        size = ["--size", str(scratch_mib << 20)] if self.version >= (0, 7) else []
        words += [*size, "--perms", "1777", "--tmpfs", str(SCRATCH), "--remount-ro", "/", "--chdir", str(at)]
        words += ["--setenv", "HOME", str(SCRATCH), "--setenv", "TMPDIR", str(SCRATCH)]
        words += ["--setenv", "LOGNAME", "submission"]  # torch.compile asks for it, and there is no list of users
        return [*words, "--", *command]


def visible() -> list[Path]:
    """The folders that every sandbox shows: the system's, and Python's."""
    return [*map(Path, SYSTEM), *python_folders()]


def python_folders() -> list[Path]:
    """The folders of this Python and its packages."""
    folders = [
        Path(sys.base_prefix), Path(os.path.realpath(sys.executable)).parent.parent, Path(sys.prefix),
        Path(site.getusersitepackages()), *map(Path, os.environ.get("LD_LIBRARY_PATH", "").split(":")),
    ]  # fmt: skip
    return [folder for folder in dict.fromkeys(folders) if folder.is_absolute() and folder != Path("/")]


def ready_made() -> list[Path]:
    """The folders of installed packages that a submission may not use."""
    found = (importlib.util.find_spec(name) for name in READY_MADE)
    return [Path(folder) for spec in found if spec for folder in spec.submodule_search_locations or ()]


@functools.cache
def find_sandbox(kind: str) -> Sandbox:
    """The sandbox of this machine.

    Args:
        kind: `auto` uses one if it works, `required` insists on it, `none` goes without
    Raises:
        GraderFault: `required`, and there is none
    """
    found = _try() if kind != "none" else Sandbox()
    if kind == "required" and not found:
        raise GraderFault(f"--sandbox=required: {found.why_not}")
    return found


def _try() -> Sandbox:
    if sys.platform != "linux":
        return Sandbox(why_not=f"there is none for {sys.platform}")
    if shutil.which("bwrap") is None:
        return Sandbox(why_not="bwrap is not installed (Debian, Ubuntu: apt install bubblewrap)")
    said = subprocess.run(["bwrap", "--version"], capture_output=True, text=True).stdout
    try:
        found = Sandbox(tuple(int(part) for part in said.split()[-1].split(".")), "")
    except (ValueError, IndexError):
        return Sandbox(why_not=f"bwrap --version says {said!r}")
    # as another user, if the judge is root: can Python's library be read? Without site-packages
    trial = f"import os, resource; user = {user_for(0)}\nif user: os.setgroups([]); os.setgid(user); os.setuid(user)\n"
    trial += f"os.listdir({sys.prefix!r})"
    command = found.wrap([sys.executable, "-S", "-c", trial], at=Path("/"), scratch_mib=1, users=True)
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    if done.returncode:
        says = done.stderr.strip().splitlines() or ["no reason given"]
        return Sandbox(why_not=f"bwrap does not work here: {says[-1]}")
    return found


def clean_environment() -> dict[str, str]:
    """The environment for processes that run a submission."""
    kept = {k: v for k, v in os.environ.items() if k in ENVIRONMENT or k.startswith(ENVIRONMENT_OF)}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"}


def user_for(process: int) -> int | None:
    """If the judge is root: a user id that nobody else has, so that limits count for it alone."""
    return 40_000 + process % 20_000 if os.getuid() == 0 else None
