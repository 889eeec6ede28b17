"""Runs a notebook's code cells in IPython, each in its turn, as Jupyter does: `python … FILE FOUND.json`.

FOUND.json says what the cells displayed, an update in place of what it updates, and the error that stopped them.
"""

import json
import sys
from pathlib import Path
from typing import Any

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell


def cells(notebook: dict[str, Any], kind: str = "code") -> list[str]:
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def run(notebook: dict[str, Any]) -> dict[str, Any]:
    shell = InteractiveShell.instance(colors="nocolor")
    shell.display_pub = CapturingDisplayPublisher()
    error = None
    for cell in cells(notebook):
        done = shell.run_cell(cell, store_history=True)
        if not done.success:
            error = repr(done.error_in_exec or done.error_before_exec)
            break
    shown: dict[str, str] = {}
    for number, output in enumerate(shell.display_pub.outputs):
        key = (output["transient"] or {}).get("display_id", str(number))
        shown[key] = output["data"].get("text/html", output["data"].get("text/plain"))
    return {"shown": list(shown.values()), "error": error}


if __name__ == "__main__":
    found = run(json.loads(Path(sys.argv[1]).read_text()))
    Path(sys.argv[2]).write_text(json.dumps(found))
