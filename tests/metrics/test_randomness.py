"""What a submission must not foretell: numbers that follow from a key, and losses that are measured once a class."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

from grader.metrics.kept_losses import kept, name_of
from grader.metrics.randomness import PIECE, Public, Secret, randomness
from grader.metrics.triples import EDGES, LOOKS, SHARES, draw_triples, widths
from tests.conftest import ROOT

KEY, OTHER = b"a key of 16 bytes or more", b"another key, as long as that"
IMAGES = torch.arange(150, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)


# ---- numbers


def test_what_torch_draws_can_be_found_by_trial():
    """Why there is another source: of a seed, its generator takes 32 bits."""
    one, other = (torch.randn(8, generator=torch.Generator().manual_seed(seed)) for seed in (5, 5 + (1 << 32)))
    assert torch.equal(one, other)


def test_numbers_follow_from_the_key_and_what_they_are_for():
    def some(source) -> torch.Tensor:
        return torch.cat([source.uniform(4), source.order(9).double(), source.normal(2, 3).flatten().double()])

    first = some(Secret(KEY, "triples", 1))
    assert torch.equal(first, some(Secret(KEY, "triples", 1)))
    for source in (
        Secret(OTHER, "triples", 1),
        Secret(KEY, "triples", 2),
        Secret(KEY, "triples"),
        Public("triples", 1),
    ):
        assert not torch.isclose(first, some(source))[:4].any()
    source = Secret(KEY)
    assert not torch.equal(source.normal(3), source.normal(3))
    assert isinstance(randomness(b"", "a"), Public) and isinstance(randomness(KEY, "a"), Secret)
    with pytest.raises(ValueError, match="a key of 5 bytes; expected at least 16"):
        Secret(b"short")


def test_the_numbers_stay_the_same_with_every_version_of_torch():
    source = Secret(KEY, "pinned")
    assert source.uniform(2).tolist() == [0.33326023144129024, 0.4594678415217588]
    assert source.order(8).tolist() == [5, 3, 4, 7, 2, 6, 0, 1]
    assert source.normal(3).tolist() == pytest.approx([0.9402320981, 0.3774760962, 0.1686853021], abs=1e-6)


def test_they_are_distributed_as_they_should_be():
    """Of n numbers, a moment is off by more than 5 of its standard errors once in a million; the key is fixed here."""
    source, n = Secret(KEY, "moments"), PIECE + 1000
    normal = source.normal(n).double()
    assert normal.isfinite().all() and normal.abs().max() < 6.4
    for power, wanted, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(normal.pow(power).mean() - wanted) < 5 * (variance / n) ** 0.5
    assert abs((normal[:-1] * normal[1:]).mean()) < 5 / n**0.5
    uniform = source.uniform(n)
    assert uniform.min() >= 0 and uniform.max() < 1 and abs(uniform.mean() - 0.5) < 5 / (12 * n) ** 0.5
    order = source.order(1000)
    assert (
        order.sort().values.tolist() == list(range(1000)) and abs((order - torch.arange(1000)).double().mean()) < 1e-9
    )


def test_secret_triples_cover_images_and_bins_as_public_ones_do():
    public, secret, other = (
        draw_triples(IMAGES, 1000, 0, part="test", key=key) for key in (b"", KEY, OTHER)
    )  # fmt: skip
    assert torch.equal(secret.noise, draw_triples(IMAGES, 1000, 0, part="test", key=KEY).noise)
    for one, two in ((public, secret), (secret, other)):
        assert not torch.equal(one.t, two.t) and not torch.isclose(one.noise, two.noise).all(3).any()
        assert not torch.equal(one.index, two.index)
    for triples in (public, secret):
        counts, bins = torch.bincount(triples.index), torch.bincount(triples.bins)
        assert len(counts) == 150 and counts.max() - counts.min() <= 1
        assert torch.equal(triples.images, IMAGES[triples.index])
        for b, share in enumerate(SHARES):
            t = triples.t[triples.bins == b]
            assert t.min() >= round(EDGES[b] * 1000) and t.max() < round(EDGES[b + 1] * 1000)
            assert bins[b] / LOOKS[0] == pytest.approx(share, abs=0.001)
    assert len(widths()) == len(bins)


def test_the_first_of_them_are_triples_too():
    triples = draw_triples(IMAGES, 1000, 0, part="test", key=KEY)
    few = triples.first(5)
    assert torch.equal(few.noise, triples.noise[:5]) and len(few.t) == len(few.bins) == len(few.images) == 5


# ---- losses, measured once


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "no-confusion-diffusion"


def never() -> torch.Tensor:
    raise AssertionError("measured again")


def test_losses_are_measured_once(cache):
    losses = torch.rand(7, dtype=torch.float64)
    assert torch.equal(kept("a", 7, lambda: losses), losses)
    assert torch.equal(kept("a", 7, never), losses)
    assert torch.equal(kept("b", 7, lambda: losses + 1), losses + 1)


@pytest.mark.parametrize("what", ["half", "nothing", "short", "float32", "nan", "other"])
def test_a_file_that_is_not_what_it_should_be_is_measured_again(what, cache):
    losses = torch.rand(7, dtype=torch.float64)
    kept("a", 7, lambda: losses)
    file = cache / "a.safetensors"
    if what in ("half", "nothing"):
        file.write_bytes(file.read_bytes()[: 40 if what == "half" else 0])
    else:
        found = {"short": losses[:6], "float32": losses.float(), "nan": losses * float("nan"), "other": losses}[what]
        safetensors.torch.save_file({"losses" if what != "other" else "x": found}, file)
    assert torch.equal(kept("a", 7, lambda: losses + 1), losses + 1)
    assert torch.equal(kept("a", 7, never), losses + 1)


def test_without_a_cache_they_are_measured_each_time(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))  # no folder, and none can be made
    assert kept("a", 1, lambda: torch.ones(1, dtype=torch.float64)).tolist() == [1.0]


def test_the_name_says_everything_that_they_follow_from():
    one, same = (draw_triples(IMAGES, 1000, 0, part="test", key=KEY) for _ in range(2))
    assert name_of(one, "weights", 1) == name_of(same, "weights", 1)
    others = [draw_triples(IMAGES, 1000, 0, part=p, key=k) for p, k in (("test", OTHER), ("validation", KEY))]
    others += [draw_triples(255 - IMAGES, 1000, 0, part="test", key=KEY), one.first(100)]
    names = [name_of(one, "weights", 1), name_of(one, "weights", 2), *(name_of(each, "weights", 1) for each in others)]
    assert len(set(names)) == len(names)


GRADER = """
import sys, time
from pathlib import Path
import torch
from grader.metrics.kept_losses import kept
folder, seconds = Path(sys.argv[1]), float(sys.argv[2])

def measure():
    (folder / f"measuring-{time.monotonic_ns()}").touch()
    time.sleep(seconds)
    return torch.full((1000,), 0.5, dtype=torch.float64)

assert kept("shared", 1000, measure).eq(0.5).all()
print("right")
"""


def grader(folder: Path, seconds: float) -> subprocess.Popen:
    env = os.environ | {"XDG_CACHE_HOME": str(folder), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", GRADER, str(folder), str(seconds)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)


def measuring(folder: Path) -> int:
    return len(list(folder.glob("measuring-*")))


def test_of_graders_at_the_same_time_one_measures_and_who_is_killed_stops_nobody(tmp_path):
    first = grader(tmp_path, 600)
    deadline = time.monotonic() + 120
    while not measuring(tmp_path):
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.05)
    others = [grader(tmp_path, 0.5) for _ in range(2)]
    time.sleep(1)
    assert measuring(tmp_path) == 1  # whoever has come so far is waiting
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert [process.communicate(timeout=300)[0] for process in others] == ["right\n"] * 2
    assert measuring(tmp_path) == 2  # the one that was killed, and one in its place
    left = {file.name for file in (tmp_path / "no-confusion-diffusion").iterdir()}
    assert left == {"shared.safetensors", "shared.lock"}
