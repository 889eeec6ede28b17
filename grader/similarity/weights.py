"""Students whose trained weights are nearer to one another than separate trainings end: for people to look at.

Names of layers and the file's precision make no difference: tensors are compared by shape and size. How near
trainings of the same code come is measured by `python -m tests.proof.trained_again`; no points depend on it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

# Of the distance, up to which a pair is listed. Copies in bfloat16, with other names, or with 1 % of noise are at most
# 0.00005 apart; trainings of the same code at least 0.89 with other seeds, and 0.14 with one seed but other settings.
LIMIT = 0.02
BUCKETS = 1024  # of a sketch: its distances are right within 1 / √(BUCKETS / 2), 5 %


@dataclass(frozen=True)
class NearWeights:
    """Students each of whom has weights near to another's of them."""

    config: str
    students: tuple[str, ...]
    distance: float  # of the pair that is furthest apart: 0 for the same weights, 1 for unrelated ones


@dataclass(frozen=True)
class Sketch:
    """What is kept of a file of weights."""

    form: str  # hash of the tensors' shapes: only equal ones can be compared
    values: Tensor  # (BUCKETS,) float64


def near_weights(files: Mapping[str, Mapping[str, Path]], limit: float = LIMIT) -> list[NearWeights]:
    """The largest groups first.

    Args:
        files: configuration → student → file of weights
    """
    found = []
    for config, by_student in files.items():
        same: dict[str, dict[str, Tensor]] = defaultdict(dict)
        for student, file in by_student.items():
            if sketch := sketch_of(file):
                same[sketch.form][student] = sketch.values
        for values in same.values():
            for group in _groups(values, limit):
                furthest = max(distance(values[a], values[b]) for a, b in combinations(group, 2))
                found.append(NearWeights(config, tuple(group), furthest))
    return sorted(found, key=lambda near: (-len(near.students), near.distance, near.students))


def _groups(values: Mapping[str, Tensor], limit: float) -> list[list[str]]:
    """Students with a neighbour within the limit, together with it."""
    group_of = {student: [student] for student in values}
    for a, b in combinations(values, 2):
        if group_of[a] is not group_of[b] and distance(values[a], values[b]) <= limit:
            group_of[a] += group_of[b]
            group_of |= dict.fromkeys(group_of[a], group_of[a])
    return [group for student, group in group_of.items() if group[0] == student and group[1:]]


def distance(a: Tensor, b: Tensor) -> float:
    """‖a − b‖² / (‖a‖² + ‖b‖²): 0 for the same, 1 for unrelated ones, up to 2."""
    return ((a - b).square().sum() / (a.square().sum() + b.square().sum()).clamp_min(1e-12)).item()


def sketch_of(file: Path) -> Sketch | None:
    """A count sketch (Charikar, Chen & Farach-Colton 2002) of all matrices and kernels; None if it can't be read.

    Vectors are left out: gains begin at 1 and biases at 0, and stay near in every training.
    """
    try:
        state = safetensors.torch.load_file(file)
    except Exception:  # a stranger's file, which the checks report
        return None
    numbers = [torch.view_as_real(v) if v.is_complex() else v for v in state.values()]
    wide = [v.float() for v in numbers if v.dim() > 1 and v.is_floating_point() and v.isfinite().all()]
    wide.sort(key=lambda v: (v.shape, v.norm().item()))
    values = torch.zeros(BUCKETS, dtype=torch.float64)
    for k, tensor in enumerate(wide):
        drawn = torch.Generator().manual_seed(k)
        bucket = torch.randint(BUCKETS, (tensor.numel(),), generator=drawn)
        sign = torch.randint(2, (tensor.numel(),), generator=drawn) * 2.0 - 1
        unit = tensor.double().flatten() / tensor.double().norm().clamp_min(1e-12)  # each counts alike
        values.index_add_(0, bucket, sign.double() * unit)
    return Sketch(hashlib.sha256(str([tuple(v.shape) for v in wide]).encode()).hexdigest(), values) if wide else None
