"""The reference is trained in sittings: each resumes where the previous one stopped, and is logged."""

import pytest
import torch

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm.config import load_config
from grader import provisional
from grader.metrics.record import Record, load_record
from grader.recording import __main__ as command
from grader.recording import measure
from grader.recording import status as status_module
from grader.recording import training as sittings
from grader.recording.measure import Reference
from grader.recording.training import read_sittings, sit
from reference.model import DiffusionModel
from tests.support.running import PLAIN, read_log

TINY = ("data.limit=128", "model.num_timesteps=20", "model.block_out_channels=[8,16]", "sampling.num_images=2",
        "runtime.device=cpu", "training.resume=true", *PLAIN)  # fmt: skip


def configured(folder, epochs, *more):
    return load_config("configs/digits.yaml", [*TINY, f"output_dir={folder}", f"training.epochs={epochs}", *more])


def spans(folder):
    return [(sitting["from_epoch"], sitting["to_epoch"]) for sitting in read_sittings(folder)]


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Weights of epoch 3 of 5 and their record, in place of the shipped ones."""
    torch.manual_seed(1)
    model = DiffusionModel(configured(tmp_path, 5).model)
    ckpt.save_weights(model, tmp_path / "shipped.safetensors")
    told = {"from_epoch": 0, "to_epoch": 3, "seconds": 9, "machine": {"device": "another"}}
    chosen = {"seed": 0, "kept_epoch": 3.0, "sittings": [told], "milestones": []}
    figures = {"provisional": "3 of 5", "seeds": [chosen], "chosen_seed": 0, "weights": "shipped.safetensors"}
    monkeypatch.setattr(sittings, "load_record", lambda name: Record(figures, {}))
    monkeypatch.setattr(sittings, "ROOT", tmp_path)
    return model


def test_a_second_sitting_goes_on_from_the_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(sittings, "load_record", lambda name: None)
    sit("digits", configured(tmp_path, 2), tmp_path, anew=False)
    sit("digits", configured(tmp_path, 5), tmp_path, anew=False)
    assert spans(tmp_path) == [(0, 2), (2, 5)]
    assert [row["epoch"] for row in read_log(tmp_path / "run")] == ["1.0", "2.0", "3.0", "4.0", "5.0"]
    assert {file.name for file in tmp_path.glob("epoch-*")} == {
        "epoch-0001.safetensors", "epoch-0002.safetensors", "epoch-0005.safetensors"
    }  # fmt: skip
    assert all(sitting["machine"]["torch"] == torch.__version__ for sitting in read_sittings(tmp_path))


def test_without_a_checkpoint_it_goes_on_from_the_shipped_weights(tmp_path, shipped, capsys):
    sit("digits", configured(tmp_path, 4), tmp_path, anew=False)
    assert "starting with the weights of " in capsys.readouterr().out
    assert spans(tmp_path) == [(0, 3), (3, 4)]
    assert [row["epoch"] for row in read_log(tmp_path / "run")] == ["4.0"]
    trained = DiffusionModel(configured(tmp_path, 5).model)
    ckpt.load_weights(trained, tmp_path / "run" / ckpt.WEIGHTS)
    assert all((a - b).abs().max() < 0.1 for a, b in zip(trained.parameters(), shipped.parameters(), strict=True))


@pytest.mark.parametrize(("anew", "epochs", "seed"), [(True, 4, 0), (False, 3, 0), (False, 4, 1)])
def test_it_begins_anew_if_asked_to_or_where_the_shipped_training_is_done_or_another(
    anew, epochs, seed, tmp_path, shipped
):
    sit("digits", configured(tmp_path, epochs, f"training.seed={seed}"), tmp_path, anew=anew)
    assert spans(tmp_path) == [(0, epochs)]


def test_a_sitting_that_is_stopped_is_noted_as_far_as_it_came(tmp_path, monkeypatch):
    monkeypatch.setattr(sittings, "load_record", lambda name: None)
    save_weights = ckpt.save_weights

    def stop_at_epoch_2(model, path, **about):
        if path.name == "epoch-0002.safetensors":
            raise SystemError("the power fails")
        save_weights(model, path, **about)

    with monkeypatch.context() as patched, pytest.raises(SystemError):
        patched.setattr(ckpt, "save_weights", stop_at_epoch_2)
        sit("digits", configured(tmp_path, 5, "training.checkpoint_minutes=0"), tmp_path, anew=False)
    assert spans(tmp_path) == [(0, 1)]
    sit("digits", configured(tmp_path, 3), tmp_path, anew=False)
    assert spans(tmp_path) == [(0, 1), (1, 3)]


# ---- the command


@pytest.fixture
def trained_on(monkeypatch):
    """Lists the references that would be trained and recorded."""
    done = []
    monkeypatch.setattr(Reference, "train", lambda self, seed, *, anew: done.append((self.name, seed)))
    monkeypatch.setattr(Reference, "record", lambda self, seeds, looks: done.append((self.name, "recorded")))
    return done


@pytest.fixture
def with_record(monkeypatch):
    """The digits' record with other values, as the only configuration."""
    figures = load_record("digits").figures

    def set_record(**values):
        record = Record(figures | values, {})
        for module in (status_module, measure):
            monkeypatch.setattr(module, "load_record", lambda name: record)
        for module in (status_module, command):
            monkeypatch.setattr(module, "config_files", lambda: ["configs/digits.yaml"])

    return set_record


def test_reference_all_says_how_long_and_then_finishes_what_is_provisional(trained_on, with_record, capsys):
    with_record(provisional="cuda: 3 of 60 epochs")
    assert command.main(["--all", *TINY, "data.limit=null"]) == 0
    said = capsys.readouterr().out
    assert "digits: provisional (cuda: 3 of 60 epochs), 60 epochs to train" in said
    assert trained_on == [("digits", 0), ("digits", 1), ("digits", 2), ("digits", "recorded")]


def test_reference_all_leaves_what_is_final(trained_on, with_record, capsys):
    with_record(provisional="")
    assert command.main(["--all", "runtime.device=cpu"]) == 0
    assert capsys.readouterr().out == "digits: final\n" and trained_on == []


def test_the_status_says_who_trained_and_what_is_missing(with_record):
    with_record(provisional="cuda: 3 of 60 epochs", config="fashion_mnist")
    said = status_module.status()
    assert "provisional: cuda: 3 of 60 epochs" in said and "epochs 0 to 60: " in said
    assert "missing: samples as on a GPU" in said and "missing: the documented GPU runs of 100 and 200 epochs" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "error: --config is missing: expected one of configs/cifar10.yaml, configs/digits.yaml, "),
        (["--config", "configs/digit.yaml"], "error: configs/digit.yaml: no such configuration file; did you mean "),
        (["--all", "--status"], "error: argument --status: not allowed with argument --all"),
        (["--config", "configs/digits.yaml", "training.epoch=3"], "error: training.epoch=3: unknown key "),
    ],
)
def test_a_wrong_call_is_answered_in_a_line(arguments, says, capsys):
    assert command.main(arguments) == 2
    assert capsys.readouterr().err.startswith(says)


def test_whoever_grades_against_a_provisional_reference_is_told(monkeypatch, tmp_path):
    results = tmp_path / "reference" / "results"
    results.mkdir(parents=True)
    (results / "cifar10.json").write_text('{"provisional": "cuda: 3 of 100 epochs"}')
    (results / "fashion_mnist.json").write_text('{"provisional": ""}')
    monkeypatch.setattr(provisional, "ROOT", tmp_path)
    (told,) = provisional.notes([1, 2, 3, 4], None).items()
    assert told[0] == "reference of cifar10" and told[1].startswith("provisional (cuda: 3 of 100 epochs); ")
    assert provisional.notes([1, 4], None) == {} and provisional.notes([2], tmp_path / "unknown.yaml") == {}
