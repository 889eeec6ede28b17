"""The part of this project that a platform needs to grade without trained weights."""

from grader.bundles.handout import STUDENTS_SAMPLER
from grader.bundles.packing import files

NAMES = (
    "pyproject.toml", "assignment/__init__.py", "assignment/ddpm", "assignment/digits/train.safetensors",
    "configs/digits.yaml", "configs/grading.yaml", "grader", "reference/__init__.py", "reference/model.py",
)  # fmt: skip
LEFT_OUT = (
    "grader/bundles/", "grader/classroom/", "grader/exports/", "grader/metrics/weights/", "grader/platforms/github/",
    "grader/recording/", "grader/similarity/",
)  # fmt: skip


def grader_without_weights() -> dict[str, bytes]:
    """Path → content. The reference is included for its pace; its sampler is the students' one, as they can read it."""
    found = {name: content for name, content in files(*NAMES).items() if not name.startswith(LEFT_OUT)}
    return found | {"reference/sampler.py": STUDENTS_SAMPLER.read_bytes()}
