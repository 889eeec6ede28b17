"""What may happen to a command: a full disk, a closed pipe, an old terminal, a second one in the same folder."""

import errno
import os
import subprocess
import sys
import time

import pytest

from assignment.ddpm import files, measured_once
from assignment.ddpm.errors import CommandError, RunError, UserError, run_command
from assignment.ddpm.files import only_one, replacing
from grader.errors import GraderFault
from tests.conftest import ROOT
from tests.support.running import read_log, run


def test_a_second_training_in_the_same_folder_is_refused_and_the_first_one_kept(tmp_path):
    run(tmp_path)
    before = read_log(tmp_path / "run")
    held = only_one(tmp_path / ".run.lock", "the test is working there")
    with held, pytest.raises(UserError, match=r"run: another training is working there; expected it to end first"):
        run(tmp_path, "training.seed=1")
    assert read_log(tmp_path / "run") == before and not (tmp_path / "run.1").exists()
    run(tmp_path, "training.resume=true")  # the lock has ended with its holder


def test_two_processes_that_write_the_same_file_do_not_meet(tmp_path, monkeypatch):
    with replacing(tmp_path / "a.json") as mine:
        mine.write_text("mine")
        with monkeypatch.context() as patch:
            patch.setattr(files.os, "getpid", lambda: 1)
            with replacing(tmp_path / "a.json") as theirs:
                theirs.write_text("theirs")
        assert (tmp_path / "a.json").read_text() == "theirs"
    assert (tmp_path / "a.json").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_what_killed_processes_have_left_is_removed_once_it_is_old(tmp_path):
    old, new = tmp_path / ".a.77.tmp.json", tmp_path / ".a.78.tmp.json"
    for file in (old, new):
        file.touch()
    os.utime(old, (time.time() - 2 * files.ABANDONED,) * 2)
    with replacing(tmp_path / "a.json") as temporary:
        temporary.write_text("{}")
    assert not old.exists() and new.exists()


def test_without_a_home_everything_is_measured_and_nothing_kept(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def nobody() -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(measured_once.Path, "home", nobody)
    assert measured_once.measured_once("x", 1, lambda: {"a": 1}, lambda kept: True) == {"a": 1}
    with pytest.raises(UserError, match="output_dir=~nobody-of-that-name/x"):
        from assignment.ddpm.config import load_config

        load_config("configs/digits.yaml", ["output_dir=~nobody-of-that-name/x"])


@pytest.mark.parametrize(("kind", "code"), [(RunError, 1), (GraderFault, 3)])
def test_a_full_disk_is_not_the_callers_mistake(kind: type[CommandError], code, capsys):
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "outputs/log.csv")

    assert run_command(full, exhausted=kind) == code
    assert "outputs/log.csv: No space left on device; make some room, and repeat the command" in capsys.readouterr().err


def test_a_path_that_is_a_file_is_the_callers_mistake(capsys):
    assert run_command(lambda: (ROOT / "README.md" / "x").mkdir(), exhausted=GraderFault) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and "README.md/x: there is a file where a folder is needed" in err


HEAD = "from assignment.ddpm.errors import run_command\nimport sys\n"


def command(code: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", HEAD + code], cwd=ROOT, stderr=subprocess.PIPE, **options)


def test_a_terminal_that_knows_only_ascii_is_no_reason_to_stop():
    code = "sys.exit(run_command(lambda: print('28×28 → ✓')))"
    done = command(code, stdout=subprocess.PIPE, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and b"28" in done.stdout and done.stderr == b""


def test_a_reader_that_has_gone_is_told_in_one_line():
    read, write = os.pipe()
    os.close(read)
    done = command("sys.exit(run_command(lambda: print('x' * 100_000, flush=True)))", stdout=write)
    os.close(write)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"Broken pipe" in done.stderr
