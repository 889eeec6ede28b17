"""The command that writes reports: what it prints or writes, and how it answers a wrong call."""

import os
import subprocess
import sys

import pytest

from grader.reports import command
from tests.conftest import ROOT


@pytest.mark.parametrize("name", command.FORMATS)
def test_every_format_is_printed_or_written_alike(name, saved, tmp_path, capfdbinary):
    assert command.main([str(saved), "--format", name]) == 0
    printed = capfdbinary.readouterr().out
    assert command.main([str(saved), "--format", name, "--output", str(tmp_path / "new" / "report")]) == 0
    assert (tmp_path / "new" / "report").read_bytes() == printed != b""
    assert capfdbinary.readouterr().out == b""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "junitt"], "--format junitt: no such format; did you mean junit?"),
        (["--format", "summary"], "--format summary: no such format; did you mean github-summary?"),
        ([], "expected either --open, or --format with one of text, html, csv, "),
        (["--open", "--format", "csv"], "expected either --open, or --format with one of"),
        (["--format", "csv", "--visibility", "hidden"], "--visibility hidden: only --format gradescope has it"),
        (["--format", "csv", "--prefix", "a/"], "--prefix a/: only --format github-annotations has it"),
        (["--format", "gradescope", "--visibility", "never"], "invalid choice: 'never'"),
        (["--format", "csv", "--output", "/dev/null/r"], "/dev/null: there is a file where a folder is needed"),
    ],
)
def test_a_wrong_call_is_answered_in_one_line(arguments, says, saved, capsys):
    assert command.main([str(saved), *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and says in err and err.count("\n") == 1
    assert command.main([str(saved.parent / "nowhere.json"), "--format", "csv"]) == 2
    assert "nowhere.json: not readable: No such file" in capsys.readouterr().err
    assert command.main([str(saved.parent / "result.json"), "--format", "csv"]) == 2
    assert f"No such file or directory; did you mean {saved}?" in capsys.readouterr().err
    assert command.main([str(saved.parent), "--format", "csv"]) == 2
    assert f"Is a directory; did you mean {saved}?" in capsys.readouterr().err


def test_a_report_that_fails_leaves_the_last_one(saved, tmp_path, monkeypatch, capsys):
    written = tmp_path / "result.json"
    written.write_text("the last one")
    monkeypatch.delenv("CLASSROOM")
    assert command.main([str(saved), "--format", "classroom50", "--output", str(written)]) == 2
    monkeypatch.setitem(command.FORMATS, "csv", lambda results: 1 / 0)
    assert command.main([str(saved), "--format", "csv", "--output", str(written)]) == 3
    assert "the report failed, nothing was written" in capsys.readouterr().err
    assert written.read_text() == "the last one" and sorted(p.name for p in tmp_path.iterdir()) == [
        "result.json",
        "results.json",
    ]


@pytest.mark.parametrize("browser", [True, False])
def test_open_shows_the_newest_results_in_the_browser(browser, saved, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shown = []
    monkeypatch.setattr(command.webbrowser, "open", lambda address: shown.append(address) or browser)
    monkeypatch.setattr(command, "has_a_screen", lambda: True)
    assert command.main(["--open"]) == 2
    assert "no results yet in outputs/; `make test-level1`" in capsys.readouterr().err
    for age, path in enumerate(command.WRITTEN):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(saved.read_bytes())
        os.utime(path, (1000 + age, 1000 + age))
    assert command.main(["--open"]) == 0
    page = tmp_path / "outputs" / "grading" / "report.html"
    assert shown == [page.as_uri()] and page.read_text().startswith("<!doctype html>")
    said = capsys.readouterr().out
    assert said.startswith("report: outputs/grading/report.html") and ("open this file in yours" in said) != browser


def test_reports_start_without_torch():
    code = "import sys, grader.reports.command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
