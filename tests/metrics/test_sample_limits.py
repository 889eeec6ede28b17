"""Controls made from real images get the same verdict as from a person, by the claim that covers them."""

import json

import pytest
import torch

from grader.grading_config import load_grading
from grader.metrics import copies, damage
from tests.bench.results import load
from tests.proof import sample_limits
from tests.proof.controls import CONTROLS, Stock, looks
from tests.proof.sample_limits import Judge, Set, limits_of


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """The judge of the digits, which need no download."""
    patch = pytest.MonkeyPatch()
    patch.setattr(sample_limits, "CACHE", tmp_path_factory.mktemp("seen"))
    yield Judge("digits", tmp_path_factory.mktemp("unused"))
    patch.undo()


def failed(judge: Judge, name: str, count: int = 256) -> list[str]:
    images = CONTROLS[name][1](judge.stock, count, torch.Generator().manual_seed(0))
    return judge.judge(judge.see(Set("digits", "control", name, "", images, copies=count)))[1]


@pytest.mark.parametrize("name", ["real", "moved by a pixel", "noise .02", "darker (gamma 1.5)", "lighter (gamma .7)"])
def test_what_nobody_minds_passes(judge, name):
    assert failed(judge, name) == []


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("uniform noise", "clean"),
        ("uniform noise", "fid"),
        ("uniform noise", "classes"),
        ("half noised (t = 200)", "clean"),
        ("two images mixed", "clean"),
        ("6 parts of one, 4 of another", "clean"),
        ("shuffled quarters", "clean"),
        ("blur 2", "clean"),
        ("one grey each", "clean"),
        ("JPEG 4", "clean"),
        ("one class", "classes"),
        ("half of one class", "classes"),
        ("five classes", "classes"),
        ("copies", "new"),
        ("copies, mirrored", "new"),
        ("copies, moved by 1", "new"),
        ("copies, half the contrast", "new"),
        ("copies, lighter", "new"),
        ("copies, noise .05", "new"),
    ],
)
def test_what_everybody_sees_fails_the_claim_about_it(judge, name, claim):
    assert claim in failed(judge, name)


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("two images mixed", "clean"),
        ("a quarter uniform noise", "clean"),
        ("a quarter Gaussian noise", "clean"),
        ("half of them with noise .3", "clean"),
        ("copies, mirrored and moved", "new"),
        ("copies, half the contrast", "new"),
    ],
)
@pytest.mark.parametrize("data", ["fashion_mnist", "cifar10"])
def test_real_data_sets_have_the_same_eyes(data, name, claim, real_data):
    stock, wanted = Stock.of(data, real_data), load_grading().samples[data]
    generator = torch.Generator().manual_seed(0)
    if claim == "clean":
        share = [
            damage.damaged(data, CONTROLS[which][1](stock, 128, generator))[0].double().mean()
            for which in ("real", name)
        ]
        limit = wanted.damaged
    else:
        few = Stock(stock.train[:3000], stock.held_out, stock.labels)
        share = [
            copies.copied(CONTROLS[which][1](few, 24, generator), few.train).double().mean() for which in ("real", name)
        ]
        limit = wanted.copies
    assert share[0] < limit < share[1]


def test_a_pale_image_is_no_copy_and_a_flat_one_neither(judge):
    generator = torch.Generator().manual_seed(0)
    pale = CONTROLS["half the contrast"][1](judge.stock, 64, generator)
    flat = torch.full_like(pale, 90)
    assert copies.copied(pale, judge.stock.train).double().mean() < 0.2
    assert not copies.copied(flat, judge.stock.train).any()


def test_a_damage_is_called_by_its_name(judge):
    for name, kind in (("uniform noise", "noise"), ("two images mixed", "two images in one"), ("blur 2", "blur")):
        images = CONTROLS[name][1](judge.stock, 64, torch.Generator().manual_seed(0))
        _, kinds = damage.damaged("digits", images)
        assert max(set(kinds), key=kinds.count) == kind


def test_what_was_measured_is_judged_by_todays_limits():
    """sample-limits.json knows the limits that it was measured with."""
    result = load("sample-limits.json")
    for data, limits in result["limits"].items():
        wanted = load_grading().samples[data]
        assert limits == limits_of(wanted)
        recorded = [row for row in result["sets"] if (row["data"], row["kind"]) == (data, "control")]
        assert {row["name"]: row["looks"] for row in recorded} == {name: looks(name, data) for name in CONTROLS}
    assert "/work" not in json.dumps(result)
