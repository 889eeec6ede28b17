"""Data for hypothesis: text, JSON, tensors and damaged bytes, as from an untrusted process or a broken disk.

Every run tries the same examples. To look for bugs with more, and different ones each time:
python -m pytest -p tests.support.strategies --hypothesis-profile thorough tests/submission/test_fuzz.py
"""

from typing import Any

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from torch import Tensor

from tests.conftest import ROOT

set_hypothesis_home_dir(ROOT / ".pytest_cache" / "hypothesis")  # its character tables would otherwise go to .hypothesis
settings.register_profile("quick", max_examples=100, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=2000, deadline=None, database=None)
settings.load_profile("quick")

# those that a message can carry; safetensors supports three more (float8_e8m0fnu, float4, complex128) only partly
DTYPES = [
    torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16, torch.int32,
    torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
    torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz,
]  # fmt: skip
NUMBERS = [0, 1, -1, 2**31, 2**63, 2**64, 10**400, 10**4299, 1.5, -0.0, 5e-324, 1.7976931348623157e308]
NOT_NUMBERS = [float("nan"), float("inf"), float("-inf")]

ODD_CHARACTERS = "\ud800\udfff\0\x1b\n\r\x85\u2028\u202e"  # surrogates, control characters, line ends, right to left
texts = st.text(st.characters() | st.sampled_from(ODD_CHARACTERS))
unicodes = st.text()  # valid UTF-8
scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS + NOT_NUMBERS), st.integers(), st.floats(), texts)
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
SHAPES = st.lists(st.integers(0, 3), max_size=5)
NESTED = st.builds(lambda n, kind: kind(n), st.sampled_from([10, 300, 990, 1500, 100_000]), st.sampled_from([
    lambda n: b"[" * n, lambda n: b"[" * n + b"]" * n, lambda n: b'{"a":' * n
]))  # fmt: skip


@st.composite
def tensors(draw: st.DrawFn, shapes: st.SearchStrategy = SHAPES) -> Tensor:
    """Of any dtype, with arbitrary bits, including NaN and infinity."""
    dtype, shape = draw(st.sampled_from(DTYPES)), draw(shapes)
    if dtype.is_floating_point and draw(st.booleans()):
        return torch.full(shape, draw(st.sampled_from(NOT_NUMBERS))).to(dtype)
    size = dtype.itemsize * torch.Size(shape).numel()
    few = draw(st.binary(min_size=8, max_size=32))
    flat = torch.tensor(list((few * (size // 8 + 1))[:size]), dtype=torch.uint8)
    return ((flat & 1).bool() if dtype == torch.bool else flat.view(dtype)).reshape(shape)


def bits(x: Tensor) -> tuple[torch.dtype, tuple[int, ...], bytes]:
    """The dtype, shape and bytes that equal tensors share, NaN included."""
    flat = x.reshape(-1)
    return x.dtype, tuple(x.shape), bytes(flat.view(torch.uint8).tolist() if len(flat) else b"")


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file or a message with bytes changed, removed, doubled or inserted."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 16)))
        how = draw(st.sampled_from(["flip", "cut", "double", "insert", "truncate"]))
        if how == "flip" and start < len(data):
            data[start] ^= 1 << draw(st.integers(0, 7))
        elif how == "cut":
            del data[start:end]
        elif how == "double":
            data[start:start] = data[start:end]
        elif how == "insert":
            data[start:start] = draw(st.binary(max_size=8))
        elif how == "truncate":
            del data[start:]
    return bytes(data)


def bytes_like(*whole: bytes) -> st.SearchStrategy[bytes]:
    """Arbitrary bytes, or those of a valid file, or of a damaged one."""
    return st.binary(max_size=200) | st.sampled_from(whole) | st.sampled_from(whole).flatmap(damaged)


def replaced(value: Any) -> st.SearchStrategy[Any]:
    """A JSON value with a part, or all of it, replaced by anything."""
    if isinstance(value, dict) and value:
        one = st.sampled_from(sorted(value)).flatmap(lambda k: replaced(value[k]).map(lambda new: value | {k: new}))
        less = st.sampled_from(sorted(value)).map(lambda k: {key: v for key, v in value.items() if key != k})
        return one | less | plain
    if isinstance(value, list) and value:
        places = st.integers(0, len(value) - 1)
        one = places.flatmap(lambda i: replaced(value[i]).map(lambda new: [*value[:i], new, *value[i + 1 :]]))
        return one | places.map(lambda i: value[:i]) | plain
    return plain
