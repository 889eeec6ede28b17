"""What a student is told about a mistake that many make."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from assignment.ddpm import invocation
from grader import ROOT
from grader.checks.finding import CheckFailed, NotJudged
from grader.errors import Raised
from grader.suite.error_hints import PACKAGES, error_hint
from grader.suite.fixtures import judge_own_work, unreadable
from grader.suite.judge import Judge
from tests.proof.bank import entries


def test_what_the_bank_says_of_hints_is_not_forgotten():
    """`make prove` looks at each."""
    found = entries()
    assert sum(bool(entry.hint) for entry in found) >= 21 and sum(len(entry.waits) for entry in found) >= 9


def test_a_samplers_errors_get_a_samplers_hints():
    sizes = RuntimeError("The size of tensor a (2) must match the size of tensor b (8) at non-singleton dimension 3")
    assert "diffusion.extract" in error_hint(sizes, 4) and "U-Net" in error_hint(sizes, 1)
    for message in (
        "Boolean value of Tensor with more than one value is ambiguous",
        "a Tensor with 2 elements cannot be converted to Scalar",
        "only integer tensors of a single element can be converted to an index",
        "full(): argument 'fill_value' (position 2) must be Number, not Tensor",
        "tensors used as indices must be long, int, byte or bool tensors",
        "index 1000 is out of bounds for dimension 0 with size 1000",
        "'GaussianDiffusion' object has no attribute 'alpha_bars'",
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
    ):
        hint = error_hint(RuntimeError(message), 4)
        assert "U-Net" not in hint and "forward" not in hint and "--pdb" not in hint


# what torch and Python say of usual mistakes → a part of the hint for them
USUAL = {
    "ModuleNotFoundError: No module named 'blocks'": "Only model.py and sampler.py are taken",
    "ModuleNotFoundError: No module named 'assignment.blocks'": "Only model.py and sampler.py are taken",
    "ModuleNotFoundError: No module named 'einops'": "Of packages there are torch",
    "ModuleNotFoundError: No module named 'model'": "from assignment.model import",
    "ImportError: cannot import name 'Embed' from 'assignment.ddpm.embeddings' (x)": "Is Embed spelt",
    "ImportError: import diffusers: not allowed here, the network": "write it yourself",
    "FileNotFoundError: [Errno 2] No such file or directory: 'x.pt'": "no other file",
    "SyntaxError: '(' was never closed": "at the one before",
    "TabError: inconsistent use of tabs and spaces in indentation": "tabs",
    "NameError: name 'F' is not defined": "import of F is missing",
    "NameError: name 'hidden' is not defined": "misspelt",
    "BdbQuit": "--in-process",
    "EOFError: EOF when reading a line": "--in-process",
    "BdbQuit: breakpoint() found no debugger": "--in-process -s",
    "TypeError: DiffusionModel.forward() takes 2 positional arguments but 3 were given": "called with (x, t)",
    "TypeError: DiffusionModel.forward() missing 1 required positional argument: 'c'": "called with (x, t)",
    "TypeError: Block.forward() takes 2 positional arguments but 3 were given": "other arguments than it takes",
    "SystemExit: None": "exit()",
    "RecursionError: maximum recursion depth exceeded": "calls itself",
    "model.py defines no class DiffusionModel, only Net": "class DiffusionModel",
    "DDPMSampler has no method sample": "def sample belongs in class",
    "DiffusionModel(config) can't be called as the contract says: x": "The signature",
    "AttributeError: cannot assign module before Module.__init__() call": "super().__init__()",
    "AttributeError: 'DiffusionModel' object has no attribute '_modules'": "super().__init__()",
    "RuntimeError: Found no NVIDIA driver on your system. Please check": ".cuda()",
    "AssertionError: Torch not compiled with CUDA enabled": ".cuda()",
    "RuntimeError: Expected all tensors to be on the same device, but found cuda:0 and cpu!": "device=x.device",
    "IndexError: index out of range in self": "from 0 to config.num_timesteps − 1",
    "IndexError: index 50 is out of bounds for dimension 0 with size 50": "from 0 to config.num_timesteps − 1",
    "IndexError: list index out of range": "as many skips",
    "RuntimeError: Boolean value of Tensor with more than one value is ambiguous": "torch.where",
    "RuntimeError: Expected tensor for argument #1 'indices' to have one of the following scalar types": "integers",
    "RuntimeError: Input type (double) and bias type (float) should be the same": "float64",
    "RuntimeError: mat1 and mat2 must have the same dtype, but got Long and Float": "t is an integer",
    "RuntimeError: a leaf Variable that requires grad is being used in an in-place operation.": "x = x + …",
    "RuntimeError: The size of tensor a (8) must match the size of tensor b (64) at dimension 3": "[:, :, None, None]",
    "RuntimeError: Expected 3D (unbatched) or 4D (batched) input to conv2d, but got [2, 64]": "number of axes",
    "RuntimeError: Calculated padded input size per channel: (2 x 2). Kernel size can't be greater": "halved",
    "RuntimeError: shape '[2, 100]' is invalid for input of size 1568": "from x.shape",
    'NotImplementedError: Module [DiffusionModel] is missing the required "forward" function': "spelt so",
    'NotImplementedError: Module [ModuleList] is missing the required "forward" function': "loop over",
    "TypeError: unsupported operand type(s) for *: 'Tensor' and 'NoneType'": "without `return`",
    "AttributeError: 'tuple' object has no attribute 'view'": "several things",
    "AttributeError: 'ModelConfig' object has no attribute 'channels'": "image_channels",
    "AttributeError: 'DiffusionModel' object has no attribute 'conv1'": "Is conv1 set",
}
OF_SAMPLERS = {
    "AttributeError: 'bool' object has no attribute 'view'": "torch.full(",
    "TypeError: gather(): argument 'index' (position 2) must be Tensor, not int": "torch.full(",
    "AttributeError: 'DDPMSampler' object has no attribute 'betas'": "self.diffusion.betas",
    "ModuleNotFoundError: No module named 'blocks'": "Only model.py and sampler.py are taken",
}


@pytest.mark.parametrize(
    ("message", "hint", "level"),
    [*((m, h, 1) for m, h in USUAL.items()), *((m, h, 4) for m, h in OF_SAMPLERS.items())],
)
def test_each_usual_error_has_its_hint(message, hint, level):
    assert hint in error_hint(Raised(message, trace="model.py:3: x"), level)


def test_an_unusual_error_says_how_to_look_around():
    theirs = error_hint(Raised("ZeroDivisionError: x", trace="model.py:3: x"), 1, "pytest --check a.b --in-process")
    assert "your own line" in theirs and "stops there: pytest --check a.b --in-process --pdb" in theirs
    assert "No line of yours" in error_hint(Raised("ZeroDivisionError: x"), 1)


def test_the_packages_that_a_hint_names_are_there():
    assert all(importlib.util.find_spec(name) for name in PACKAGES)


def test_a_debugger_is_offered_for_the_check_as_it_was_run(monkeypatch):
    monkeypatch.setattr(invocation, "uses_uv", lambda: True)

    def around(**option) -> str:
        usual = {"config": None, "set": [], "submission": ROOT / "assignment"}
        return Judge._around(
            SimpleNamespace(config=SimpleNamespace(option=SimpleNamespace(**usual | option))), "level1.a.b"
        )

    assert around().endswith("uv run pytest --check level1.a.b --in-process")
    given = around(
        config=ROOT / "configs" / "digits.yaml", set=["data.root=/my data"], submission=Path("/home/me/work")
    )
    assert given.partition("level1.a.b ")[2] == (
        "--config configs/digits.yaml --set 'data.root=/my data' --submission /home/me/work --in-process"
    )


def failing(error: Exception):
    def contract() -> None:
        raise error

    return contract


def test_code_that_does_not_run_earns_nothing_for_being_ones_own():
    crash, wrong = Raised("NameError: name 'x' is not defined"), CheckFailed("expected a tensor, got a tuple", "")
    with pytest.raises(NotJudged, match="waits for the contract: NameError"):
        judge_own_work([], failing(crash))
    for error in (crash, wrong):  # what is refused is told all the same
        with pytest.raises(CheckFailed, match=r"model\.py:3: import timm"):
            judge_own_work([("model.py", 3, "import timm")], failing(error))
    judge_own_work([], failing(wrong))
    judge_own_work([], lambda: None)


def test_what_is_no_python_is_told_by_file_and_line():
    with pytest.raises(SyntaxError) as broken:
        compile("\nx = (", "<unknown>", "exec")
    assert str(unreadable("model.py", broken.value)) == (
        "waits for contract.builds: model.py:2 can't be read as Python: '(' was never closed"
    )
    assert "model.py can't be read as Python: null bytes" in str(unreadable("model.py", ValueError("null bytes")))
