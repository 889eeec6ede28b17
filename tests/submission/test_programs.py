"""Weights belong to a program, not to a text: layout makes no difference, and what differs is named."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.submission.programs import change, hash_of

SOURCE = '''"""A network."""
import torch


class DiffusionModel(torch.nn.Module):
    """Predicts noise."""

    def __init__(self, config):
        super().__init__()
        self.a = torch.nn.Linear(3, 3)

    def forward(self, x, t):
        h = self.a(x)
        return h + t
'''
HASH_ONLY = {"code": hashlib.sha256(SOURCE.encode()).hexdigest()}
ABOUT = HASH_ONLY | {"source": SOURCE}

SAME = {
    "comments": f"# mine\n{SOURCE}  # the end\n",
    "a docstring": SOURCE.replace("Predicts noise.", "Predicts\n    all noise."),
    "no docstring": SOURCE.replace('    """Predicts noise."""\n\n', ""),
    "blank lines": SOURCE.replace("\n", "\n\n"),
    "line breaks": SOURCE.replace("h + t", "(\n            h\n            + t\n        )"),
    "quotes and commas": SOURCE.replace("(3, 3)", "(3,\n 3,)"),
    "a script": f'{SOURCE}\nif __name__ == "__main__":\n    print(DiffusionModel(None))\n',
}
OTHER = {
    "h - t": (("h + t", "h - t"), "DiffusionModel.forward, line 14: `return h - t` was `return h + t`"),
    "a line less": (("        h = self.a(x)\n", ""), "DiffusionModel.forward: `h = self.a(x)` is gone"),
    "a line more": (("        return", "        h = h.relu()\n        return"), "line 14: `h = h.relu()` is new"),
    "a parameter": (("(self, config)", "(self, config, n=3)"), "DiffusionModel, line 8: `def __init__(self, config, n"),
    "a function": (("\n\nclass", "\n\ndef f(x): return x\n\n\nclass"), "model.py, line 5: `def f(x): return x` is new"),
    "another base": (("torch.nn.Module", "torch.nn.Sequential"), "line 5: `class DiffusionModel(torch.nn.Sequential)"),
    "no Python": (("import", "imp ort"), "model.py is no Python that can be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_another_layout_is_the_same_program(name):
    assert SAME[name] != SOURCE and change(ABOUT, SAME[name].encode()) == ""
    assert hash_of(SAME[name].encode()) == hash_of(SOURCE.encode())


@pytest.mark.parametrize("name", OTHER)
def test_what_differs_is_named_in_one_line(name):
    swap, says = OTHER[name]
    changed = SOURCE.replace(*swap).encode()
    assert says in change(ABOUT, changed) and "\n" not in change(ABOUT, changed)
    assert hash_of(changed) != hash_of(SOURCE.encode())


def test_of_a_long_line_the_part_that_differs_is_shown():
    long = SOURCE.replace("h + t", " + ".join(f"h{k}" for k in range(100)))
    said = change({"code": "", "source": long}, long.replace("h80 ", "g80 ").encode())
    assert "+ g80 +" in said and "+ h80 +" in said and said.count("`…") == 2 and len(said) < 250


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_ends_make_no_difference_even_where_only_a_hash_is_known(ends, bom):
    text = bom + SOURCE.replace("\n", ends).encode()
    assert change(ABOUT, text) == change(HASH_ONLY, text) == ""
    assert change({"code": hashlib.sha256(text).hexdigest()}, SOURCE.encode()) == "" or bom or ends == "\r\n"


def test_with_only_a_hash_it_is_not_known_what_differs():
    assert "these weights hold only the hash of theirs" in change(HASH_ONLY, SAME["comments"].encode())
    assert change({}, SOURCE.encode())


@pytest.mark.parametrize("deep", ["x = " + "(" * 5000, "x = " + "-" * 100_000 + "1", "x = " + "+".join("1" * 50_000)])
def test_what_is_nested_too_deeply_is_told(deep):
    assert change({"code": "", "source": deep}, SOURCE.encode()) == "their model.py is no Python that can be read"
    assert len(hash_of(deep.encode())) == 64


@given(st.text(max_size=200), st.binary(max_size=200))
def test_any_two_texts_can_be_compared(before, now):
    said = change({"code": "", "source": before}, now)
    assert said.isprintable() and len(said) < 400
