"""The notebook is small and clean, in step with the starter, and its cells run on the digits.

In `make test-all` they run as students run them; else with few images, steps and checks.
"""

import _thread
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader import notebook
from grader.__main__ import main
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.support import notebooks
from tests.support.everything import EVERYTHING

FILE = ROOT / "notebook.ipynb"
NOTEBOOK = json.loads(FILE.read_text())
CELLS = notebooks.cells(NOTEBOOK)
MAGIC = "%%writefile assignment/"
FEW = "model.num_timesteps=20 sampling.num_images=2 data.limit=256 runtime.precision=float32 runtime.threads=1"
QUICK = {
    '"training.epochs=60"': f'"training.epochs=2", *"{FEW} runtime.channels_last=false".split()',
    '"--level=1", "--level=2"': '"--check=level1.contract.shapes"',
    'notebook.grade("configs/digits.yaml", "--level=4")': "",
    "notebook.submit()": "!make -n env demo",  # as it would be run here
}
SOLVED = {"model.py": "networks/residual_convnet.py", "sampler.py": "samplers/eps_beta_tilde.py"}


def test_it_is_a_small_notebook_without_outputs():
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    starters = sum(len(json.dumps(cell["source"])) for cell in NOTEBOOK["cells"] if cell["source"][0].startswith(MAGIC))
    assert FILE.stat().st_size - starters < 8_400
    assert len({cell["id"] for cell in NOTEBOOK["cells"]}) == len(NOTEBOOK["cells"])
    assert all(cell["outputs"] == [] and cell["execution_count"] is None
               for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code")  # fmt: skip
    assert NOTEBOOK["metadata"]["colab"]["gpuType"] == "T4"
    assert f"{json.dumps(NOTEBOOK, indent=1, ensure_ascii=False)}\n" == FILE.read_text()  # as Jupyter writes it


@pytest.mark.parametrize("name", SOLVED)
def test_its_cells_write_the_starters_files(name):
    magic = f"{MAGIC}{name}\n"
    (cell,) = (cell for cell in CELLS if cell.startswith(magic))
    assert cell.removeprefix(magic).rstrip("\n") == (ROOT / "assignment" / name).read_text().rstrip("\n")


def with_handout(address: str) -> str:
    """The notebook as text, as a course has told it where its handout is."""
    text, placeholder = json.dumps(NOTEBOOK, ensure_ascii=False), r"HANDOUT = \"\""
    assert text.count(placeholder) == 1
    return text.replace(placeholder, rf"HANDOUT = \"{address}\"")


def solved(address: str) -> dict:
    """The notebook as a student has it who is done."""
    text = with_handout(address)
    for was, is_now in {} if EVERYTHING else QUICK.items():
        assert text.count(json.dumps(was)[1:-1]) == 1, was
        text = text.replace(json.dumps(was)[1:-1], json.dumps(is_now)[1:-1])
    done = json.loads(text)
    for cell in done["cells"]:
        for name, file in SOLVED.items():
            if cell["source"][0] == f"%%writefile assignment/{name}\n":
                cell["source"] = [*cell["source"][:1], (BANK / "right" / file).read_text()]
    return done


def ran(folder: Path, book: dict) -> dict:
    (folder / "book.ipynb").write_text(json.dumps(book))
    command = [sys.executable, ROOT / "tests" / "support" / "notebooks.py", "book.ipynb", folder / "found.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "found.json").read_text()) | {"printed": done.stdout}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An empty place, and a handout somewhere else."""
    folder = tmp_path_factory.mktemp("colab")
    assert main(["handout", str(folder.with_name("course") / "handout.zip")]) == 0
    return folder


@pytest.mark.timeout(1800)
def test_its_cells_run_on_the_digits(folder):
    found = ran(folder, solved((folder.with_name("course") / "handout.zip").as_uri()))
    assert found["error"] is None, found["shown"][-1]
    trained, graded, report, *more = found["shown"]
    assert re.findall(r'<img [^>]*alt="([\w.]+)"', trained)[:1] == ["curve.png"]
    assert "run: outputs/digits-student" in trained and "validation loss" in trained
    assert "contract.shapes" in graded and "srcdoc=" in report
    outputs = folder / "no-confusion-diffusion" / "outputs"
    kept = outputs / "before-the-notebook" / "model-1.py"
    assert kept.read_bytes() == (ROOT / "assignment" / "model.py").read_bytes()
    if not EVERYTHING:
        assert f"\n{sys.executable} main.py --config configs/digits.yaml" in f"\n{found['printed']}"
        assert "set_up.py" not in found["printed"]
    else:
        assert "end_to_end" in more[0] and "hand in this file as it is" in more[2]
        assert json.loads((outputs / "results.json").read_text())["score"] == 10
        assert zipfile.is_zipfile(outputs / "submission.zip")


def test_untouched_cells_stop_at_the_line_that_waits(folder):
    """In the same place again, as in a second session; no handout is asked for."""
    found = ran(folder, NOTEBOOK)
    assert "error: assignment/model.py:23: not implemented yet: DiffusionModel.__init__" in found["shown"][-1]
    assert found["error"] == "Ended('exit code 1; the last lines above say why')" and len(found["shown"]) == 1
    kept = folder / "no-confusion-diffusion" / "outputs" / "before-the-notebook"
    assert (kept / "model-2.py").read_text() == (BANK / "right" / SOLVED["model.py"]).read_text()


def test_a_page_in_place_of_the_handout_is_told(tmp_path):
    (tmp_path / "login.html").write_text("Log in first")
    found = ran(tmp_path, json.loads(with_handout((tmp_path / "login.html").as_uri())))
    assert "That was no zip file. If its address wants a login" in found["error"]
    assert not (tmp_path / "handout.zip").exists()  # so that it can be had once more


def test_bars_stay_in_their_line():
    screen = notebook.Screen()
    for piece in (
        "one\ntraining:  0%",
        "\rtraining: 50%\n\rsampling: 99%",
        "\x1b[A\r              \r\x1b[32mepoch 1\x1b[0m\n",
    ):
        screen.write(piece.encode())
    assert str(screen) == "one\nepoch 1\nsampling: 99%"
    screen.write("\n\n…".encode()[:3])
    screen.write("\n\n…".encode()[3:])
    assert str(screen).endswith("\n…")
    screen.write(b"line\n" * 3 * notebook.TAIL)
    assert str(screen).count("\n") < notebook.TAIL


@pytest.fixture
def shown(monkeypatch) -> list[str]:
    """What cells display, as there is no notebook here."""
    shown: list[str] = []
    handle = SimpleNamespace(update=lambda page: shown.append(page.data))
    monkeypatch.setattr(notebook, "display", lambda *_, **__: handle)
    return shown


def test_an_interrupted_cell_lets_the_process_save_what_it_has(shown, monkeypatch, tmp_path):
    monkeypatch.setattr(notebook, "ROOT", tmp_path)
    monkeypatch.setattr(notebook, "OWN_PYTHON", tmp_path / "none")
    (tmp_path / "waits.py").write_text(
        "import time\nprint('began', flush=True)\ntry:\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    open('saved', 'w').close()\n    raise SystemExit(130)\n"
    )

    def interrupt() -> None:
        time.sleep(0.5)
        _thread.interrupt_main()

    threading.Thread(target=interrupt).start()
    with pytest.raises(notebook.Ended, match="interrupted"):
        notebook.run("waits.py")
    assert (tmp_path / "saved").exists() and "began" in shown[-1]


def test_the_environment_of_make_is_used_where_it_is(shown, monkeypatch, tmp_path, capsys):
    """Whichever Python runs the notebook: a Jupyter's own may have our packages, but not within the sandbox."""
    monkeypatch.setattr(notebook, "ROOT", tmp_path)
    monkeypatch.setattr(notebook, "OUTPUTS", tmp_path / "outputs")
    shutil.copytree(ROOT / "assignment", tmp_path / "assignment", ignore=lambda *_: {"ddpm", "digits"})
    monkeypatch.setattr(notebook, "OWN_PYTHON", tmp_path / "python")
    (tmp_path / "python").write_text(f"#!/bin/sh\ntouch {tmp_path / 'called'}\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(notebook, "is_installed", lambda need: False)  # pip would be asked otherwise
    notebook.set_up()
    notebook.run("main.py")
    assert (tmp_path / "called").exists() and capsys.readouterr().out.startswith("ready in ")
