"""Weights that are nearly the same are found whatever they are called, and nothing in a file stops the class."""

import pytest
import safetensors.torch
import torch

from grader.similarity.weights import near_weights, sketch_of

SHAPES = {"stem.weight": (16, 1, 3, 3), "mid.weight": (32, 16, 3, 3), "mid.bias": (32,), "out.weight": (64, 32)}


def state(seed: int) -> dict[str, torch.Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=drawn) for name, shape in SHAPES.items()}


@pytest.fixture
def handed_in(tmp_path):
    def files(**states: dict[str, torch.Tensor]):
        for student, values in states.items():
            safetensors.torch.save_file(values, tmp_path / f"{student}.safetensors")
        return {"digits": {student: tmp_path / f"{student}.safetensors" for student in states}}

    return files


DISGUISES = {
    "the same": lambda v: v,
    "in bfloat16": lambda v: {k: t.bfloat16() for k, t in v.items()},
    "other names": lambda v: {f"z{len(v) - i}": t for i, t in enumerate(v.values())},
    "a little noise": lambda v: {k: t + 0.03 * torch.randn(t.shape) for k, t in v.items()},
    "scaled": lambda v: {k: 1.5 * t for k, t in v.items()},
}


@pytest.mark.parametrize("how", DISGUISES)
def test_copies_are_found(how, handed_in):
    (near,) = near_weights(handed_in(ann=state(1), bob=DISGUISES[how](state(1)), cid=state(2)))
    assert (near.config, near.students) == ("digits", ("ann", "bob")) and near.distance < 0.01


def test_many_copies_are_one_group(handed_in):
    files = handed_in(ann=state(1), bob=state(2), cid=state(1), dan=state(1), eve=state(2), fay=state(3))
    assert [(near.students, near.distance) for near in near_weights(files)] == [
        (("ann", "cid", "dan"), 0.0), (("bob", "eve"), 0.0),
    ]  # fmt: skip


def test_separate_ones_are_not(handed_in):
    shorter = {k: v for k, v in state(3).items() if k != "mid.weight"}
    assert near_weights(handed_in(ann=state(1), bob=state(2), cid=shorter)) == []


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\x80\x02pickle"])
def test_what_can_not_be_read_is_left_to_the_checks(content, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(content)
    assert sketch_of(tmp_path / "x.safetensors") is None


def test_infinite_and_whole_numbers_are_left_out(handed_in):
    odd = state(1) | {"endless": torch.full((4, 4), torch.inf), "counts": torch.zeros(3, 3, dtype=torch.int64)}
    (near,) = near_weights(handed_in(ann=odd, bob=state(1)))
    assert near.distance == 0
    assert near_weights(handed_in(ann={"counts": torch.zeros(3)}, bob={"counts": torch.zeros(3)})) == []
