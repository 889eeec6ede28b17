"""What a submission can do in the sandbox, and where Landlock takes its place."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from grader.__main__ import main
from grader.errors import GraderFault, Raised
from grader.submission.fork_server import ForkServer
from grader.submission.process import Submission
from grader.submission.sandbox import Sandbox, clean_environment, find_sandbox
from grader.suite.shared_fork_server import shared_fork_server
from grader.worker.import_block import ready_made
from tests.conftest import ROOT
from tests.support.asking import CONFIG, WALLS, asked, listing, with_landlock, with_sandbox

DIGITS = ROOT / "configs" / "digits.yaml"


@pytest.mark.parametrize("wall", WALLS)
def test_inside_the_user_has_a_name(wall, tmp_path):
    """The compiler asks for it; training with runtime.compile=true once failed there."""
    command = find_sandbox(wall).wrap(
        [sys.executable, "-c", "import getpass; print(getpass.getuser())"], at=tmp_path, readable=[tmp_path],
        scratch_mib=1,
    )  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=True).stdout
    assert said == "submission\n"


WITHOUT_THE_BLOCK = """
import ctypes, importlib.machinery, importlib.util, os, sys
sys.meta_path[:] = [m for m in sys.meta_path if m.__class__.__name__ != '_Block']
folder, found = {folder!r}, []
def as_usual():
    from diffusers import UNet2DModel
def by_importlib():
    assert importlib.import_module("diffusers.models.unets.unet_2d").UNet2DModel
def by_a_loader():
    importlib.machinery.SourceFileLoader("mine", folder + "/__init__.py").load_module()
def by_a_specification():
    spec = importlib.util.spec_from_file_location("mine", folder + "/models/modeling_utils.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
def by_its_text():
    exec(open(folder + "/models/modeling_utils.py").read())
def by_a_link():
    os.symlink(folder, "mine")
    exec(open("mine/models/modeling_utils.py").read())
def in_c():
    libc = ctypes.CDLL(None)
    assert libc.open((folder + "/__init__.py").encode(), 0) >= 0
    raise SystemExit  # it could be read
for way in (as_usual, by_importlib, by_a_loader, by_a_specification, by_its_text, by_a_link, in_c):
    try:
        way()
        found.append(way.__name__)
    except SystemExit:
        found.append(way.__name__)
    except BaseException as error:
        assert isinstance(error, (ImportError, OSError, AttributeError, AssertionError)), repr(error)
"""


@pytest.mark.parametrize("wall", WALLS)
def test_ready_made_networks_are_not_there_but_for_the_trusted(wall, tmp_path):
    (folder,) = [folder for folder in ready_made() if folder.name == "diffusers"]
    code = WITHOUT_THE_BLOCK.format(folder=str(folder))
    assert asked(tmp_path, code, wall) == []
    trusted = shared_fork_server(fork=True, sandbox=wall, trusted=True)
    assert {"as_usual", "by_importlib", "in_c"} <= set(asked(tmp_path, code, trusted))


def test_the_import_block_alone_stops_what_python_reads(tmp_path):
    """Where nothing hides files, reading them in C is the way that is left."""
    (folder,) = [folder for folder in ready_made() if folder.name == "diffusers"]
    assert asked(tmp_path, WITHOUT_THE_BLOCK.format(folder=str(folder)), "none") == ["in_c"]


@pytest.mark.parametrize("wall", WALLS)
def test_torchvisions_networks_are_not_there(wall, tmp_path):
    code = """
import os, torch
folder = os.path.dirname(os.path.dirname(torch.__file__)) + "/torchvision/models"
found = []
for name in ("__init__.py", "resnet.py", "segmentation/deeplabv3.py"):
    try:
        found.append(open(folder + "/" + name, "rb").read(1).decode())
    except OSError:
        pass"""
    assert asked(tmp_path, code, wall) == []


@pytest.mark.parametrize("wall", WALLS)
def test_only_the_scratch_folder_can_be_written_to_and_it_is_empty_for_the_next_worker(wall, tmp_path):
    code = """
import os
found = []
for folder in ("/", "/tmp", "/usr", "/dev", "/dev/shm", os.path.dirname(__file__), ".", os.environ["TMPDIR"]):
    try:
        open(os.path.join(folder, "mine"), "w").close()
        found.append(folder)
    except OSError:
        pass"""
    found = asked(tmp_path, code, wall)
    assert len(found) == 2 and found[0] == "." and found[1].endswith("/scratch")
    assert asked(tmp_path, "import os\nfound = os.listdir(os.environ['TMPDIR'])", wall) == []


@with_sandbox
def test_a_sandbox_that_nothing_was_left_in_is_used_again(tmp_path):
    fork_server = shared_fork_server(fork=True, sandbox="required")
    asked(tmp_path, "found = 1")
    before = fork_server.process.pid
    time.sleep(5)  # meanwhile it imports more of torch, for later
    asked(tmp_path, "found = 1")
    assert fork_server.process.pid == before


LEFT = {
    "a file": "open('left', 'w').close()",
    "a file, removed again": "open('left', 'w').close(); os.remove('left')",
    "a folder, removed again": "os.mkdir('left'); os.rmdir('left')",
    "a processor to run on": "os.sched_setaffinity(os.getppid(), {min(os.sched_getaffinity(0))})",
}


@with_sandbox
@pytest.mark.parametrize("what", LEFT.values(), ids=LEFT)
def test_a_sandbox_that_something_was_left_in_is_not(what, tmp_path):
    fork_server = shared_fork_server(fork=True, sandbox="required")
    before = asked(tmp_path, "import os\nfound = len(os.sched_getaffinity(0))")
    if "affinity" in what and (before < 2 or os.getuid() == 0):
        pytest.skip("needs two processors, and workers that are the same user as their fork server")
    process = fork_server.process.pid
    asked(tmp_path, f"import os\n{what}\nfound = 1")
    assert asked(tmp_path, "import os\nfound = len(os.sched_getaffinity(0))") == before
    assert fork_server.process.pid != process


@with_landlock
def test_behind_landlock_a_worker_reaches_no_network_and_no_other_process(tmp_path):
    code = """
import os, socket
found = []
def attempt(what, *arguments):
    try:
        what(*arguments)
        found.append(str(arguments))
    except OSError:
        pass
parent = os.getppid()
attempt(socket.socket)
attempt(socket.socket, socket.AF_UNIX, socket.SOCK_DGRAM)
attempt(socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM)
for number in (0, 9, 19):
    attempt(os.kill, parent, number)
for name in ("environ", "cmdline", "maps", "mem", "stat", "root", "cwd"):
    attempt(open, f"/proc/{parent}/{name}")
    attempt(os.listdir, f"/proc/{parent}/{name}")
attempt(os.listdir, "/proc")
"""
    assert asked(tmp_path, code, "landlock") == []
    assert asked(tmp_path, "found = open('/proc/self/statm').read().count(' ')", "landlock") == 6


@with_sandbox
def test_inside_there_is_no_network_and_no_other_process(tmp_path):
    assert asked(tmp_path, "found = open('/proc/net/dev').read().count(':')") == 1  # its own loopback
    seen = asked(tmp_path, "import os\nfound = [int(p) for p in os.listdir('/proc') if p.isdigit()] + [os.getpid()]")
    assert len(seen) == 3 and seen[0] == 1  # the fork server and the worker, twice told


@pytest.mark.parametrize("wall", WALLS)
def test_a_worker_without_a_fork_is_inside_too(wall, tmp_path):
    fork_server = ForkServer(fork=False, sandbox=find_sandbox(wall))
    try:
        assert asked(tmp_path, listing(ROOT / "reference"), fork_server) == []
        if wall == "required":
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


@with_landlock
def test_where_bwrap_is_missing_landlock_takes_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr("grader.submission.sandbox.shutil.which", lambda name: None)
    find_sandbox.cache_clear()
    try:
        guards = find_sandbox("auto").guards()
        assert guards[0].startswith("no sandbox: bwrap is not installed")
        assert guards[1].startswith("Landlock ABI ") and guards[2] == "system calls filtered"
        fork_server = ForkServer(fork=True, sandbox=find_sandbox("auto"))
        try:
            assert asked(tmp_path, listing(ROOT), fork_server) == []
        finally:
            fork_server.close()
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
