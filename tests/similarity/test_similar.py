"""Copies are seen through their disguises, independent work is not listed, and nothing that is handed in stops it."""

import time

import pytest

from grader.similarity.fingerprints import fingerprints, hashes
from grader.similarity.given import given
from grader.similarity.pairs import LIMIT, Pair, similar
from grader.similarity.tokens import tokens
from grader.similarity.words import MOST
from tests.bench.results import load
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.support.disguises import DISGUISES

GIVEN = given()
NETWORKS = {name: (BANK / "right" / "networks" / f"{name}.py").read_text() for name in ("convnext", "uvit", "row_gru")}
SAMPLERS = {name: (BANK / "right" / "samplers" / f"{name}.py").read_text() for name in ("einsum", "log_variance")}
STARTER = (ROOT / "assignment" / "model.py").read_bytes()
BROKEN = "\n\ndef broken(:\n    return 'unfinished\n"


def pairs(file: str, **sources: str | bytes) -> list:
    texts = {who: {file: text if isinstance(text, bytes) else text.encode()} for who, text in sources.items()}
    return similar(texts, GIVEN)


def who(pair: Pair) -> tuple:
    return pair.left.students, pair.right.students


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_copy_is_found_in_every_disguise(disguise):
    change = DISGUISES[disguise]
    (pair,) = pairs("model.py", ann=NETWORKS["convnext"], bob=change(NETWORKS["convnext"]), eve=NETWORKS["uvit"])
    assert (pair.file, *who(pair)) == ("model.py", ("ann",), ("bob",)) and pair.score >= LIMIT
    (pair,) = pairs("sampler.py", ann=SAMPLERS["einsum"], bob=change(SAMPLERS["einsum"]), eve=SAMPLERS["log_variance"])
    assert who(pair) == (("ann",), ("bob",))
    assert pairs("model.py", ann=change(NETWORKS["row_gru"]), bob=change(NETWORKS["uvit"])) == []


def test_code_that_does_not_parse_is_compared_too():
    (pair,) = pairs("model.py", ann=NETWORKS["uvit"] + BROKEN, bob=DISGUISES["renamed"](NETWORKS["uvit"]))
    assert pair.score > 0.8


def test_what_everybody_has_does_not_count():
    """Nor does a starter that two have not begun, nor the given code, nor what the reference has."""
    assert pairs("model.py", ann=STARTER, bob=STARTER + b"\nx = 1\n") == []
    diffusion = (ROOT / "assignment" / "ddpm" / "diffusion.py").read_text()
    assert pairs("model.py", ann=diffusion, bob=DISGUISES["renamed"](diffusion)) == []
    assert not fingerprints(STARTER, hashes([STARTER])).places
    without = {"model.py": [], "sampler.py": []}
    assert similar({"ann": {"model.py": diffusion.encode()}, "bob": {"model.py": diffusion.encode() + b"#"}}, without)


def test_a_solved_starter_is_not_taken_for_given(tmp_path):
    (tmp_path / "assignment").mkdir()
    (tmp_path / "assignment" / "model.py").write_bytes(b"x = 1")
    assert given(tmp_path) == {"model.py": [], "sampler.py": []}
    (tmp_path / "assignment" / "model.py").write_bytes(STARTER)
    assert given(tmp_path)["model.py"] == [STARTER]


def test_identical_files_are_one_side_of_a_pair():
    copied = DISGUISES["renamed"](NETWORKS["uvit"])
    (pair,) = pairs("model.py", ann=NETWORKS["uvit"], bob=copied, cid=NETWORKS["uvit"])
    assert who(pair) == (("ann", "cid"), ("bob",))


def test_lines_are_shown_beside_those_that_they_match():
    body = "c = torch.sqrt(a) * b - torch.exp(b * a) / 2 + a ** b", "return c + torch.tanh(c * b) - [c, a][0] / b % 7"
    left = f"import torch\n\n\ndef f(a, b):\n    {body[0]}\n    {body[1]}\n"
    right = f"# mine\nimport torch\ndef g(q, b):\n    {body[0].replace('a)', 'q)')}\n\n\n    {body[1]}\n"
    (pair,) = pairs("model.py", ann=left, bob=right)
    beside = {(line.left, line.right) for line in pair.lines}
    assert {(4, 3), (5, 4), (6, 7)} <= beside and all(a > 3 for a, b in beside if b > 2)
    assert (
        next(line for line in pair.lines if line.left == 5).right_text
        == "    c = torch.sqrt(q) * b - torch.exp(b * q) / 2 + a ** b"
    )


@pytest.mark.parametrize(
    "source",
    [
        b"x" * (1 << 20), b"x " * (1 << 19), b"(" * (1 << 20), b'"' * (1 << 20), b"'\\" * (1 << 19), b"",
        b"1e+" * 350_000, b"\n" * (1 << 20), bytes(range(256)) * 4096, b"\\" * (1 << 20),
        b'"""\\' * (1 << 18),
        "\u0300\U0001d54f".encode() * 100_000, b"def " * 250_000,
    ],
    ids=range(13),
)  # fmt: skip
def test_whatever_is_handed_in_takes_no_time(source):
    start = time.perf_counter()
    assert len(tokens(source)) <= MOST
    similar({"ann": {"model.py": source}, "bob": {"model.py": source + b"\n"}}, GIVEN)
    assert time.perf_counter() - start < 5


def test_300_students_take_seconds():
    sources = {}
    for k in range(300):
        text = list(NETWORKS.values())[k % 3].replace("32", f"{k}").replace("nn.SiLU", f"nn.Act{k // 30}")
        sources[f"s{k}"] = {"model.py": text.encode(), "sampler.py": list(SAMPLERS.values())[k % 2].encode() + b"#" * k}
    start = time.perf_counter()
    found = similar(sources, GIVEN)
    assert len(found) > 10_000 and found[0].lines  # half of the class has the same sampler
    assert time.perf_counter() - start < 20


def test_the_limit_lies_between_copies_and_independent_work():
    """As measured on the bank: python -m tests.proof.similarity."""
    for row in load("similarity.json").values():
        assert row["limit"] == LIMIT and row["independent"]["listed"] == 0 and row["independent"]["most"] < LIMIT
        copies = [of for how, of in row["disguised"].items() if how != "operands swapped"]
        assert all(of["found"] == of["of"] for of in copies)


def test_imports_annotations_and_layout_make_no_difference():
    """Nor do names, of variables and of attributes that the file assigns, but those of libraries do."""
    plain = """import torch
from torch.nn.functional import silu, relu as r
class A:
    def f(self, x=1, *a):
        self.b, self.c = x, torch.sqrt(x)
        y = silu(self.b.shape, x[1:2])
        return lambda z: r(y) + z
"""
    other = """import torch, torch as T, torch.nn.functional as F
from torch import nn
class Other:
    "A docstring."
    def g(this, q: "Tensor" = 2, *rest: dict[str, int]) -> Tuple[int, str]:
        this.one, this.two = (q, T.sqrt(q),)  # so
        w: Tensor = F.silu(
            this.one.shape, q[3:4]); return (lambda v: torch.nn.functional.relu(w) + v)
"""
    texts = [[(token.text) for token in tokens(source.encode())] for source in (plain, other)]
    assert texts[0] == texts[1] and {"sqrt", "silu", "relu", "shape"} <= set(texts[0])
    assert [token.text for token in tokens(plain.replace("sqrt", "exp").encode())] != texts[0]
