"""What a submission can see of this project and of the machine, whoever grades."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.asking import WALLS, asked, listing

VISIBLE = ("grader/__init__.py", "grader/worker/", "assignment/__init__.py", "assignment/ddpm/")


def more_than_visible(files: list[str]) -> list[str]:
    return [file for file in files if not file.startswith(VISIBLE)]


@pytest.mark.parametrize("wall", WALLS)
def test_of_this_project_a_submission_sees_the_worker_and_the_given_code(wall, tmp_path):
    assert asked(tmp_path, listing(ROOT), wall) == []
    at = "import os, sys\nos.chdir(os.path.dirname(sys.modules['__main__'].__file__) + '/../..')"  # a copy of our code
    more = f"{at}\n{listing('.')}\nfound = [len(found), [file for file in found if not file.startswith({VISIBLE})]]"
    count, found = asked(tmp_path, more, wall)  # in short, as an error's message is cut
    assert count > 20 and found == []
    assert asked(tmp_path, "import os\nfound = os.listdir('.') + os.listdir(os.environ['HOME'])", wall) == []


LOOKS = ("/", "/home", "/tmp", "/etc", "/run", "/dev/shm", "/proc/1/environ", "/etc/passwd", "/etc/hosts")


@pytest.mark.parametrize("wall", WALLS)
def test_of_the_rest_of_the_machine_it_sees_nothing_of_anybodys(wall, tmp_path):
    code = f"""
import os
found = {{}}
for place in {LOOKS}:
    try:
        found[place] = sorted(os.listdir(place)) if os.path.isdir(place) else open(place).read(20)
    except OSError:
        pass"""
    seen = asked(tmp_path, code, wall)
    files = {place for place in seen if place in ("/proc/1/environ", "/etc/passwd", "/etc/hosts")}
    assert not files and "home" not in seen.get("/", ()) and "passwd" not in seen.get("/etc", ())
    ways = {*ROOT.parts, *Path(sys.prefix).parts}  # to what is shown, if that is below /tmp
    strange = [name for name in seen.get("/tmp", ()) if not name.startswith("grading-") and name not in ways]
    assert strange == []  # beside our copy and the submission's folder
    assert not any(seen.get(place) for place in ("/home", "/run", "/dev/shm"))


@pytest.fixture
def readable_checkout():
    """A copy of the project that every user can read; a test's own folder is for its user alone."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        for room in ("assignment", "grader", "reference", "configs", "tests/support"):
            shutil.copytree(ROOT / room, Path(folder) / room, ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(folder)


@pytest.mark.parametrize("wall", WALLS)
@pytest.mark.parametrize("user", [None, 65534], ids=["who runs the tests", "an ordinary user"])
def test_whoever_grades_the_sandbox_shows_no_more(readable_checkout, user, wall):
    """By the system's Python, as an ordinary user cannot read the one that lies in somebody's home."""
    python = shutil.which("python3", path="/usr/bin")
    if python is None or (user is not None and os.getuid() != 0):
        pytest.skip("needs the system's python3, and root to become another user")
    look = (
        f"import json\n{listing(readable_checkout)}\nshown = found\n{listing('.')}\nprint(json.dumps([shown, found]))"
    )
    code = f"""
import subprocess, sys
from grader.submission.fork_server import ForkServer
from grader.submission.sandbox import find_sandbox
sandbox = find_sandbox({"auto" if wall == "required" else wall!r})
print(sandbox.kind(), sandbox, flush=True)
server = ForkServer(fork=False)
command = sandbox.wrap([sys.executable, "-S", "-c", {look!r}], at=server.code.path, readable=[server.code.path],
                       scratch_mib=1)
done = subprocess.run(command)
server.close()
sys.exit(done.returncode)"""
    done = subprocess.run(
        [python, "-B", "-c", code], cwd=readable_checkout, capture_output=True, text=True,
        user=user, group=user, extra_groups=None if user is None else [], env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    guards, *rest = done.stdout.splitlines()
    if not guards.startswith(wall):
        pytest.skip(guards)
    of_checkout, found = json.loads(rest[0])
    assert of_checkout == [] and "grader/worker/probes.py" in found and more_than_visible(found) == []


def test_the_listing_would_show_more(tmp_path):
    (tmp_path / "grader").mkdir()
    (tmp_path / "grader" / "results.py").touch()
    names: dict = {}
    exec(listing(tmp_path), names)
    assert more_than_visible(names["found"]) == ["grader/results.py"]
