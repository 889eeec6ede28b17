"""How commands are typed on this machine: through uv, or with a Python of one's own, as after pip or in a container."""

import shlex
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def uses_uv() -> bool:
    """Whether this Python is the one in the project's own environment, which `make env` and `uv run` keep."""
    return Path(sys.prefix).resolve() == (ROOT / ".venv").resolve()


def python() -> str:
    """What stands before a script: uv run python"""
    if uses_uv():
        return f"{'uv' if shutil.which('uv') else '.tools/bin/uv'} run python"
    found = shutil.which("python")
    is_this = found is not None and Path(found).parent == Path(sys.executable).parent
    return "python" if is_this else shlex.quote(sys.executable)


def pytest() -> str:
    """uv run pytest"""
    return python().removesuffix("python") + "pytest" if uses_uv() else f"{python()} -m pytest"


def make(verb: str, *words: str) -> str:
    """make verb NAME='value' …, with a Python of one's own where there is one."""
    own = [] if uses_uv() else [f"PYTHON={shlex.split(python())[0]}"]
    named = (word.partition("=") for word in (*words, *own))
    return " ".join(["make", verb, *(f"{name}={shlex.quote(value)}" for name, _, value in named)])
