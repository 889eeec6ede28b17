"""How a submission is graded: the options that `python -m grader`, `class` and pytest share, each declared once."""

import argparse
import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from assignment.ddpm.errors import UserError
from grader.check_ids import LEVEL_CONFIGS, OPTIONAL, TRAINED, config_file, ids_of, looks_at_training
from grader.errors import file_meant
from grader.grading_config import load_grading
from grader.results import level_of

LEVELS = tuple(LEVEL_CONFIGS)
REQUIRED = tuple(level for level in LEVELS if level not in OPTIONAL)
SANDBOXES = ("auto", "required", "landlock", "none")

# keywords of argparse's add_argument, and of pytest's addoption, which takes the same
OPTIONS: dict[str, dict[str, Any]] = {
    "--level": {
        "type": int, "action": "append", "metavar": "N",
        "help": "1 to 6; may be repeated; default: all; 5 and 6 are optional: only if they give points or are begun",
    },
    "--check": {
        "action": "append", "metavar": "ID",
        "help": "only this check, by its id or by its name in the table; may be repeated",
    },
    "--config": {
        "type": Path, "metavar": "FILE",
        "help": "the configuration to grade on; default: Fashion-MNIST, and CIFAR-10 for level 3",
    },
    "--weights": {
        "action": "append", "default": [], "metavar": "CONFIG=FILE",
        "help": "trained weights for a configuration; may be repeated; where there is only one, the file is enough; "
        "default: those handed in, else those that main.py left",
    },
    "--train": {
        "action": "store_true",
        "help": "train first where no weights are handed in that load, if the contract is kept; resumes an interrupted "
        "training",
    },
    "--minutes": {
        "type": float, "metavar": "N", "help": "stop training after N minutes, and judge what it has learnt by then",
    },
    "--inception": {
        "metavar": "FILE",
        "help": "also report the standard Inception FID, from torch-fidelity's file of weights, or `download`",
    },
    "--trusted": {"action": "store_true", "help": "allow ready-made networks: for the reference itself"},
    "--seed": {"type": int, "metavar": "N", "help": "seed of the judge's inputs; default: secret, and recorded"},
    "--secret-seed": {
        "metavar": "FILE",
        "help": "derive the seed from the secret in this file and the submission: the same when graded again",
    },
    "--sandbox": {
        "choices": SANDBOXES, "default": "auto",
        "help": "around the submission: bubblewrap, else Landlock (auto); bubblewrap (required); Landlock; or nothing",
    },
}  # fmt: skip


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Declare some of the options, and overrides of the configuration."""
    for name in names:
        parser.add_argument(name, **OPTIONS[name])
    says = "override a key of the configuration"
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help=says)


def weights_by_config(words: Sequence[str], configs: Sequence[str]) -> dict[str, Path]:
    """`digits=w.safetensors`, or the file alone where there is one configuration → configuration → file.

    Raises:
        UserError: a configuration is unknown, missing or there twice, or there is no such file
    """
    found: dict[str, Path] = {}
    for word in words:
        config, equals, text = word.partition("=")
        if not equals or (config not in configs and Path(word).exists()):
            if len(configs) != 1:
                raise UserError(f"--weights {word}: of which configuration? Expected {_either(configs, word)}")
            config, text = configs[0], word
        if config not in configs:
            near = difflib.get_close_matches(config, configs, n=1, cutoff=0.0)
            raise UserError(f"--weights {word}: {config} is not graded here; expected {_either(near or configs, text)}")
        if config in found:
            raise UserError(f"--weights {word}: expected weights of {config} once")
        if not Path(text).is_file():
            hint = f"; expected a file such as {text}/weights.safetensors" if Path(text).is_dir() else ""
            raise UserError(
                f"--weights {word}: {'a folder' if hint else 'no such file'}{hint or file_meant(Path(text))}"
            )
        found[config] = Path(text)
    return found


def _either(configs: Sequence[str], file: str) -> str:
    return " or ".join(f"{config}={file}" for config in configs) or "none, as no trained network is looked at here"


@dataclass(frozen=True)
class GradingOptions:
    levels: tuple[int, ...] = REQUIRED
    and_begun: bool = False  # besides, the optional ones that a submission has begun
    checks: tuple[str, ...] = ()  # none: all of the levels
    config: Path | None = None
    weights: tuple[str, ...] = ()
    train: bool = False
    minutes: float | None = None
    inception: str | None = None
    trusted: bool = False
    seed: int | None = None
    secret_seed: str | None = None
    sandbox: str = "auto"
    overrides: tuple[str, ...] = ()

    @classmethod
    def of(cls, args: argparse.Namespace) -> "GradingOptions":
        """The options typed. Raises UserError for an unknown level, and for options that exclude each other."""
        named = tuple(getattr(args, "check", None) or ())
        checks = tuple(check_id for name in named for check_id in ids_of(name, args.level or ()))
        usual = LEVELS if checks else (*REQUIRED, *load_grading().optional_levels)
        levels = tuple(sorted(set(args.level or usual)))
        if wrong := [level for level in levels if level not in LEVELS]:
            raise UserError(f"--level {wrong[0]}: expected {', '.join(map(str, LEVELS[:-1]))} or {LEVELS[-1]}")
        given = {each.name: getattr(args, each.name) for each in fields(cls) if hasattr(args, each.name)}
        levels = tuple(level for level in levels if not checks or level in {level_of(name) for name in checks})
        if not levels:
            raise UserError(f"--check {named[0]}: not of the --level that is graded")
        given |= {"levels": levels, "checks": checks, "overrides": tuple(args.overrides)}
        given["and_begun"] = not (args.level or checks or given.get("trusted"))  # the reference has begun everything
        options = cls(**given | {"weights": tuple(given.get("weights", ()))})
        if options.train and options.configs_to_train() and not options.left_to_train():
            raise UserError("--weights and --train: expected one of them, as there is nothing left to train")
        if options.minutes is not None and not 0 < options.minutes < math.inf:
            raise UserError(f"--minutes {options.minutes:g}: expected more than 0")
        return options

    def trained_configs(self) -> dict[str, Path]:
        """The configurations on which trained weights are looked at, by name: level 1's first."""
        return self._configs(looks_at_training)

    def configs_to_train(self) -> dict[str, Path]:
        """Those on which they are judged: for information alone nothing is trained."""
        return self._configs(TRAINED.__contains__)

    def _configs(self, wanted: Callable[[int], bool]) -> dict[str, Path]:
        files = [config_file(level, self.config) for level in self.levels if wanted(level)]
        return {file.stem: file for file in files}

    def left_to_train(self) -> dict[str, Path]:
        """Those of them for which no weights are given. Raises UserError."""
        given = self.given_weights()
        return {name: file for name, file in self.configs_to_train().items() if name not in given}

    def given_weights(self) -> dict[str, Path]:
        """Configuration → file of --weights. Raises UserError."""
        return weights_by_config(self.weights, list(self.trained_configs()))

    def words(self) -> list[str]:
        """The same as arguments of `python -m grader`; absolute paths, as a job runs elsewhere."""
        words = [word for level in self.levels for word in ("--level", str(level))]
        words += [word for name in self.checks for word in ("--check", name)]
        for name, value in (("--config", self.config), ("--secret-seed", self.secret_seed)):
            if value:
                words += [name, str(Path(value).resolve())]
        if self.train:
            words += ["--train", *(["--minutes", f"{self.minutes:g}"] if self.minutes else [])]
        return [*words, "--sandbox", self.sandbox, *self.overrides]

    def for_pytest(self) -> list[str]:
        """The same as pytest options, without what `grade` takes by name: levels, config, seed, overrides."""
        words = [f"--sandbox={self.sandbox}", *(f"--weights={text}" for text in self.weights)]
        for name, value in (("--inception", self.inception), ("--secret-seed", self.secret_seed)):
            if value:
                words.append(f"{name}={value}")
        return [*words, *(["--trusted"] if self.trusted else [])]
