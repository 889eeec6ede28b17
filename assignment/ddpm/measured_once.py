"""Measurements that are made once per machine and stored in the user's cache."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from assignment.ddpm.files import replacing


def cache_folder() -> Path:
    """The user's; raises OSError where there is no home, as in a container."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "no-confusion-diffusion"
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from error


def measured_once(
    what: str, about: object, measure: Callable[[], dict[str, Any]], usable: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The earlier measurement `about` this, on this machine with this torch; otherwise measure now, and store it.

    If a file is unreadable or not `usable`, measure again; if the cache can't be written to, store nothing.
    """
    # Everything that may change the result belongs in the key: another torch or another machine is another file.
    key = repr((about, torch.__version__, torch.get_num_threads(), _machine()))
    name = f"{what}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    try:
        file = cache_folder() / name
        found = json.loads(file.read_text())
        if usable(found):
            return found
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        pass  # not measured yet, or not readable
    found = measure()
    try:
        with replacing(cache_folder() / name) as temporary:
            temporary.write_text(json.dumps(found))
    except OSError:
        pass  # a read-only home: measured again next time
    return found


def _machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.backends.cpu.get_cpu_capability()} {os.cpu_count()}"  # such as "AVX512 16"
