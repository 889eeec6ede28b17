"""What notebook.ipynb calls: train, grade and pack as on the command line, with pictures that grow under the cell.

Everything runs in processes of its own, so that the files as they are now are used, and a cell that is interrupted
leaves no half-trained network in the notebook. Only the standard library and IPython: no package is installed yet.
"""

import base64
import codecs
import html
import importlib.metadata
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import IO

from IPython.display import HTML, display

ROOT = Path(__file__).resolve().parent.parent
OUTPUTS = ROOT / "outputs"
OWN_PYTHON = ROOT / ".venv" / "bin" / "python"  # where `make env` has set it up, whichever Python runs the notebook
EVERY = 1.0  # seconds between two looks
TAIL = 400  # lines of output that are kept
# the last lines stay in view: what is laid out from below is scrolled to its end
BOX = "display:flex; flex-direction:column-reverse; max-height:24em; overflow:auto; padding:0.4em 0"
TEXT = "flex:none; font-family:monospace; font-size:13px; line-height:1.3; white-space:pre-wrap; margin:0"
ROW = "display:flex; flex-wrap:wrap; gap:1em; align-items:flex-start; margin-top:0.5em"
PICTURE = "max-width:min(100%, 30em); height:auto; background:white"
PAGE = "width:100%; height:44em; border:1px solid #8888; border-radius:4px; background:white"
PARTS = re.compile(r"(\n|\r|\x1b\[[0-9;?]*[A-Za-z])")  # new line, start of the line, and codes: colours, …
UP = "\x1b[A"  # … and a line up, for a progress bar beneath another


class Ended(Exception):
    """A command did not get to its end; its output says why. Stops `Run all`, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"stopped here: {self}"]


def set_up() -> None:
    """Keep the two files as they are now, for cells write them anew; install packages, unless `make env` has."""
    for name in ("model.py", "sampler.py"):
        keep(ROOT / "assignment" / name)
    if not OWN_PYTHON.exists():
        install()
        os.environ["MAKEFLAGS"] = f"PYTHON={sys.executable}"  # so that `!make …` sets up nothing of its own
    print(f"ready in {ROOT}")


def install() -> None:
    """Install what is missing, for this notebook's Python; what is there stays, such as the torch of Colab."""
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    if not all(map(is_installed, needs)):
        print("installing packages: a minute or two")
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *needs], check=True)


def keep(file: Path) -> None:
    """Copy a file to a folder of its earlier versions, unless it is there already."""
    kept = OUTPUTS / "before-the-notebook"
    kept.mkdir(parents=True, exist_ok=True)
    earlier = [*kept.glob(f"{file.stem}*.py")]
    if file.is_file() and file.read_bytes() not in [one.read_bytes() for one in earlier]:
        shutil.copy(file, kept / f"{file.stem}-{len(earlier) + 1}.py")


def is_installed(need: str) -> bool:
    """Whether a package is there, in whatever version: `torch>=2.11`."""
    try:
        importlib.metadata.version(re.split(r"[^\w-]", need)[0])
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def train(config: str, *overrides: str) -> None:
    """Train assignment/model.py, as `python main.py --config …` does, with the curve and the samples as they grow."""
    folder = OUTPUTS / f"{Path(config).stem}-student"
    run("main.py", "--config", config, *overrides, pictures=folder)


def grade(config: str, *options: str) -> None:
    """Grade assignment/, as `python -m grader assignment …` does, and show the table and the report."""
    run("-m", "grader", "grade", "assignment", "--config", config, *options)
    page = (OUTPUTS / "report.html").read_text(encoding="utf-8")
    display(HTML(f'<div><iframe style="{PAGE}" title="report" srcdoc="{html.escape(page)}"></iframe></div>'))


def submit(*options: str) -> None:
    """Check and pack what is handed in, as `make submit` does; Colab offers to download it."""
    run("-m", "grader", "submit", *options)
    if "google.colab" in sys.modules:
        sys.modules["google.colab"].files.download(str(OUTPUTS / "submission.zip"))


def run(*arguments: str, pictures: Path | None = None) -> None:
    """Run Python in the project's folder and show its output, and the pictures in a folder, as they grow.

    Raises:
        Ended: its exit code was not 0, or the cell was interrupted; then the process had time to save what it has
    """
    shown = display(HTML(""), display_id=True)
    started = time.time()
    python = str(OWN_PYTHON) if OWN_PYTHON.exists() else sys.executable
    environment = os.environ | {"COLUMNS": "100", "PYTHONUNBUFFERED": "1", "TQDM_MININTERVAL": "1"}
    environment.pop("MPLBACKEND", None)  # the notebook's own
    process = subprocess.Popen(
        [python, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,  # an interrupt of the notebook reaches it once, and from here
    )  # fmt: skip
    screen, printed, interrupted = Screen(), Printed(process), False
    while not printed.ended:
        try:
            printed.wait(EVERY)
            screen.write(printed.take())
            shown.update(HTML(page(screen, pictures, since=started)))
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            interrupted = True
    code = process.wait()
    if interrupted:
        raise Ended("interrupted")
    if code:
        raise Ended(f"exit code {code}; the last lines above say why")


class Printed:
    """What a process has printed since it was last taken; `ended`, once that is all."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.ended, self.closed = False, threading.Event()
        threading.Thread(target=self._read, args=[process.stdout], daemon=True).start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while piece := os.read(stream.fileno(), 1 << 16):
                self.pieces.put(piece)
        self.closed.set()

    def wait(self, seconds: float) -> None:
        """So long, or until the process has printed its last."""
        self.closed.wait(seconds)

    def take(self) -> bytes:
        self.ended = self.closed.is_set()  # before the queue is emptied: what comes later is seen next time
        pieces = []
        while not self.pieces.empty():
            pieces.append(self.pieces.get())
        return b"".join(pieces)


class Screen:
    """The last lines that a program has printed, as a terminal shows them: a progress bar stays where it is."""

    def __init__(self) -> None:
        self.lines, self.row, self.column = [""], 0, 0
        self.decode = codecs.getincrementaldecoder("utf-8")("replace").decode  # a character may come in two pieces

    def write(self, printed: bytes) -> None:
        for part in PARTS.split(self.decode(printed)):
            if part == "\n":
                self.row, self.column = self.row + 1, 0
                self.lines += [""] * (self.row == len(self.lines))
            elif part == "\r":
                self.column = 0
            elif part == UP:
                self.row = max(0, self.row - 1)
            elif not part.startswith("\x1b"):
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + part + line[self.column + len(part) :]
                self.column += len(part)
        dropped = max(0, len(self.lines) - TAIL)
        self.lines, self.row = self.lines[dropped:], max(0, self.row - dropped)

    def __str__(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines).rstrip()


def page(screen: Screen, pictures: Path | None, *, since: float) -> str:
    """The output, and beneath it the pictures."""
    files = drawn(pictures, since) if pictures else []
    row = "".join(f'<img style="{PICTURE}" alt="{file.name}" src="{data_url(file)}">' for file in files)
    text = f'<div style="{BOX}"><pre style="{TEXT}">{html.escape(str(screen))}</pre></div>'
    return text + (f'<div style="{ROW}">{row}</div>' if row else "")


def drawn(folder: Path, since: float) -> list[Path]:
    """The curve, the samples as they grow, and those at the end, of a run that has begun since then."""
    files = [folder / "curve.png", folder / "growth.png", folder.parent / "samples.png"]
    return [file for file in files if file.is_file() and file.stat().st_mtime >= since]


def data_url(file: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"
