"""Classroom 50 starts this beside the grader, in the student's checkout; it needs only packages that it installs."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
USER_NAMESPACES = "kernel.apparmor_restrict_unprivileged_userns"  # 1 on Ubuntu 23.10 and newer: no sandbox

Command = list[str | Path]


def install() -> None:
    tools = HERE / ".tools"
    uv: Command = [tools / "bin" / "uv", "--quiet"]
    commands: list[Command] = [
        [sys.executable, "-m", "venv", tools],
        [tools / "bin" / "python", "-m", "pip", "install", "--quiet", "uv"],
        [*uv, "venv", "--python", "3.12", ENVIRONMENT],
        [*uv, "pip", "install", "--python", ENVIRONMENT, "--torch-backend", "auto", "-r", HERE / "pyproject.toml"],
    ]
    for command in commands:
        subprocess.run(command, check=True)


def main() -> int:
    if Path("/proc/sys", *USER_NAMESPACES.split(".")).exists():
        subprocess.run(["sudo", "--non-interactive", "sysctl", f"{USER_NAMESPACES}=0"])
    if not ENVIRONMENT.exists():
        install()
    command: Command = [ENVIRONMENT / "bin" / "python", "-m", "grader.platforms.classroom50.run", Path.cwd()]
    return subprocess.run(command, cwd=HERE).returncode


if __name__ == "__main__":
    sys.exit(main())
