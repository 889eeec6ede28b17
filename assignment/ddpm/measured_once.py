"""Measurements that are made once for a machine and kept in the user's cache."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from assignment.ddpm.files import replacing


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "no-confusion-diffusion"


def measured_once(
    what: str, about: object, measure: Callable[[], dict[str, Any]], usable: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """What was measured `about` this before on this machine with this torch; else measure it now, and keep it.

    A file that is not readable or not `usable` is measured anew; a cache that can't be written to keeps nothing.
    """
    key = repr((about, torch.__version__, torch.get_num_threads(), _machine()))
    file = cache_folder() / f"{what}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    try:
        found = json.loads(file.read_text())
        if usable(found):
            return found
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        pass  # not measured yet, or not readable
    found = measure()
    try:
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(found))
    except OSError:
        pass  # a home that can't be written to: measured again next time
    return found


def _machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.backends.cpu.get_cpu_capability()} {os.cpu_count()}"
