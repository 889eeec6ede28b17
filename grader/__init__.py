"""The grader: from two files to a verdict."""

from pathlib import Path

import assignment.ddpm  # noqa: F401  before torch, so that waiting threads sleep instead of spinning

__version__ = "0.1.0"
ROOT = Path(__file__).resolve().parent.parent
