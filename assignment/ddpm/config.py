"""Configuration: the dataclasses are the schema, the YAML files the values, `key.path=value` the last word.

A key that is not in the schema is an error, as is a value of the wrong type or outside its range.
"""

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from assignment.ddpm.errors import UserError


def _check(ok: bool, key: str, value: Any, expected: str) -> None:
    if not ok:
        raise UserError(f"{key}={value}: expected {expected}")


@dataclass
class DataConfig:
    name: str = MISSING  # a function of ddpm/data.py: digits, fashion_mnist, cifar10
    root: str = "data"  # where the files are, or are downloaded to
    limit: int | None = None  # only the first N training images, for a quick try
    batch_size: int = 128

    def check(self) -> None:
        _check(self.limit is None or self.limit >= 1, "data.limit", self.limit, "at least 1, or null for all images")
        _check(self.batch_size >= 1, "data.batch_size", self.batch_size, "at least 1")


@dataclass
class ModelConfig:
    """What `DiffusionModel(config)` receives. Your network needs the first three; the rest shapes the reference."""

    image_channels: int = MISSING
    image_size: int = MISSING  # images are square
    num_timesteps: int = 1000  # T: the network is asked for t in [0, T)

    # diffusers' UNet2DModel, by its own names
    layers_per_block: int = 1
    block_out_channels: list[int] = field(default_factory=lambda: [64, 128])
    block_attention: list[bool] = field(default_factory=lambda: [False, False])  # self-attention, a value per block
    mid_block_attention: bool = True
    norm_num_groups: int = 32

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return self.image_channels, self.image_size, self.image_size

    def check(self) -> None:
        for key in ("image_channels", "image_size", "num_timesteps", "layers_per_block", "norm_num_groups"):
            _check(getattr(self, key) >= 1, f"model.{key}", getattr(self, key), "at least 1")
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

    beta_start: float = 1e-4
    beta_end: float = 0.02

    def check(self) -> None:
        _check(0 < self.beta_start < 1, "diffusion.beta_start", self.beta_start, "a number between 0 and 1")
        _check(
            self.beta_start <= self.beta_end < 1,
            "diffusion.beta_end", self.beta_end, f"a number from beta_start={self.beta_start} up to, not including, 1",
        )  # fmt: skip


@dataclass
class TrainingConfig:
    epochs: int = 50
    learning_rate: float = 1e-3
    ema_decay: float = 0.999  # moving average of the weights, which is what is kept and sampled; 0 turns it off
    fused_optimizer: bool = True
    max_minutes: float | None = None  # stop after this long, sample, and leave the rest for training.resume=true
    resume: bool = False  # go on from the run's checkpoint
    checkpoint_minutes: float = 1.0
    seed: int = 0

    def check(self) -> None:
        _check(self.epochs >= 1, "training.epochs", self.epochs, "at least 1")
        _check(0 < self.learning_rate < 1, "training.learning_rate", self.learning_rate, "a number between 0 and 1")
        _check(0 <= self.ema_decay < 1, "training.ema_decay", self.ema_decay, "a number from 0 up to, not including, 1")
        _check(
            self.max_minutes is None or self.max_minutes >= 0,
            "training.max_minutes", self.max_minutes, "minutes, or null for no limit",
        )  # fmt: skip
        _check(self.checkpoint_minutes >= 0, "training.checkpoint_minutes", self.checkpoint_minutes, "minutes")
        _check(self.seed >= 0, "training.seed", self.seed, "at least 0")


@dataclass
class SamplingConfig:
    num_images: int | None = None  # null: 64, or 16 where a CPU would need long
    batch_size: int | None = None  # null: chosen for the device, halved where memory runs out
    every_epochs: int = 0  # also draw a grid every so many epochs; 0: only at the end
    seed: int = 0

    def check(self) -> None:
        _check(self.num_images is None or self.num_images >= 1, "sampling.num_images", self.num_images, "at least 1")
        _check(self.batch_size is None or self.batch_size >= 1, "sampling.batch_size", self.batch_size, "at least 1")
        _check(self.every_epochs >= 0, "sampling.every_epochs", self.every_epochs, "at least 0")
        _check(self.seed >= 0, "sampling.seed", self.seed, "at least 0")


PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass
class RuntimeConfig:
    """Where and how fast: `auto` measures on this machine (ddpm/autotune.py), and prints what it chose and why."""

    device: str = "auto"
    precision: str = "auto"
    channels_last: bool | str = "auto"
    attention: str = "auto"  # fused: the kernel that torch picks; math: plain matrix products
    compile: bool | str = "auto"
    threads: int | str = "auto"  # of a CPU

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


# what a YAML file can do to its readers: deep nesting, endless numbers, halves of characters, dates that are none
UNREADABLE = (
    YAMLError, OmegaConfBaseException,
    ValueError, TypeError, RecursionError, AttributeError, OverflowError, LookupError,
)  # fmt: skip


def load_config(path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> Config:
    """Read a YAML file, apply `key.path=value` overrides, and check everything.

    Raises:
        UserError: the file is missing or is not YAML; a key is unknown; a value has the wrong type or range.
    """
    path = Path(path)
    merged = OmegaConf.structured(Config)
    for source, values in [(str(path), _read_yaml(path)), *((text, _read_override(text)) for text in overrides)]:
        try:
            merged = OmegaConf.merge(merged, values)
        except UNREADABLE as error:
            raise UserError(f"{source}: {_explain(error)}") from error
    try:
        config = OmegaConf.to_object(merged)
    except UNREADABLE as error:  # a value without a default that nobody gave, or a broken ${…}
        raise UserError(f"{path}: {_explain(error)}") from error
    for section in (config.data, config.model, config.diffusion, config.training, config.sampling, config.runtime):
        section.check()
    return config


def to_yaml(config: Config) -> str:
    return OmegaConf.to_yaml(OmegaConf.structured(config))


# Settings that may differ when a run is resumed: how long, where and how fast, not what is computed.
_FREE = ("training.epochs", "training.max_minutes", "training.resume", "training.checkpoint_minutes",
         "data.root", "sampling.", "runtime.", "output_dir")  # fmt: skip


def identity(config: Config) -> dict[str, Any]:
    """The settings that make a run what it is, as `key.path: value`: a checkpoint continues only with the same ones."""
    return {key: value for key, value in _flat(config).items() if not key.startswith(_FREE)}


def _flat(config: Config | type[Config]) -> dict[str, Any]:
    """Every setting by its `key.path`."""
    tree = OmegaConf.to_container(OmegaConf.structured(config))
    sections = {name: values if isinstance(values, dict) else {"": values} for name, values in tree.items()}
    return {f"{name}.{key}".rstrip("."): value for name, values in sections.items() for key, value in values.items()}


def config_files() -> list[str]:
    """What lies in configs/, without grading.yaml, which is the grader's."""
    return sorted(str(path) for path in Path("configs").glob("*.yaml") if path.name != "grading.yaml")


def _read_yaml(path: Path) -> Any:
    if not path.is_file():
        known = config_files()
        near = difflib.get_close_matches(str(path), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none in configs/'}"
        raise UserError(f"{path}: no such configuration file; {hint}")
    try:
        values = OmegaConf.load(path)
        sections = OmegaConf.to_container(values)
    except (*UNREADABLE, OSError) as error:
        raise UserError(f"{path}: not a readable YAML file: {' '.join(str(error).split())}") from error
    if not OmegaConf.is_dict(values):
        raise UserError(f"{path}: expected sections such as data: and training:, got {type(values).__name__}")
    for name, section in sections.items():
        if name in Config.__dataclass_fields__ and name != "output_dir" and not isinstance(section, dict):
            raise UserError(f"{path}: {name}: expected a section with keys of its own, got {section}")
    return values


def _read_override(text: str) -> Any:
    key, equals, _ = text.partition("=")
    if not equals or not key:
        raise UserError(f"{text}: expected key.path=value, such as training.epochs=10")
    known = list(_flat(Config))
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
        same_leaf = [k for k in known if k.split(".")[-1] == key.split(".")[-1]]
        raise UserError(f"{text}: unknown key {key}; did you mean {(same_leaf or [near])[0]}?")
    try:
        return OmegaConf.from_dotlist([text])
    except UNREADABLE as error:
        raise UserError(f"{text}: {' '.join(str(error).split())}") from error


def _explain(error: Exception) -> str:
    """OmegaConf's first line says what; its `full_key` line says where."""
    lines = str(error).splitlines() or [type(error).__name__]
    where = [line.split(":", 1)[1].strip() for line in lines if "full_key:" in line]
    return f"{where[0]}: {lines[0]}" if where and where[0] else lines[0]
