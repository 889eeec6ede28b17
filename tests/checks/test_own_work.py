"""The scan of a source: what can hide from it, and what right code writes all the time."""

import time

import pytest

from grader.checks.own_work import scan, scan_with_imports
from tests.conftest import ROOT
from tests.proof.bank import BANK

SOURCES = ROOT / "tests" / "checks" / "sources"


def sources(name: str) -> dict[str, str]:
    """Title → source, from a file in which each source comes below its title."""
    _, *blocks = (SOURCES / name).read_text().split("\n#### ")
    return dict(block.split("\n", 1) for block in blocks)


HIDDEN, PATCHES, RIGHT = sources("hidden.txt"), sources("patches.txt"), sources("right.txt")


@pytest.mark.parametrize(("title", "source"), HIDDEN.items())
def test_no_other_name_hides_what_is_used(title, source):
    found = [what for _, what in scan(source)]
    assert any(title.split(" → ")[1] in what for what in found), found


@pytest.mark.parametrize("source", PATCHES.values(), ids=PATCHES)
def test_no_other_name_hides_what_is_replaced(source):
    assert scan(source)


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_what_right_code_writes_is_free(source):
    assert scan(source) == []


def test_right_submissions_are_free():
    files = [*BANK.glob("right/*/*.py"), *BANK.glob("trained/*.py"), *(ROOT / "assignment").glob("*.py")]
    assert len(files) > 50
    assert {file.name: found for file in files if (found := scan(file.read_bytes()))} == {}
    assert scan((ROOT / "reference" / "sampler.py").read_bytes()) == []


def test_the_line_is_that_of_the_use():
    assert scan("import torch\nt = torch\n\nt.load('x')") == [(4, "torch.load(…)")]


SAMPLER = b"import torch\nclass Net:\n    weights = torch.load('x')\n"


@pytest.mark.parametrize(
    "model",
    [
        "from assignment.sampler import Net", "import assignment.sampler as s\nNet = s.Net", "from .sampler import Net",
        "from . import sampler", "from assignment import sampler as s", "import assignment.sampler",
        "import importlib\ns = importlib.import_module('assignment.' + 'sampler')",
        "import importlib\ns = importlib.import_module('.sampler', 'assignment')",
        "import assignment\nNet = assignment.sampler.Net",
    ],
)  # fmt: skip
def test_the_other_file_is_scanned_if_the_first_imports_it(model):
    found = scan_with_imports({"model.py": model.encode(), "sampler.py": SAMPLER}, "model.py")
    assert ("sampler.py", 3, "torch.load(…)") in found
    assert scan_with_imports({"model.py": b"import torch", "sampler.py": SAMPLER}, "model.py") == []
    assert scan_with_imports({"model.py": model.encode(), "sampler.py": b"def f(:"}, "model.py") == []
    assert scan_with_imports({"model.py": model.encode()}, "model.py") == []


LONG = {
    "one name, often": "x = f()\n" + "x = x.a().b(x)\n" * 3000,
    "names in circles": "".join(f"a{i} = a{(i + 1) % 300}.b or a{(i * 7) % 300}[0]\n" for i in range(300)),
    "doubled": "a0 = torch\n" + "".join(f"a{i + 1} = (a{i} or a{i}, a{i})\n" for i in range(300)),
    "text, doubled": "a0 = 'x'\n" + "".join(f"a{i + 1} = a{i} + a{i}\n" for i in range(300)) + "getattr(torch, a300)",
    "functions that call each other": "".join(f"def f{i}(x): return f{(i + 1) % 200}(x) or x.a\n" for i in range(200)),
    "a deep call": "import torch\nf = " + "g(" * 80 + "torch" + ")" * 80,
    "chained attributes": "import torch\nx = torch\n" + "x = x.x\n" * 500,
}


@pytest.mark.parametrize("source", LONG.values(), ids=LONG)
def test_a_source_that_is_hard_to_follow_takes_no_time(source):
    start = time.process_time()
    scan(source)
    assert time.process_time() - start < 10
