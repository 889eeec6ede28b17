"""A stranger's long program: it ends with its limits, and its words reach the terminal only as ours."""

import subprocess
import sys
import time

import pytest

from grader.submission.supervise import LINE, OUTPUT, Lines, size_of, supervise
from grader.train_submission import _say


def run(tmp_path, code: str, *, seconds: float = 30.0, mib: int = 100) -> tuple[int, str, list[str]]:
    said: list[str] = []
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    code_, why = supervise(
        process, lambda line, over: said.append(line), seconds=seconds, folder=tmp_path, mib=mib
    )  # fmt: skip
    return code_, why, said


def test_a_program_that_keeps_its_limits_ends_by_itself(tmp_path):
    assert run(tmp_path, "print('epoch 1'); raise SystemExit(7)") == (7, "", ["epoch 1"])


@pytest.mark.parametrize(
    ("code", "limits", "why"),
    [
        ("import time\nwhile True: time.sleep(1)", {"seconds": 0.5}, "its time was up"),
        ("while True: print('x' * 1000)", {"seconds": 0.5}, "its time was up"),
        ("import os, time\nos.close(1), os.close(2)\ntime.sleep(60)", {"seconds": 0.5}, "its time was up"),
        ("import time\nfor i in range(5): open(f'{i}', 'wb').write(bytes(1 << 20))\ntime.sleep(60)", {"mib": 3}, "MiB"),
        ("import time\nfor i in range(10_001): open(f'{i}', 'wb').close()\ntime.sleep(60)", {}, "10,000 files"),
    ],
)  # fmt: skip
def test_one_that_breaks_a_limit_is_ended(code, limits, why, tmp_path):
    start = time.monotonic()
    assert why in run(tmp_path, code, **limits)[1]
    assert time.monotonic() - start < 20


def test_what_it_leaves_behind_ends_with_it(tmp_path):
    code = "import subprocess, sys\nprint(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid)"
    start = time.monotonic()
    assert run(tmp_path, code)[:2] == (0, "")
    assert time.monotonic() - start < 20


def test_lines_are_cut_and_so_is_the_whole():
    said: list[str] = []
    lines = Lines(lambda line, over: said.append(line))
    lines.feed(b"a" * 10_000 + b"\nsecond\n\xff\n")
    assert len(said[0]) == LINE and "second" in said
    for _ in range(2 * OUTPUT // LINE):
        lines.feed(b"b" * LINE + b"\n")
    assert sum(map(len, said)) < 1.1 * OUTPUT and "not shown" in said[-1]


def test_no_line_is_a_command_to_a_terminal_or_a_ci(capsys):
    for text in ("::error::you have failed", "\x1b[2J\x1b]0;title\x07", "##[error]x"):
        _say(text, drawn_over=False)
    out = capsys.readouterr().out
    assert all(line.startswith("  | ") for line in out.splitlines()) and "\x1b" not in out and "##[" not in out


def test_a_folder_is_measured_without_following_links(tmp_path):
    (tmp_path / "link").symlink_to("/usr")
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    size, count = size_of(tmp_path)
    assert 1 << 20 <= size < 2 << 20 and count == 2
