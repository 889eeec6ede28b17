"""What main.py leaves of a training on this machine: its folder, and where its images were. Imports no torch."""

from collections.abc import Sequence
from pathlib import Path

from assignment.ddpm.config import Config, load_config
from assignment.ddpm.errors import UserError

ROOT_KEY = "data.root="


def run_folder(config: Path, settings: Config, *, trusted: bool = False) -> Path:
    """outputs/digits-student, or -solution for the reference itself."""
    return Path(settings.output_dir) / f"{config.stem}-{'solution' if trusted else 'student'}"


def settings_for(config: Path, overrides: Sequence[str], *, trusted: bool = False) -> Config:
    """The configuration to grade on, with the images that this machine's own run of it was trained on.

    What a student hands in is never asked: its paths are a stranger's. Raises UserError as load_config does.
    """
    settings = load_config(config, overrides)
    if not any(text.startswith(ROOT_KEY) for text in overrides):
        try:
            theirs = load_config(run_folder(config, settings, trusted=trusted) / "config.yaml").data
        except UserError:
            return settings  # there is no such run, or it is of another version
        if theirs.name == settings.data.name and Path(theirs.root).is_dir():
            settings.data.root = theirs.root
    return settings
