"""How a submission is graded: the options that `python -m grader`, `class` and pytest share, each declared once."""

import argparse
import difflib
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from assignment.ddpm.errors import UserError
from grader.check_ids import check_ids
from grader.results import level_of

LEVELS = (1, 2, 3, 4)
SANDBOXES = ("auto", "required", "landlock", "none")

# keywords of argparse's add_argument, and of pytest's addoption, which takes the same
OPTIONS: dict[str, dict[str, Any]] = {
    "--level": {
        "type": int, "action": "append", "metavar": "N", "help": "1 to 4; may be repeated; default: all of them",
    },
    "--check": {
        "action": "append", "metavar": "ID", "help": "only this check; may be repeated",
    },
    "--config": {
        "type": Path, "metavar": "FILE",
        "help": "the configuration to grade on; default: Fashion-MNIST, and CIFAR-10 for level 3",
    },
    "--weights": {
        "type": Path, "metavar": "FILE", "help": "the trained weights; default: those of the run that main.py left",
    },
    "--train": {
        "action": "store_true", "help": "train first if the contract is kept; resumes an interrupted training",
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
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="override a key of the configuration")


@dataclass(frozen=True)
class GradingOptions:
    levels: tuple[int, ...] = LEVELS
    checks: tuple[str, ...] = ()  # none: all of the levels
    config: Path | None = None
    weights: Path | None = None
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
        levels = tuple(sorted(set(args.level or LEVELS)))
        if wrong := [level for level in levels if level not in LEVELS]:
            raise UserError(f"--level {wrong[0]}: expected {', '.join(map(str, LEVELS[:-1]))} or {LEVELS[-1]}")
        given = {each.name: getattr(args, each.name) for each in fields(cls) if hasattr(args, each.name)}
        checks = tuple(getattr(args, "check", None) or ())
        for name in checks:
            if name not in check_ids():
                near = difflib.get_close_matches(name, check_ids(), n=1, cutoff=0.0)[0]
                raise UserError(f"--check {name}: there is no such check; did you mean {near}?")
        levels = tuple(level for level in levels if not checks or level in {level_of(name) for name in checks})
        if not levels:
            raise UserError(f"--check {checks[0]}: not of the --level that is graded")
        options = cls(**given | {"levels": levels, "checks": checks, "overrides": tuple(args.overrides)})
        if options.weights and options.train:
            raise UserError("--weights and --train: expected one of them, as --train makes weights of its own")
        if options.minutes is not None and not 0 < options.minutes < math.inf:
            raise UserError(f"--minutes {options.minutes:g}: expected more than 0")
        return options

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
        words = [f"--sandbox={self.sandbox}"]
        for name, value in (
            ("--weights", self.weights), ("--inception", self.inception), ("--secret-seed", self.secret_seed),
        ):  # fmt: skip
            if value:
                words.append(f"{name}={value}")
        return [*words, *(["--trusted"] if self.trusted else [])]
