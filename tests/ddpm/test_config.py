"""Every shipped configuration loads, and everything invalid is rejected in one helpful line."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from assignment.ddpm.config import config_files, identity, load_config, to_yaml
from assignment.ddpm.errors import UserError

CONFIGS = [Path(name) for name in config_files()]
DIGITS = "configs/digits.yaml"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_shipped_file_loads_and_survives_a_round_trip(path, tmp_path):
    config = load_config(path)
    assert path.stem == config.data.name + ("_conditional" if config.model.num_classes else "")
    (tmp_path / "again.yaml").write_text(to_yaml(config))
    assert load_config(tmp_path / "again.yaml") == config


def test_overrides_win_in_order():
    config = load_config(DIGITS, ["training.learning_rate=2e-3", "data.batch_size=5", "data.batch_size=512"])
    assert config.training.learning_rate == 2e-3 and config.data.batch_size == 512


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epoch=3", "unknown key training.epoch; did you mean training.epochs?"),
        ("epochs=3", "did you mean training.epochs?"),
        ("trainig.epochs=3", "did you mean training.epochs?"),
        ("training=3", "unknown key training"),
        ("batch_size=3", "did you mean data.batch_size?"),
        ("training.epochs", "expected key.path=value"),
        ("=3", "expected key.path=value"),
        ("training.epochs=", "training.epochs"),
        ("training.epochs=many", "training.epochs: Value 'many'"),
        ("training.epochs=2.5", "training.epochs: Value '2.5'"),
        ("training.epochs=true", "training.epochs: Value 'True'"),
        ("training.epochs=0", "training.epochs=0: expected at least 1"),
        ("training.epochs=[", "training.epochs=["),
        ("training.learning_rate=nan", "training.learning_rate=nan: expected a number between 0 and 1"),
        ("training.learning_rate=-1", "training.learning_rate=-1.0: expected"),
        ("training.ema_decay=1", "training.ema_decay=1.0: expected"),
        ("training.max_minutes=-1", "training.max_minutes=-1.0: expected"),
        ("training.seed=-1", "training.seed=-1: expected at least 0"),
        ("data.batch_size=0", "data.batch_size=0: expected at least 1"),
        ("data.limit=0", "data.limit=0: expected at least 1"),
        ("sampling.num_images=0", "sampling.num_images=0: expected at least 1"),
        ("model.num_classes=1", "model.num_classes=1: expected at least 2, or null for no labels"),
        ("training.label_dropout=1", "training.label_dropout=1.0: expected a number from 0 up to, not including, 1"),
        ("training.label_dropout=nan", "training.label_dropout=nan: expected"),
        ("sampling.guidance=-1", "sampling.guidance=-1.0: expected a number, at least 0"),
        ("sampling.guidance=.inf", "sampling.guidance=inf: expected a number, at least 0"),
        ("guidance=3", "did you mean sampling.guidance?"),
        ("model.image_size=0", "model.image_size=0: expected at least 1"),
        ("model.block_out_channels=[30]", "model.block_out_channels=[30]: expected multiples of"),
        ("model.block_out_channels=[]", "model.block_out_channels=[]"),
        ("model.block_attention=[true]", "model.block_attention=[True]: expected a value for each of 2 blocks"),
        ("diffusion.beta_start=0", "diffusion.beta_start=0.0: expected"),
        ("diffusion.beta_end=1e-5", "diffusion.beta_end=1e-05: expected a number from beta_start"),
        ("runtime.device=gpu", "runtime.device=gpu: expected one of auto, cpu, mps, cuda"),
        ("runtime.precision=half", "runtime.precision=half: expected one of auto, float32"),
        ("runtime.compile=maybe", "runtime.compile=maybe: expected true, false or auto"),
    ],
)
def test_a_bad_override_is_refused_in_one_line(override, message):
    with pytest.raises(UserError) as refusal:
        load_config(DIGITS, [override])
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"training:\n  epohcs: 3\n", "training.epohcs"),
        (b"training: 3\n", "training"),
        (b"training: {epochs: [1, 2}\n", "not a readable YAML file"),
        (b"- a\n- b\n", "expected sections"),
        (b"just text\n", "just text"),
        (b"\xff\xfe\x00", "not a readable YAML file"),
        (b"data: {name: digits}\n", "model.image_channels"),
        (b"", "data.name"),
        (b"data: {name: '${nowhere}'}\nmodel: {image_channels: 1, image_size: 8}\n", "nowhere"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(content, message, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        load_config(path)
    assert str(path) in str(refusal.value) and message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_answered_with_the_nearest_one():
    with pytest.raises(UserError, match=r"did you mean configs/fashion_mnist.yaml\?"):
        load_config("configs/fashion-mnist.yaml")


def test_the_identity_of_a_run_is_what_is_computed_not_how_long_or_where():
    run = identity(load_config(DIGITS))
    same = [
        "training.epochs=7",
        "training.resume=true",
        "runtime.device=cpu",
        "sampling.seed=3",
        "output_dir=elsewhere",
    ]
    assert identity(load_config(DIGITS, same)) == run
    for other in ("training.learning_rate=2e-3", "data.limit=10", "training.seed=1", "model.num_timesteps=10"):
        assert identity(load_config(DIGITS, [other])) != run
    OmegaConf.create(run)  # plain values only: it is stored in checkpoints


# ---- values that YAML reads otherwise than they are typed


@pytest.mark.parametrize("text", ["007", "1e3", "no", "run #2", "1:30", "2024-01-01", "a=b", "[x", "null"])
def test_a_text_stays_what_is_typed(text, tmp_path):
    assert load_config(DIGITS, [f"output_dir={text}", f"data.root={text}"]).output_dir == text
    if "#" not in text and "[" not in text and text != "null":
        (tmp_path / "c.yaml").write_text(f"{Path(DIGITS).read_text()}\noutput_dir: {text}\n")
        assert load_config(tmp_path / "c.yaml").output_dir == text


def test_quotes_around_a_text_and_a_tilde_are_taken_as_in_a_shell():
    config = load_config(DIGITS, ["output_dir='my runs'", "data.root=~/data"])
    assert config.output_dir == "my runs" and config.data.root == str(Path.home() / "data")


@pytest.mark.parametrize(
    "text", ["training.epochs=010", "training.max_minutes=1:30", "model.block_out_channels=[32,064]", "data.limit=-07"]
)
def test_a_number_that_yaml_would_misread_is_refused(text, tmp_path):
    with pytest.raises(UserError, match="YAML would read"):
        load_config(DIGITS, [text])
    (tmp_path / "c.yaml").write_text("data: {name: digits, limit: 010}\nmodel: {image_channels: 1, image_size: 8}\n")
    with pytest.raises(UserError, match=r"data.limit: YAML would read 010"):
        load_config(tmp_path / "c.yaml")
