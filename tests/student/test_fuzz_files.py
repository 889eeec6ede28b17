"""Whatever a file contains, damaged, foreign or forged: it is read, or rejected as its reader documents."""

import json
import math
import os
import re
import resource
import struct
import sys
from contextlib import suppress
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from assignment.ddpm import data as datasets
from assignment.ddpm.checkpoint import load_weights, read_log
from assignment.ddpm.config import Config, load_config, to_yaml
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError
from assignment.ddpm.runner import Runner
from assignment.ddpm.trainer import Trainer
from assignment.ddpm.training import resume
from grader.checks.finding import CheckFailed
from grader.grading_config import GRADING, load_grading
from grader.metrics import record
from grader.student import deadlines
from grader.student.weights import Weights, WeightsAt, read_weights
from grader.submission.programs import change
from grader.submission.weights_files import about_file
from tests.conftest import ROOT
from tests.support.strategies import NESTED, bytes_like, damaged, replaced, texts, unicodes

DIGITS = "configs/digits.yaml"
CODE = "c" * 64  # the hash of a model.py


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("read") / "file"


def edited(text: str) -> st.SearchStrategy[bytes]:
    """A YAML file with one value replaced, or the file damaged."""
    lines = text.splitlines(keepends=True)
    keyed = [i for i, line in enumerate(lines) if ":" in line]
    one = st.tuples(st.sampled_from(keyed), YAML).map(
        lambda c: "".join([*lines[: c[0]], f"{lines[c[0]].split(':')[0]}: {c[1]}\n", *lines[c[0] + 1 :]]).encode()
    )
    return one | bytes_like(text.encode()) | YAML.map(str.encode)


YAML = unicodes | st.sampled_from([
    "1" * 5000, ".nan", "-.inf", "-1", "0", "~", "true", "many", "[]", "{}", "[1, ~]", "???", "2024-99-99", "'\\ud800'",
    "!!int abc", "!!int ''", "!!float x", "!!bool maybe", "!!timestamp x", "!!set {x}", "!!binary aGk=", "!!null x",
    "&a [*a]", "*a", "${data.name}", "${", "${oc.env:X}", "[" * 300 + "]" * 300, "[" * 3000, "{a: " * 300 + "}" * 300,
])  # fmt: skip


@given(edited((ROOT / "configs" / "digits.yaml").read_text()))
def test_any_file_is_a_configuration_or_refused(file, content):
    file.write_bytes(content)
    with suppress(UserError):
        assert isinstance(load_config(file), Config)


KEYS = st.sampled_from([line.strip().split(":")[0] for line in to_yaml(load_config(DIGITS)).splitlines()])
SECTIONS = st.sampled_from(["data", "model", "diffusion", "training", "sampling", "runtime"])


@given(st.builds("{}.{}={}".format, SECTIONS, KEYS, YAML | texts) | texts)
@example("data.name=\ud800")
@example("training.epochs=" + "1" * 5000)
@example("model.block_out_channels=" + "[" * 300 + "]" * 300)
def test_any_override_is_taken_or_refused(override):
    with suppress(UserError):
        assert isinstance(load_config(DIGITS, [override]), Config)


@given(edited(GRADING.read_text()))
@example(re.sub("own_work: .*", "own_work: .nan", GRADING.read_text()).encode())
@example(re.sub("steps: 300", "steps: many", GRADING.read_text()).encode())
def test_any_file_grades_by_numbers_or_is_refused(file, content):
    file.write_bytes(content)
    try:
        grading = load_grading(file)
    except UserError:
        return
    assert all(0 <= points < math.inf for points in grading.points.values())
    drawn = [setting for wanted in grading.samples.values() for setting in (wanted.cpu, wanted.gpu)]
    assert all(
        isinstance(n, int) and n > 0 for of in (*grading.overfit.values(), *drawn) for n in (of.images, of.steps)
    )


def headed(header: Any, body: bytes) -> bytes:
    """A safetensors file with this header."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


HEADER = {
    "__metadata__": {"code": CODE, "epoch": "3", "tied": "a"},
    "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
}
KINDS_OF_NUMBERS = st.sampled_from(["F4", "F6_E2M3", "F8_E8M0", "C64", "U16", "BOOL", "F\n"])
SIZES = st.lists(st.sampled_from([0, 1, 2, 2**20, 2**40, 2**62, 2**63, 2**64 - 1]), max_size=4)
ODD = st.builds(lambda kind, shape, end: HEADER | {"a": {"dtype": kind, "shape": shape, "data_offsets": [0, end]}},
                st.just("F32") | KINDS_OF_NUMBERS, SIZES, st.sampled_from([0, 2, 4, 8, 2**42]))  # fmt: skip


@given(bytes_like(headed(HEADER, bytes(8))) | (replaced(HEADER) | ODD).map(lambda h: headed(h, bytes(8))))
@example(headed(HEADER | {"a": {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]}}, b""))
def test_any_file_has_weights_or_is_refused(file, content):
    file.write_bytes(content)
    with suppress(CheckFailed):
        weights = read_weights(file)
        assert isinstance(weights, Weights) and weights.describe(WeightsAt(file)) is not None
        assert isinstance(change(weights.about, b"x = 1\n"), str)
    assert about_file(file) is None or isinstance(about_file(file), dict)
    with suppress(UserError):
        load_weights(nn.Linear(2, 1, bias=False), file)


def test_a_pickle_is_no_weights_and_a_huge_size_takes_no_memory(file):
    torch.save({"a": torch.zeros(2)}, file)
    with pytest.raises(CheckFailed, match="expected weights as safetensors") as refusal:
        read_weights(file)
    assert "\n" not in refusal.value.message
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    file.write_bytes(headed(HEADER | {"a": {"dtype": "U8", "shape": [2**36], "data_offsets": [0, 2**36]}}, bytes(8)))
    with pytest.raises(CheckFailed):
        read_weights(file)
    unit = 1 if sys.platform == "darwin" else 1024
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 2**30


@given(bytes_like(b"epoch,loss\n1,0.5\n2,nan\n") | texts.map(lambda s: s.encode("utf-8", "surrogatepass")))
@example(b"epoch,loss\n1\n")
@example(b"epoch\n1,2\n")
@example(b"epoch\n" + b"1" * 200_000)
def test_any_log_has_rows_of_numbers_or_is_refused(file, content):
    file.write_bytes(content)
    with suppress(UserError):
        assert all(isinstance(value, float) for row in read_log(file) for value in row.values())


def train(identity: dict) -> tuple[Trainer, dict]:
    trainer = Trainer(
        Runner(nn.Linear(2, 1)),
        GaussianDiffusion(5, 0.01, 0.4),
        learning_rate=1e-3,
        ema_decay=0.9,
        fused=False,
    )
    return trainer, trainer.state_dict() | {"identity": identity}


@given(st.data())
def test_any_checkpoint_is_gone_on_from_or_refused(file, data):
    trainer, state = train({"training.seed": 0})
    torch.save(state, file)
    resume(trainer, file, {"training.seed": 0})
    if data.draw(st.booleans()):
        torch.save(data.draw(replaced(state)), file)
    else:
        file.write_bytes(data.draw(damaged(file.read_bytes())))
    with suppress(UserError):
        resume(trainer, file, {"training.seed": 0})


FIGURES = json.loads((ROOT / "reference" / "results" / "digits.json").read_text())
AS_TEXT = replaced(FIGURES).map(lambda v: json.dumps(v).encode())


@given(AS_TEXT | NESTED | bytes_like(json.dumps(FIGURES).encode()), bytes_like(headed(HEADER, bytes(8))))
def test_any_record_is_read_or_refused(file, figures, losses):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "RESULTS", file.parent)
        file.with_suffix(".json").write_bytes(figures)
        file.with_suffix(".safetensors").write_bytes(losses)
        with suppress(UserError):
            found = record.load_record(file.name)
            assert (
                isinstance(found.caveat, str)
                and found.looks >= 0
                and found.chosen["seed"] == found.figures["chosen_seed"]
            )


PACE = {"forward": 0.1, "step": 0.2, "sampling": 0.3}


@given(replaced(PACE).map(lambda v: json.dumps(v).encode()) | NESTED | bytes_like(json.dumps(PACE).encode()))
@example(b'{"forward": 0, "step": 0.2, "sampling": 0.3}')
@example(b'{"forward": 0.1, "step": 0.2, "sampling": 60}')
def test_a_remembered_pace_is_one_that_may_be_believed(file, content):
    measured = deadlines.Pace(1.0, 2.0, 3.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(file.parent))
        patch.setattr(deadlines, "measure", lambda *a: measured)
        config = load_config(DIGITS)
        deadlines.remembered(config, lambda: None, "cpu")
        (cache,) = file.parent.rglob("pace-*.json")
        cache.write_bytes(content)
        found = deadlines.remembered(config, lambda: None, "cpu")
    assert found == measured or all(0 < seconds < deadlines.IMPLAUSIBLE for seconds in vars(found).values())


@given(st.binary(min_size=16, max_size=16) | damaged(struct.pack(">IIII", 0x803, 60_000, 28, 28)))
@example(bytes(16))
@example(struct.pack(">IIII", 0x903, 60_000, 28, 28))  # signed bytes
@settings(max_examples=settings.default.max_examples // 10)
def test_any_packed_images_are_read_or_refused(file, header):
    raw = file.parent / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, size in (("train-images-idx3-ubyte", 47_040_016), ("train-labels-idx1-ubyte", 60_008),
                       ("t10k-images-idx3-ubyte", 7_840_016), ("t10k-labels-idx1-ubyte", 10_008)):  # fmt: skip
        with open(raw / name, "wb") as packed:
            packed.write(header)
            packed.truncate(size)
    with suppress(UserError):
        datasets.load_images("fashion_mnist", file.parent, limit=None, shape=(1, 28, 28))


# ---- facts about a file that no honest file has


def weights(path, tensors: dict[str, torch.Tensor], **about: str) -> None:
    safetensors.torch.save_file(tensors, path, metadata={"code": CODE} | about)


@pytest.mark.parametrize("when", [-1e11, 1e13, 4e17])
def test_weights_of_any_date_can_be_described(when, tmp_path):
    weights(tmp_path / "w.safetensors", {"a": torch.zeros(2)}, epoch="9" * 3_000_000)
    with suppress(OverflowError, OSError):  # what this file system can store
        os.utime(tmp_path / "w.safetensors", (when, when))
    assert len(read_weights(tmp_path / "w.safetensors").describe(WeightsAt(tmp_path))) < 300


def test_a_thousand_names_for_one_tensor_are_refused_before_they_cost_memory(tmp_path):
    tensor = {"a": torch.zeros(1 << 20)}
    weights(tmp_path / "w.safetensors", tensor, **{f"tied{k}": "a" for k in range(3)})
    assert len(read_weights(tmp_path / "w.safetensors").state) == 4
    weights(tmp_path / "w.safetensors", tensor, **{f"tied{k}": "a" for k in range(700)})
    with pytest.raises(CheckFailed, match=r"at most 512 MiB of weights .* got 2,804 MiB"):
        read_weights(tmp_path / "w.safetensors")


def test_weights_behind_a_link_are_refused(tmp_path):
    weights(tmp_path / "w.safetensors", {"a": torch.zeros(2)})
    (tmp_path / "link.safetensors").symlink_to(tmp_path / "w.safetensors")
    with pytest.raises(CheckFailed, match="a symbolic link"):
        read_weights(tmp_path / "link.safetensors")
