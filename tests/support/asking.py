"""Ask a worker what it sees and may do: code is run there, at the import of model.py, and its answer comes back."""

import json
import sys
from pathlib import Path

import pytest

from grader.errors import Raised
from grader.submission.fork_server import ForkServer
from grader.submission.process import Submission
from grader.submission.sandbox import Sandbox, find_sandbox
from grader.suite.shared_fork_server import shared_fork_server
from grader.worker import landlock

CONFIG = {"image_channels": 1, "image_size": 8, "num_timesteps": 1000}

BUBBLEWRAP: Sandbox = find_sandbox("auto")
with_sandbox = pytest.mark.skipif(not BUBBLEWRAP, reason=str(BUBBLEWRAP))
with_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
# the values of --sandbox that hide something
WALLS = [pytest.param("required", marks=with_sandbox), pytest.param("landlock", marks=with_landlock)]
LISTING = """
import os
root = {root!r}
found = sorted(os.path.relpath(os.path.join(folder, name), root)
               for folder, _, names in os.walk(root) for name in names
               if not os.path.join(folder, "").startswith({python!r}))"""


def asked(tmp_path: Path, code: str, fork_server: ForkServer | str = "required", seconds: float = 60.0) -> object:
    """The value of `found` after code has run in a worker; of the shared fork server, if only its sandbox is named."""
    if isinstance(fork_server, str):
        fork_server = shared_fork_server(fork=True, sandbox=fork_server)
    folder = tmp_path / "handed in"
    folder.mkdir(exist_ok=True)
    (folder / "model.py").write_text(f"import json\n{code}\nraise ValueError(json.dumps(found))\n")
    submission = Submission(folder, fork_server, device="cpu")
    try:
        submission.request("build", seconds=seconds, name="network", config=CONFIG, seed=0)
    except Raised as error:
        return json.loads(error.message.removeprefix("ValueError: "))
    finally:
        submission.close()
    raise AssertionError("nothing was raised")


def listing(root: Path | str) -> str:
    """Code that lists the files below `root`, without Python's own, where the environment lies in the checkout."""
    return LISTING.format(root=str(root), python=f"{sys.prefix}/")
