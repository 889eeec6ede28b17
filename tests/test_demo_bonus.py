"""make demo-bonus: two pictures from whatever main.py has trained; a second call measures nothing again."""

import json

import pytest
from PIL import Image

from assignment.ddpm.checkpoint import save_weights
from assignment.ddpm.config import load_config
from grader import demo_bonus
from reference.model import DiffusionModel

SMALL = ("model.num_timesteps=8", "model.block_out_channels=[8,16]", "runtime.device=cpu")


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Weights that have learnt nothing, and few images."""
    monkeypatch.setattr(demo_bonus, "STEPS", (2, 4, 16))
    monkeypatch.setattr(demo_bonus, "IMAGES", 20)
    config = load_config(demo_bonus.CONFIG, SMALL)
    save_weights(DiffusionModel(config.model), tmp_path / "digits_conditional-solution" / "weights.safetensors")
    return tmp_path


def call(outputs, *words: str) -> int:
    return demo_bonus.main([f"output_dir={outputs}", *SMALL, *words])


def test_pictures_and_figures_and_a_second_call_that_measures_nothing(outputs, monkeypatch, capsys):
    assert call(outputs) == 0
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if " steps: FID " in line]
    assert [line.partition(":")[0] for line in lines] == [
        "DDPM in 2 steps", "DDIM in 2 steps", "DDPM in 4 steps", "DDIM in 4 steps",
    ]  # fmt: skip
    with Image.open(outputs / "bonus" / "classes.png") as picture:
        rows, columns = picture.height / 68, picture.width / 68  # of 64 pixels and a gap
        assert 10 < rows < 11 and 14 < columns < 15  # a row each and a head; three blocks of 4 with white between
    assert (outputs / "bonus" / "steps.png").is_file()

    file = outputs / "bonus" / "fids.json"
    kept = json.loads(file.read_text())
    kept["fids"]["DDIM"].pop("4")  # as if it had been killed before the last one
    file.write_text(json.dumps(kept))
    measured = []
    monkeypatch.setattr(demo_bonus.Demo, "fid", lambda demo, *asked: measured.append(asked) or 7.0)
    assert call(outputs) == 0 and measured == [("DDIM", 4)]
    assert "DDIM in 4 steps: FID 7.0" in capsys.readouterr().out
    for content in ("{}", "not JSON", json.dumps(kept | {"about": {}})):  # damaged, or of other weights
        file.write_text(content)
        measured.clear()
        assert call(outputs) == 0 and len(measured) == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("--config", "configs/digits.yaml"),
            "configs/digits.yaml: model.num_classes is null; expected a configuration",
        ),
        (("--config", "configs/digits_conditionl.yaml"), "did you mean configs/digits_conditional.yaml?"),
        (("output_dir=nowhere",), "train first: uv run python main.py --config configs/digits_conditional.yaml --sol"),
        (("--cofig", "x"), "did you mean --config?"),
    ],
)
def test_a_wrong_call_is_one_line(words, says, capsys):
    assert demo_bonus.main(list(words)) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1
