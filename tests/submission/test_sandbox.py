"""A submission's environment: the sandbox, the limits, the seed, and what happens without a sandbox."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from grader.__main__ import main
from grader.errors import GraderFault, OutOfMemory, Raised
from grader.grading_config import load_grading
from grader.submission.fork_server import ForkServer
from grader.submission.process import Submission
from grader.submission.sandbox import Sandbox, clean_environment, find_sandbox, ready_made
from grader.submission.seed import choose_seed
from grader.submission.temporary_folder import TemporaryFolder
from grader.suite.shared_fork_server import shared_fork_server
from grader.worker import limits
from grader.worker.limits import MIB, Limits
from grader.worker.processes import descendants
from tests.conftest import ROOT
from tests.proof.bank import BANK

CONFIG = {"image_channels": 1, "image_size": 8, "num_timesteps": 1000}
DIGITS = ROOT / "configs" / "digits.yaml"
RIGHT = (ROOT / "tests" / "support" / "networks.py").read_text()

with_sandbox = pytest.mark.skipif(not find_sandbox("auto"), reason=str(find_sandbox("auto")))


def asked(tmp_path: Path, code: str, fork_server: ForkServer | None = None) -> object:
    """The value of `found` after code has run in a worker, at the import of model.py."""
    folder = tmp_path / "handed in"
    folder.mkdir(exist_ok=True)
    (folder / "model.py").write_text(f"import json\n{code}\nraise ValueError(json.dumps(found))\n")
    submission = Submission(folder, fork_server or shared_fork_server(fork=True, sandbox="required"), device="cpu")
    try:
        submission.request("build", seconds=60, name="network", config=CONFIG, seed=0)
    except Raised as error:
        return json.loads(error.message.removeprefix("ValueError: "))
    finally:
        submission.close()
    raise AssertionError("nothing was raised")


# ---- the sandbox


VISIBLE = ("grader/__init__.py", "grader/worker/", "assignment/__init__.py", "assignment/ddpm/")
LISTING = """
import os
root = {root!r}
found = sorted(os.path.relpath(os.path.join(folder, name), root)
               for folder, _, names in os.walk(root) for name in names
               if not os.path.join(folder, "").startswith({python!r}))"""


def listing(root: Path | str) -> str:
    """Code that lists the files below `root`, without Python's own, where the environment lies in the checkout."""
    return LISTING.format(root=str(root), python=f"{sys.prefix}/")


def more_than_visible(files: list[str]) -> list[str]:
    return [file for file in files if not file.startswith(VISIBLE)]


@with_sandbox
def test_of_this_project_a_submission_sees_the_worker_and_the_given_code(tmp_path):
    assert asked(tmp_path, listing(ROOT)) == []
    at = "import os, sys\nos.chdir(os.path.dirname(sys.modules['__main__'].__file__) + '/../..')"  # a copy of our code
    more = f"{at}\n{listing('.')}\nfound = [len(found), [file for file in found if not file.startswith({VISIBLE})]]"
    count, found = asked(tmp_path, more)  # in short, as an error's message is cut
    assert count > 20 and found == []
    assert asked(tmp_path, "import os\nfound = sorted(os.listdir('/'))").count("home") == 0
    assert asked(tmp_path, "import os\nfound = os.listdir('.') + os.listdir(os.environ['HOME'])") == []


@pytest.fixture
def readable_checkout():
    """A copy of the project that every user can read; a test's own folder is for its user alone."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        for room in ("assignment", "grader", "reference", "configs", "tests/support"):
            shutil.copytree(ROOT / room, Path(folder) / room, ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(folder)


@pytest.mark.parametrize("user", [None, 65534], ids=["who runs the tests", "an ordinary user"])
def test_whoever_grades_the_sandbox_shows_no_more(readable_checkout, user):
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
sandbox = find_sandbox("auto")
print(sandbox, flush=True)
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
    if not guards.startswith("sandbox"):
        pytest.skip(guards)
    of_checkout, found = json.loads(rest[0])
    assert of_checkout == [] and "grader/worker/probes.py" in found and more_than_visible(found) == []


def test_the_listing_would_show_more(tmp_path):
    (tmp_path / "grader").mkdir()
    (tmp_path / "grader" / "results.py").touch()
    names: dict = {}
    exec(listing(tmp_path), names)
    assert more_than_visible(names["found"]) == ["grader/results.py"]


@with_sandbox
def test_inside_the_user_has_a_name(tmp_path):
    """The compiler asks for it; training with runtime.compile=true once failed there."""
    command = find_sandbox("auto").wrap(
        [sys.executable, "-c", "import getpass; print(getpass.getuser())"], at=tmp_path, readable=[tmp_path],
        scratch_mib=1,
    )  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=True).stdout
    assert said == "submission\n"


@with_sandbox
def test_ready_made_networks_are_not_there_but_for_the_trusted(tmp_path):
    code = "import sys\nsys.meta_path[:] = [m for m in sys.meta_path if m.__class__.__name__ != '_Block']\n"
    code += (
        "try:\n    from diffusers import UNet2DModel\n    found = 'there'\nexcept ImportError as e:\n    found = str(e)"
    )
    assert [folder for folder in ready_made() if folder.name == "diffusers"]
    assert "cannot import name 'UNet2DModel'" in asked(tmp_path, code)
    assert asked(tmp_path, code, shared_fork_server(fork=True, sandbox="required", trusted=True)) == "there"


@with_sandbox
def test_only_the_scratch_folder_can_be_written_to_and_it_is_empty_for_the_next_worker(tmp_path):
    code = """
import os
found = []
for folder in ("/", "/tmp", "/usr", "/dev", "/dev/shm", os.path.dirname(__file__), ".", os.environ["TMPDIR"]):
    try:
        open(os.path.join(folder, "mine"), "w").close()
        found.append(folder)
    except OSError:
        pass"""
    assert asked(tmp_path, code) == [".", "/scratch"]
    assert asked(tmp_path, "import os\nfound = os.listdir('/scratch')") == []


@with_sandbox
def test_a_sandbox_that_nothing_was_left_in_is_used_again(tmp_path):
    fork_server = shared_fork_server(fork=True, sandbox="required")
    asked(tmp_path, "found = 1")
    before = fork_server.process.pid
    time.sleep(5)  # meanwhile it imports more of torch, for later
    asked(tmp_path, "found = 1")
    assert fork_server.process.pid == before
    asked(tmp_path, "open('left', 'w').close()\nfound = 1")
    asked(tmp_path, "found = 1")
    assert fork_server.process.pid != before


@with_sandbox
def test_inside_there_is_no_network_and_no_other_process(tmp_path):
    assert asked(tmp_path, "found = open('/proc/net/dev').read().count(':')") == 1  # its own loopback
    seen = asked(tmp_path, "import os\nfound = [int(p) for p in os.listdir('/proc') if p.isdigit()] + [os.getpid()]")
    assert len(seen) == 3 and seen[0] == 1  # the fork server and the worker, twice told


@with_sandbox
def test_a_worker_without_a_fork_is_inside_too(tmp_path):
    fork_server = ForkServer(fork=False, sandbox=find_sandbox("required"))
    try:
        assert asked(tmp_path, f"import os\nfound = os.path.exists({str(ROOT / 'reference')!r})", fork_server) is False
        assert asked(tmp_path, "import os\nfound = os.getpid()", fork_server) == 1
        submission = Submission(tmp_path / "handed in", fork_server, device="cpu")
        (tmp_path / "handed in" / "model.py").write_text("import ctypes\nctypes.string_at(0)")
        again = Submission(tmp_path / "handed in", fork_server, device="cpu")
        with pytest.raises(Raised, match=r"crashed \(SIGSEGV\)"):
            again.request("build", seconds=60, name="network", config=CONFIG, seed=0)
        submission.close(), again.close()
    finally:
        fork_server.close()


@pytest.mark.parametrize("kind", [pytest.param("required", marks=with_sandbox), "none"])
def test_secrets_in_the_environment_stay_outside(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    fork_server = ForkServer(fork=True, sandbox=find_sandbox(kind))
    code = """
import os
parent = open(f"/proc/{os.getppid()}/environ").read() if os.getuid() == 0 else ""
found = ["secret" in parent, "GITHUB_TOKEN" in os.environ, "OMP_NUM_THREADS" in os.environ]"""
    try:
        assert asked(tmp_path, code, fork_server) == [False, False, True]
    finally:
        fork_server.close()


def test_who_insists_on_a_sandbox_gets_no_grading_without_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("grader.submission.sandbox._try", lambda: Sandbox(why_not="bwrap is not installed"))
    find_sandbox.cache_clear()
    try:
        with pytest.raises(GraderFault, match="bwrap is not installed"):
            find_sandbox("required")
        shutil.copy(ROOT / "tests" / "support" / "networks.py", tmp_path / "model.py")
        about = ["--config", str(DIGITS), "--output", str(tmp_path / "out"), "--sandbox", "required"]
        assert main([str(tmp_path), *about]) == 3
        assert "--sandbox=required: bwrap is not installed" in capsys.readouterr().err
        assert not (tmp_path / "out" / "results.json").exists()
        assert str(find_sandbox("auto")) == "no sandbox: bwrap is not installed"
    finally:
        find_sandbox.cache_clear()


def test_a_bwrap_that_does_not_work_is_none(tmp_path, monkeypatch):
    (tmp_path / "bwrap").write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap 0.8.0 && exit\necho bwrap: No permissions >&2; exit 1\n'
    )
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    find_sandbox.cache_clear()
    try:
        assert str(find_sandbox("auto")) == "no sandbox: bwrap does not work here: bwrap: No permissions"
    finally:
        find_sandbox.cache_clear()


# ---- limits


@pytest.mark.skipif(sys.platform != "linux", reason="macOS knows fewer limits")
@pytest.mark.parametrize("kind", [pytest.param("required", marks=with_sandbox), "none"])
def test_limits_hold(kind, tmp_path):
    limits = Limits(memory_gib=1, processes=40, file_mib=1, scratch_mib=4)
    fork_server = ForkServer(fork=True, sandbox=find_sandbox(kind), limits=limits)
    try:
        with pytest.raises(OutOfMemory, match="out of memory"):
            asked(tmp_path, "kept = [bytearray(1 << 28) for _ in range(8)]\nfound = 1", fork_server)
        write = "try:\n    open('large', 'wb').write(bytes(2 << 20))\n    found = 1\nexcept OSError as error:\n"
        assert "File too large" in asked(tmp_path, f"{write}    found = str(error)", fork_server)
        if kind == "required" or os.getuid() != 0:  # root is limited only by becoming another user
            count = """
import threading, time
found = 0
try:
    for found in range(3000):
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
except RuntimeError:
    pass"""
            assert 0 < asked(tmp_path, count, fork_server) < 3000
        code = "import resource\nfound = resource.getrlimit(resource.RLIMIT_CORE)"
        assert asked(tmp_path, code, fork_server) == [0, 0]
        if kind == "required" or os.getuid() != 0:
            code = (
                "import resource\ntry:\n    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n    found = 'raised'\n"
            )
            code += "except (ValueError, OSError):\n    found = 'held'"
            assert asked(tmp_path, code, fork_server) == "held"
    finally:
        fork_server.close()


@pytest.mark.parametrize(("device", "index"), [("cuda", 0), ("cuda:1", 1)])
def test_the_memory_of_a_gpu_is_limited_by_its_number(device, index, monkeypatch):
    """torch accepts no device without a number here; on the first real GPU no worker started."""
    limited = {}
    monkeypatch.setattr(limits, "_set", lambda what, most: None)
    monkeypatch.setattr(limits.Path, "write_text", lambda *args: None)  # this process must not be killed first
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, which: limited.update({which: share})
    )
    limits.apply(Limits(), 0, device)
    assert limited == {index: limits.GPU_SHARE} and type(next(iter(limited))) is int


def test_limits_are_read_from_grading_yaml(tmp_path):
    assert load_grading().limits.memory_gib * 1024 * MIB >= 8 << 30
    from assignment.ddpm.errors import UserError

    text = (ROOT / "configs" / "grading.yaml").read_text()
    for wrong in ("memory_gib: 0", "memory_gib: lots", "memory: 16"):
        (tmp_path / "grading.yaml").write_text(text.replace("memory_gib: 16", wrong))
        with pytest.raises(UserError):
            load_grading(tmp_path / "grading.yaml")


def test_what_a_killed_judge_left_is_removed_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    living = TemporaryFolder()
    abandoned = tmp_path / "grading-abandoned"
    (abandoned / "deep").mkdir(parents=True)
    (abandoned / ".lock").touch()
    (abandoned / "deep").chmod(0)
    TemporaryFolder().close()
    assert not abandoned.exists() and living.path.exists()
    living.close()
    assert list(tmp_path.iterdir()) == []


# ---- seeds


def test_a_secret_seed_follows_from_the_secret_and_the_submission(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.py").write_text(name)
        (tmp_path / f"{name}.secret").write_text(f"the secret of {name} teacher")
    one, other = tmp_path / "one", tmp_path / "other"
    secret = str(tmp_path / "one.secret")
    seed, said, shared = choose_seed(one, None, secret)
    assert (seed, said, shared) == choose_seed(one, None, secret) and said == "from a secret" and 0 <= seed < 1 << 63
    shutil.copy(one / "model.py", tmp_path / "model.py")
    assert choose_seed(tmp_path, None, secret).number == seed  # the folder's name means nothing
    others = [choose_seed(other, None, secret), choose_seed(one, None, str(tmp_path / "other.secret"))]
    assert len({seed, *(each.number for each in others)}) == 3
    assert choose_seed(one, None, None) == choose_seed(other, None, None) == (0, "public", b"")
    assert choose_seed(one, 7, None)[:2] == (7, "given")
    assert choose_seed(one, None, "draw") != choose_seed(one, None, "draw")

    # the same for all submissions with this secret, and for no others; nobody finds it from the seeds in their results
    assert others[0].shared == shared != others[1].shared and len(shared) == 32
    assert choose_seed(one, seed, None).shared not in (shared, choose_seed(one, 7, None).shared, b"")
    assert choose_seed(one, 0, None).shared == b""  # that seed is public, however it's given


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seed", "1", "--secret-seed", "draw"], "--seed and --secret-seed: expected one of them"),
        (["--seed", str(2**70)], f"--seed {2**70}: expected at least 0, and below 2^63"),
        (["--secret-seed", "nowhere"], "--secret-seed=nowhere: No such file or directory; expected `draw` or a file"),
        (["--secret-seed", "short"], "--secret-seed=short: a secret of 5 bytes; expected at least 16"),
    ],
)
def test_a_wrong_seed_is_told_in_one_line(arguments, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("short").write_text("short")
    Path("model.py").touch()
    assert main([str(tmp_path), "--config", str(DIGITS), *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"error: {says}")


# ---- training before grading


@pytest.mark.parametrize("kind", [pytest.param("auto", marks=with_sandbox), "none"])
def test_a_training_ends_with_its_judge(kind, tmp_path):
    source = (BANK / "trained" / "unet.py").read_text()
    (tmp_path / "handed in").mkdir()
    (tmp_path / "handed in" / "model.py").write_text(source)
    judge = subprocess.Popen(
        [sys.executable, "-m", "grader", tmp_path / "handed in", "--train", "--level", "2", "--config", DIGITS,
         "--sandbox", kind, "--output", tmp_path / "out", "runtime.device=cpu", "training.epochs=1000"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    running: list[int] = []
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("out/trainings/*/digits-student/config.yaml")):
            assert judge.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        below = descendants(set(), of=judge.pid)
        assert below
        judge.kill()
        judge.wait()
        deadline = time.monotonic() + 5
        while running := [pid for pid in below if is_running(pid)]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
