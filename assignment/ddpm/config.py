"""Configuration: the dataclasses are the schema, the YAML files the values, `key.path=value` the last word.

A key that is not in the schema is an error, as is a value of the wrong type or outside its range.
"""

import difflib
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from assignment.ddpm.errors import UserError
from assignment.ddpm.scalars import as_written, misread, unquoted

ROOT = Path(__file__).resolve().parents[2]  # of the project
GRADING = "grading.yaml"  # in configs/, but no configuration: points and limits
SEEDS = 2**63  # torch's generators take so many


def _check(ok: bool, key: str, value: Any, expected: str) -> None:
    if not ok:
        raise UserError(f"{key}={value}: expected {expected}")  # as it is typed, so that it can be corrected in place


@dataclass
class DataConfig:
    name: str = MISSING  # a function of ddpm/data.py: digits, fashion_mnist, cifar10
    root: str = "data"  # where the files are, or are downloaded to
    limit: int | None = None  # only the first N training images, for a quick try
    batch_size: int = 128  # as in Ho et al. (appendix B); what does not fill a batch is left for the next epoch

    def check(self) -> None:
        _check(self.limit is None or self.limit >= 1, "data.limit", self.limit, "at least 1, or null for all images")
        _check(self.batch_size >= 1, "data.batch_size", self.batch_size, "at least 1")


@dataclass
class ModelConfig:
    """What `DiffusionModel(config)` receives. Your network needs the first three; the rest shapes the reference."""

    image_channels: int = MISSING  # C: 1 grey, 3 colour
    image_size: int = MISSING  # H = W: images are square
    num_timesteps: int = 1000  # T: the network is asked for t in [0, T)
    num_classes: int | None = None  # K: then it is asked with labels, too (level 6); null: forward(x, t) as ever

    # diffusers' UNet2DModel, by its own names
    layers_per_block: int = 1  # residual blocks at each resolution; one more on the way up
    block_out_channels: list[int] = field(default_factory=lambda: [64, 128])  # features, a value per resolution
    block_attention: list[bool] = field(default_factory=lambda: [False, False])  # self-attention, a value per block
    mid_block_attention: bool = True  # at the lowest resolution, between the way down and the way up
    norm_num_groups: int = 32  # of GroupNorm: has to divide every value of block_out_channels

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return self.image_channels, self.image_size, self.image_size

    def check(self) -> None:
        for key in ("image_channels", "image_size", "num_timesteps", "layers_per_block", "norm_num_groups"):
            _check(getattr(self, key) >= 1, f"model.{key}", getattr(self, key), "at least 1")
        classes = self.num_classes
        _check(classes is None or classes >= 2, "model.num_classes", classes, "at least 2, or null for no labels")
        channels, groups = self.block_out_channels, self.norm_num_groups
        _check(
            len(channels) > 0 and all(c > 0 and c % groups == 0 for c in channels),
            "model.block_out_channels", channels, f"multiples of model.norm_num_groups={groups}",
        )  # fmt: skip
        _check(
            len(self.block_attention) == len(channels),
            "model.block_attention", self.block_attention, f"a value for each of {len(channels)} blocks",
        )  # fmt: skip


@dataclass
class DiffusionConfig:
    """The linear schedule of Ho et al. 2020, section 4."""

    beta_start: float = 1e-4  # the paper's beta_1, our betas[0]
    beta_end: float = 0.02  # the paper's beta_T, our betas[T-1]; made for T = 1000: fewer steps leave image in x_{T-1}

    def check(self) -> None:
        _check(0 < self.beta_start < 1, "diffusion.beta_start", self.beta_start, "a number between 0 and 1")
        _check(
            self.beta_start <= self.beta_end < 1,
            "diffusion.beta_end", self.beta_end, f"a number from beta_start={self.beta_start} up to, not including, 1",
        )  # fmt: skip


@dataclass
class TrainingConfig:
    epochs: int = 50
    learning_rate: float = 1e-3  # Adam's, constant; Ho et al. take 2e-4, for larger networks and longer runs
    ema_decay: float = 0.999  # moving average of the weights, which is what is kept and sampled; 0 turns it off
    label_dropout: float = 0.1  # with model.num_classes: the share of labels that become "no class" (p_uncond)
    fused_optimizer: bool = True  # one kernel updates all weights; the same numbers up to rounding
    max_minutes: float | None = None  # stop after this long, sample, and leave the rest for training.resume=true
    resume: bool = False  # continue from the run's checkpoint
    checkpoint_minutes: float = 1.0  # what a crash can cost
    tensorboard: bool = False  # also log losses and pictures for TensorBoard, in the run's folder
    seed: int = 0  # of initial weights, order, timesteps and noise; the split into train and validation has its own

    def check(self) -> None:
        _check(self.epochs >= 1, "training.epochs", self.epochs, "at least 1")
        _check(0 < self.learning_rate < 1, "training.learning_rate", self.learning_rate, "a number between 0 and 1")

        _check(0 <= self.ema_decay < 1, "training.ema_decay", self.ema_decay, "a number from 0 up to, not including, 1")
        dropout = self.label_dropout
        _check(0 <= dropout < 1, "training.label_dropout", dropout, "a number from 0 up to, not including, 1")
        _check(
            self.max_minutes is None or self.max_minutes >= 0,
            "training.max_minutes", self.max_minutes, "minutes, or null for no limit",
        )  # fmt: skip
        _check(self.checkpoint_minutes >= 0, "training.checkpoint_minutes", self.checkpoint_minutes, "minutes")
        _check(0 <= self.seed < SEEDS, "training.seed", self.seed, "at least 0, and below 2^63")


@dataclass
class SamplingConfig:
    num_images: int | None = None  # null: 64, or 16 where a CPU would need long
    batch_size: int | None = None  # null: chosen for the device, halved where memory runs out
    every_epochs: int | None = None  # a row of growth.png every k epochs; null: 1, 2, 3, 5, 8, 12, … at most; 0: none
    seed: int = 0  # of the noise: the same one at every preview, so that pictures can be compared
    steps: int = 50  # of main.py --sampler ddim, at most model.num_timesteps; the DDPM sampler takes all of those
    eta: float = 0.0  # of main.py --sampler ddim: 0 adds no noise, 1 as much as DDPM
    guidance: float = 1.5  # w, with model.num_classes: 0 ignores the class, 1 goes by it, more exaggerates it

    def check(self) -> None:
        _check(self.num_images is None or self.num_images >= 1, "sampling.num_images", self.num_images, "at least 1")
        _check(self.batch_size is None or self.batch_size >= 1, "sampling.batch_size", self.batch_size, "at least 1")
        _check(
            self.every_epochs is None or self.every_epochs >= 0,
            "sampling.every_epochs", self.every_epochs, "at least 0, or null for more and more seldom",
        )  # fmt: skip
        _check(0 <= self.seed < SEEDS, "sampling.seed", self.seed, "at least 0, and below 2^63")
        _check(self.steps >= 2, "sampling.steps", self.steps, "at least 2")
        _check(0 <= self.eta <= 1, "sampling.eta", self.eta, "a number from 0 to 1")
        _check(0 <= self.guidance < math.inf, "sampling.guidance", self.guidance, "a number, at least 0")


PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass
class RuntimeConfig:
    """Where and how fast: `auto` measures on this machine (ddpm/autotune.py), and prints what it chose and why."""

    device: str = "auto"  # cuda before mps before cpu
    precision: str = "auto"  # of matrix products and convolutions; weights, loss and optimiser stay float32
    channels_last: bool | str = "auto"  # memory layout: the channels of a pixel side by side
    attention: str = "auto"  # fused: the kernel that torch picks; math: plain matrix products
    compile: bool | str = "auto"  # torch.compile: faster steps, after most of a minute
    threads: int | str = "auto"  # of a CPU; fewer can be faster where other programs run

    def check(self) -> None:
        devices = "one of auto, cpu, mps, cuda, cuda:N"
        _check(bool(re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device)), "runtime.device", self.device, devices)
        _check(self.precision in PRECISIONS, "runtime.precision", self.precision, f"one of {', '.join(PRECISIONS)}")
        for key in ("channels_last", "compile"):
            value = getattr(self, key)
            _check(isinstance(value, bool) or value == "auto", f"runtime.{key}", value, "true, false or auto")
        attention, threads = self.attention, self.threads
        _check(attention in ("auto", "fused", "math"), "runtime.attention", attention, "fused, math or auto")
        _check(
            threads == "auto" or (isinstance(threads, int) and threads >= 1),
            "runtime.threads", threads, "at least 1, or auto",
        )  # fmt: skip


@dataclass
class Config:
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    output_dir: str = "outputs"


# what a broken YAML file can raise: deep nesting, endless numbers, lone surrogates, impossible dates
UNREADABLE = (
    YAMLError, OmegaConfBaseException,
    ValueError, TypeError, RecursionError, AttributeError, OverflowError, LookupError,
)  # fmt: skip


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file, apply `key.path=value` overrides, and check everything.

    Raises:
        UserError: the file is missing or is not YAML; a key is unknown; a value has the wrong type or range.
    """
    path = Path(path)
    # The dataclasses come first, so that OmegaConf rejects unknown keys; each later source overrides the earlier ones.
    merged = OmegaConf.structured(Config)
    for source, values in [(str(path), _read_yaml(path)), *((text, _read_override(text)) for text in overrides)]:
        try:
            merged = OmegaConf.merge(merged, values)
        except UNREADABLE as error:
            raise UserError(f"{source}: {_explain(error)}") from error
    try:
        config = OmegaConf.to_object(merged)
    except UNREADABLE as error:  # a missing value without a default, or a broken ${…}
        raise UserError(f"{path}: {_explain(error)}") from error
    assert isinstance(config, Config), "which is what it was merged into"
    # OmegaConf has checked types; ranges, and values that have to suit each other, are checked here
    for section in (config.data, config.model, config.diffusion, config.training, config.sampling, config.runtime):
        section.check()
    config.data.root, config.output_dir = _home("data.root", config.data.root), _home("output_dir", config.output_dir)
    return config


def _home(key: str, folder: str) -> str:
    """A folder with ~ as the user's home. Raises UserError where there is no home, or no folder."""
    _check(bool(folder), key, folder, "a folder")
    try:
        return str(Path(folder).expanduser())
    except RuntimeError as error:
        raise UserError(f"{key}={folder}: {error}") from error


def to_yaml(config: Config) -> str:
    return OmegaConf.to_yaml(OmegaConf.structured(config))


# the keys whose values are text, whatever they look like
_TEXTS = {
    f"{section.name}.{each.name}" for section in fields(Config) if is_dataclass(section.type)
    for each in fields(section.type) if each.type is str
} | {"output_dir"}  # fmt: skip

# Settings that may differ when a run is resumed: how long, where and how fast, not what is computed.
_FREE = ("training.epochs", "training.max_minutes", "training.resume", "training.checkpoint_minutes",
         "training.tensorboard", "data.root", "sampling.", "runtime.", "output_dir")  # fmt: skip


def identity(config: Config) -> dict[str, Any]:
    """The settings that make a run what it is, as `key.path: value`: a checkpoint continues only with the same ones."""
    return {key: value for key, value in _flat(config).items() if not key.startswith(_FREE)}


def _flat(config: Config | type[Config]) -> dict[str, Any]:
    """Every setting by its `key.path`."""
    tree: Any = OmegaConf.to_container(OmegaConf.structured(config))
    # output_dir belongs to no section: it becomes one with a nameless key, whose dot is stripped again
    sections = {name: values if isinstance(values, dict) else {"": values} for name, values in tree.items()}
    return {f"{name}.{key}".rstrip("."): value for name, values in sections.items() for key, value in values.items()}


def differences(config: Config) -> list[str]:
    """The settings that are not the defaults, each as it is typed: key.path=value."""
    default = _flat(Config)
    return [
        f"{key}={value if isinstance(value, str) else json.dumps(value, separators=(',', ':'))}"
        for key, value in _flat(config).items() if value != default[key]
    ]  # fmt: skip


def config_files() -> list[str]:
    """The files in configs/, here or where the project is, except grading.yaml, which is the grader's."""
    folder = Path("configs") if Path("configs").is_dir() else Path(os.path.relpath(ROOT / "configs"))
    return sorted(str(path) for path in folder.glob("*.yaml") if path.name != GRADING)


def _meant(path: Path, known: list[str]) -> str:
    """Which of the known files a wrong path means: one of the same name first; empty where none is like it."""
    stems = {Path(file).stem: file for file in known}
    near = difflib.get_close_matches(path.stem, stems, n=1)
    whole = difflib.get_close_matches(str(path), known, n=1, cutoff=0.5)  # a guess only where it is a good one
    return stems[near[0]] if near else next(iter(whole), "")


def _read_yaml(path: Path) -> Any:
    known = config_files()
    if path.name == GRADING:
        raise UserError(f"{path}: the grader's points and limits; expected a configuration, {' or '.join(known)}")
    if not path.is_file():
        near = _meant(path, known)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(known) or 'none in configs/'}"
        raise UserError(f"{path}: no such configuration file; {hint}")
    try:
        written = as_written(path.read_text(encoding="utf-8"))
        values = OmegaConf.load(path)
        sections: Any = OmegaConf.to_container(values)  # not resolved: a ${…} may refer to what another source gives
    except (*UNREADABLE, OSError) as error:
        raise UserError(f"{path}: not a readable YAML file: {' '.join(str(error).split())}") from error
    if not OmegaConf.is_dict(values):
        raise UserError(f"{path}: expected sections such as data: and training:, got {type(values).__name__}")
    for name, section in sections.items():
        if name in Config.__dataclass_fields__ and name != "output_dir" and not isinstance(section, dict):
            raise UserError(f"{path}: {name}: expected a section with keys of its own, got {section}")
    if isinstance(written, dict):  # else the file is empty
        _keep_texts(sections, written, str(path))
    return OmegaConf.create(sections)


def _read_override(text: str) -> Any:
    key, equals, _ = text.partition("=")
    if not equals or not key:
        raise UserError(f"{text}: expected key.path=value, such as training.epochs=10")
    known = list(_flat(Config))
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
        # epochs=10 is meant as training.epochs=10: the right name without its section beats a similar spelling
        same_leaf = [k for k in known if k.split(".")[-1] == key.split(".")[-1]]
        raise UserError(f"{text}: unknown key {key}; did you mean {(same_leaf or [near])[0]}?")
    value = text.partition("=")[2]
    try:
        if key in _TEXTS:
            return OmegaConf.create(_nested(key, unquoted(value)))
        if wrong := misread(as_written(value)):
            raise UserError(f"{text}: YAML would read {wrong} as another number; expected a plain decimal one")
        return OmegaConf.from_dotlist([text])  # reads the value as YAML: 3, 1e-4, true, null, [32, 64]
    except UNREADABLE as error:
        raise UserError(f"{text}: {' '.join(str(error).split())}") from error


def _nested(key: str, value: str) -> dict[str, Any]:
    """data.root, x → {data: {root: x}}"""
    section, _, leaf = key.rpartition(".")
    return {section: {leaf: value}} if section else {leaf: value}


def _keep_texts(sections: dict[str, Any], written: dict[str, Any], where: str) -> None:
    """Put texts back as they are written, where YAML would make numbers of them.

    Raises:
        UserError: YAML would read a number as another one
    """
    for name, section in written.items():
        for leaf, value in section.items() if isinstance(section, dict) else [("", section)]:
            key = f"{name}.{leaf}".rstrip(".")
            if key not in _TEXTS:
                if wrong := misread(value):
                    raise UserError(
                        f"{where}: {key}: YAML would read {wrong} as another number; expected a decimal one"
                    )
            elif isinstance(value, str) and leaf and sections[name][leaf] is not None:
                sections[name][leaf] = value
            elif isinstance(value, str) and sections[name] is not None:
                sections[name] = value


def _explain(error: Exception) -> str:
    """OmegaConf's first line says what; its `full_key` line says where."""
    lines = str(error).splitlines() or [type(error).__name__]
    where = [line.split(":", 1)[1].strip() for line in lines if "full_key:" in line]
    return f"{where[0]}: {lines[0]}" if where and where[0] else lines[0]
