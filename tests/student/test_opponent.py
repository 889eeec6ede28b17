"""Level 2's opponent: on which triples the reference is met, and where its losses on them come from."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import safetensors.torch
import torch

from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images, load_test
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.checks.finding import NotJudged
from grader.metrics.record import load_record
from grader.student import opponent
from grader.student.opponent import Opponent
from grader.student.trained_losses import TrainedLosses
from grader.submission.seed import FROM_SECRET, Seed
from tests.conftest import ROOT

DIGITS = ROOT / "configs" / "digits.yaml"
KEY = bytes(range(32))
SECRET, DRAWN, PUBLIC = Seed(5, FROM_SECRET, KEY), Seed(6, "drawn", KEY), Seed(0, "public", b"")
FEW = 192  # triples of a look, in place of thousands


@pytest.fixture(scope="module")
def data() -> SimpleNamespace:
    images = load_images("digits", "unused", limit=None, shape=(1, 8, 8))
    return SimpleNamespace(images=images, test_images=load_test("digits", "unused", shape=(1, 8, 8)))


@pytest.fixture
def met(data, tmp_path, monkeypatch):
    """Seed and overrides → the opponent, with a cache of its own and few secret triples."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    draw = opponent.draw_triples
    monkeypatch.setattr(
        opponent, "draw_triples", lambda *a, key=b"", **k: draw(*a, key=key, **k).first(FEW if key else 1 << 20)
    )

    def meet(seed: Seed, *overrides: str) -> Opponent:
        settings = load_config(DIGITS, overrides)
        return Opponent(SimpleNamespace(
            record=load_record("digits"), config_shown=Path("configs/digits.yaml"), config_file=DIGITS, kind="cpu",
            reference_has_learnt=True, chosen_seed=seed, settings=settings, submission=SimpleNamespace(device="cpu"),
            diffusion=GaussianDiffusion.of(settings), **vars(data),
        ))  # fmt: skip

    return meet


def losses(of: Opponent, part: str = "validation", look: int = 0) -> torch.Tensor:
    return of.losses(part, look, of.triples(part, look))


def test_with_a_secret_the_losses_are_measured_once_for_all(met, tmp_path, monkeypatch):
    first = met(SECRET)
    found, on_test = losses(first), losses(first, "test")
    assert first.follow_from == "secret" and "the course's secret" in first.in_words and first.looks == 3
    assert len(found) == FEW and 0.02 < found.mean() < 0.5 and not torch.equal(found, on_test)
    monkeypatch.setattr(opponent, "load_network", lambda *a: pytest.fail("its network is loaded again"))
    other = met(SECRET._replace(number=99))  # another student
    assert torch.equal(losses(other), found) and torch.equal(losses(other, "test"), on_test)
    with pytest.raises(pytest.fail.Exception):
        losses(met(SECRET._replace(shared=KEY[::-1])))  # another course


def test_without_one_they_follow_from_the_seed_and_are_not_stored(met, tmp_path):
    drawn = met(DRAWN)
    assert drawn.follow_from == "seed" and "the seed of this grading" in drawn.in_words
    assert len(losses(drawn)) == FEW and not list(tmp_path.rglob("losses-*"))


def test_public_triples_have_recorded_losses(met):
    public = met(PUBLIC)
    assert public.follow_from == "nothing" and public.in_words == "on public triples"
    assert torch.equal(losses(public), public.record.losses["validation.0"].double())


def test_without_the_weights_public_triples_serve_and_that_is_said(met, tmp_path, monkeypatch):
    monkeypatch.setattr(opponent, "ROOT", tmp_path)  # as in the students' copy
    for seed in (SECRET, DRAWN):
        found = met(seed)
        assert found.follow_from == "nothing" and "which a network could know, as the reference's weights are" in (
            found.in_words
        )
        assert torch.equal(losses(found, "test"), found.record.losses["test.0"].double())


def change(state: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    if how == "others":
        generator = torch.Generator().manual_seed(0)
        return {k: v + 0.05 * v.abs().mean() * torch.randn(v.shape, generator=generator) for k, v in state.items()}
    return {k: v for k, v in state.items() if "mid_block" not in k}


@pytest.mark.parametrize(("how", "says"), [("others", "are not the weights whose losses"), ("fewer", "train again")])
def test_weights_other_than_the_recorded_ones_are_no_reference(how, says, met, tmp_path, monkeypatch):
    file = "reference/weights/digits.safetensors"
    (tmp_path / file).parent.mkdir(parents=True)
    state = {k: v.float() for k, v in safetensors.torch.load_file(ROOT / file).items()}
    safetensors.torch.save_file(change(state, how), tmp_path / file)
    monkeypatch.setattr(opponent, "ROOT", tmp_path)
    with pytest.raises(NotJudged, match=says):
        losses(met(SECRET))
    assert not list(tmp_path.rglob("losses-*.safetensors"))


def test_a_network_of_other_settings_has_no_opponent(met):
    for override in ("model.num_timesteps=500", "diffusion.beta_end=0.01", "model.block_out_channels=[16,32]"):
        with pytest.raises(NotJudged, match=r"leave model\.… and diffusion\.… as they are"):
            met(SECRET, override)
    met(SECRET, "training.epochs=7", "data.batch_size=8")


def test_what_the_reference_had_reached_is_said_for_these_triples(met):
    """Its milestones are recorded for the public ones, on which its loss ends a little higher or lower."""
    found = met(PUBLIC)
    of = TrainedLosses(SimpleNamespace(record=found.record))
    recorded = found.record.chosen
    of._once_on_validation = lambda: SimpleNamespace(reference=1.1 * recorded["loss"])
    assert [row["epoch"] for row in of.along] == [row["epoch"] for row in recorded["milestones"]]
    for row, before in zip(of.along, recorded["milestones"], strict=True):
        assert row["loss"] == pytest.approx(1.1 * before["loss"])


@pytest.mark.parametrize("name", ["digits", "fashion_mnist"])
def test_shipped_weights_are_those_of_the_record(name, request, tmp_path, monkeypatch):
    """The comparison that every grading makes, here a hundred times as strict."""
    monkeypatch.setattr(opponent, "SAME", opponent.SAME / 100)
    root = "unused" if name == "digits" else request.getfixturevalue("real_data")
    config = ROOT / "configs" / f"{name}.yaml"
    settings = load_config(config)
    images = load_images(name, root, limit=None, shape=settings.model.image_shape)
    found = Opponent(SimpleNamespace(
        record=load_record(name), config_shown=config, config_file=config, kind="cpu", reference_has_learnt=True,
        chosen_seed=DRAWN, settings=settings, submission=SimpleNamespace(device="cpu"),
        diffusion=GaussianDiffusion.of(settings), images=images,
    ))  # fmt: skip
    assert found._network is not None
