"""The grader: from two files to a verdict."""

from pathlib import Path

import assignment.ddpm  # noqa: F401  before torch: its threads are to sleep while they wait

__version__ = "0.1.0"
ROOT = Path(__file__).resolve().parent.parent
