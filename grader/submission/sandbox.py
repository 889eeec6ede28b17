"""A sandbox around everything that runs a submission's code: bubblewrap, where it is installed and allowed to work.

Inside there is no network, no other process, and no file but the system's, Python's, and this project's given code, all
read-only; only SCRATCH is writable. Where there is no bubblewrap, Landlock shows the same files, if the kernel has it.
With either, system calls are filtered. Imports no torch, as it is needed before that.
"""

import contextlib
import functools
import json
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader import ROOT
from grader.errors import GraderFault
from grader.submission.mounts import data_sets, mounts
from grader.worker import landlock, system_calls
from grader.worker.processes import SCRATCH

SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix/store",
    "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime",
    "/sys/devices/system/cpu", "/sys/devices/system/node",
)  # fmt: skip
# the environment variables that a submission may see; others can hold secrets, such as a CI's tokens
ENVIRONMENT = ("PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
ENVIRONMENT_OF = ("LC_", "PYTHON", "OMP_", "KMP_", "MKL_", "OPENBLAS_", "CUDA_", "NVIDIA_", "TORCH_", "PYTORCH_")


LAUNCH = "import sys; sys.path.insert(0, sys.argv.pop(1)); from grader.worker.walled import start; start(sys.argv[1:])"


@dataclass(frozen=True)
class Sandbox:
    """`version` of bubblewrap, empty if there is no sandbox; then `why_not` gives the reason.

    `landlock` is the version of what takes its place, 0 if nothing does; `filtered`, whether system calls are.
    """

    version: tuple[int, ...] = ()
    why_not: str = "not asked for"
    landlock: int = 0
    filtered: bool = False

    def __bool__(self) -> bool:
        return bool(self.version)

    def __str__(self) -> str:
        if self:
            return f"sandbox: bubblewrap {'.'.join(map(str, self.version))}"
        return f"no sandbox: {self.why_not}"

    def kind(self) -> str:
        """The value of --sandbox that finds the same again."""
        return "required" if self else "landlock" if self.landlock else "auto" if self.filtered else "none"

    def guards(self) -> list[str]:
        """What is in force, in words."""
        instead = [f"{landlock.in_words(self.landlock)}, in its place"] if self.landlock else []
        return [str(self), *instead, "system calls filtered" if self.filtered else "system calls not filtered"]

    def wrap(
        self, command: Iterable[str], *, at: Path, readable: Iterable[Path] = (), writable: Iterable[Path] = (),
        hidden: Iterable[Path] = (), scratch: Path | None = None, scratch_mib: int, gpu: bool = False,
        users: bool = False, metadata: bool = False, filter_: Sequence[int] = (),
    ) -> list[str]:  # fmt: skip
        """The command line that runs `command` inside, in the folder `at`; unchanged if nothing is in force.

        Files keep their paths. What is `hidden` is not there, though a folder above it be shown; the same holds for
        this project's own checkout and for data sets among Python's packages. In bubblewrap the command is process 1 of
        the sandbox: when it ends, all others inside end. With `users` it may run its children as other users
        (`own_user`), if the judge is root; it gets SCRATCH, of `scratch_mib`, and its system calls are filtered by what
        `filter_file` gave. Without bubblewrap, `scratch` takes SCRATCH's place, and `metadata` says whether it may
        change that of its user's files, wherever they are.
        """
        usual = visible()
        shown = [path for path in [*usual, *([Path("/sys")] if gpu else []), *readable] if path.exists()]
        hidden = [ROOT, *data_sets(*usual), *hidden]
        if self:
            words = self._bubblewrap(users=users, gpu=gpu, filter_=filter_)
            words += mounts(shown, writable, hidden)
            size = ["--size", str(scratch_mib << 20)] if self.version >= (0, 7) else []
            words += [*size, "--perms", "1777", "--tmpfs", str(SCRATCH), "--remount-ro", "/", "--chdir", str(at)]
            words += ["--setenv", "HOME", str(SCRATCH), "--setenv", "TMPDIR", str(SCRATCH)]
            words += ["--setenv", "LOGNAME", "submission"]  # torch.compile asks for it, and there is no list of users
            return [*words, "--", *command]
        if not self.landlock and not self.filtered:
            return list(command)
        request = {
            "at": str(at), "scratch": str(scratch or ""), "readable": [*map(str, shown)], "gpu": gpu,
            "writable": [*map(str, writable)], "hidden": [*map(str, hidden)], "landlock": self.landlock,
            "metadata": metadata, "filtered": self.filtered,
        }  # fmt: skip
        return [sys.executable, "-S", "-c", LAUNCH, str(ROOT), json.dumps(request), *command]

    def _bubblewrap(self, *, users: bool, gpu: bool, filter_: Sequence[int]) -> list[str]:
        words = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        words += ["--cap-drop", "ALL"]
        if os.getuid() != 0:
            words += ["--unshare-user", *(["--disable-userns"] if self.version >= (0, 8) else [])]
        elif users:
            words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_KILL"]
        for number in filter_:
            words += ["--seccomp", str(number)]
        words += ["--as-pid-1", "--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"]
        if gpu:
            for device in sorted(Path("/dev").glob("nvidia*")):
                words += ["--dev-bind", str(device), str(device)]
        return [*words, "--remount-ro", "/dev"]

    @contextlib.contextmanager
    def filter_file(self, *, gpu: bool = False) -> Iterator[Sequence[int]]:
        """Open files that a wrapped command has to inherit: the filter, if bubblewrap is to put it in force."""
        if not (self and self.filtered):
            yield ()
            return
        with system_calls.as_file(gpu=gpu) as number:
            yield (number,)


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


@functools.cache
def find_sandbox(kind: str) -> Sandbox:
    """The sandbox of this machine.

    Args:
        kind: `auto` is bubblewrap if it works, else Landlock; `required` insists on bubblewrap, `landlock` on Landlock;
            `none` goes without any
    Raises:
        GraderFault: `required` or `landlock`, and there is none
    """
    if kind == "none":
        return Sandbox()
    found = _try() if kind != "landlock" else Sandbox()
    if kind == "required" and not found:
        raise GraderFault(f"--sandbox=required: {found.why_not}")
    if not found and sys.platform == "linux":
        found = _in_its_place(found)
    if kind == "landlock" and not found.landlock:
        raise GraderFault("--sandbox=landlock: this kernel has none, or does not allow it")
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
    says = ""
    for filtered in (True, False) if system_calls.machine() else (False,):
        found = replace(found, filtered=filtered)
        says = _fails(found, user_for(0))
        if not says:
            return found
    return Sandbox(why_not=f"bwrap does not work here: {says}")


def _in_its_place(found: Sandbox) -> Sandbox:
    """What works without bubblewrap: Landlock and the filter, or one of them."""
    version, filters = landlock.abi(), bool(system_calls.machine())
    for each, filtered in dict.fromkeys([(version, filters), (version, False), (0, filters)]):
        instead = replace(found, landlock=each, filtered=filtered)
        if (each or filtered) and not _fails(instead, None):
            return instead
    return found


def _fails(found: Sandbox, user: int | None) -> str:
    """Why a sandbox does not work here; empty if it does: as that user, can Python's library be read?"""
    trial = f"import os, resource; user = {user}\nif user: os.setgroups([]); os.setgid(user); os.setuid(user)\n"
    trial += f"os.listdir({sys.prefix!r})"
    with found.filter_file() as filter_:
        command = found.wrap(  # without site-packages
            [sys.executable, "-S", "-c", trial], at=Path("/"), scratch_mib=1, users=True, filter_=filter_
        )
        done = subprocess.run(
            command, capture_output=True, text=True, env=clean_environment(), pass_fds=filter_
        )  # fmt: skip
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return ""


def clean_environment() -> dict[str, str]:
    """The environment for processes that run a submission."""
    kept = {k: v for k, v in os.environ.items() if k in ENVIRONMENT or k.startswith(ENVIRONMENT_OF)}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"}


def user_for(process: int) -> int | None:
    """If the judge is root: a user id that nobody else has, so that limits count for it alone."""
    return 40_000 + process % 20_000 if os.getuid() == 0 else None
