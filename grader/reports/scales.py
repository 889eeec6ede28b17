"""Where a training stands, as marks on a short logarithmic axis: its FID, and its loss beside the reference's."""

import math
import re
from dataclasses import dataclass
from typing import Any

EDGE = 3.0  # percent of the axis that stay free at either end


@dataclass(frozen=True)
class Mark:
    kind: str  # own, reference, real, along, limit: how it is drawn
    says: str
    value: float
    at: float = 0.0  # percent of the axis


@dataclass(frozen=True)
class Scale:
    title: str
    says: str  # how to read it
    marks: list[Mark]


def scales(checks: list[dict[str, Any]]) -> list[Scale]:
    """Of one level's checks; those of which nothing is known are left out."""
    measured = {check["id"].split(".", 1)[1]: check["measurements"] for check in checks}
    found = fid(measured.get("samples.fid", {})), loss(measured.get("loss.beats_reference", {}))
    return [scale for scale in found if scale]


def fid(measured: dict[str, Any]) -> Scale | None:
    of_reference = re.match(r"\d+(\.\d+)?", str(measured.get("of_reference", "")))
    marks = [
        *_mark("real", "real images {:.1f}", measured.get("of_real_images")),
        *_mark("reference", "the reference {:.1f}", float(of_reference[0]) if of_reference else None),
        *_mark("limit", "limit {:.1f}", measured.get("limit")),
        *_mark("own", "yours {:.1f}", measured.get("fid")),
    ]
    return _scale("FID", "How far your samples as a crowd are from the data; left is better.", marks)


def loss(measured: dict[str, Any]) -> Scale | None:
    epochs, losses = (_numbers(measured.get(f"{what}_along_the_reference")) for what in ("epochs", "losses"))
    along = [_mark("along", f"after {epoch:g}", value) for epoch, value in zip(epochs, losses, strict=False)]
    marks = [
        *(mark for found in along for mark in found),
        *_mark("reference", "the reference {:.4f}", measured.get("loss_of_reference")),
        *_mark("own", "yours {:.4f}", measured.get("loss")),
    ]
    after = ", ".join(f"{epoch:g}" for epoch in epochs)
    also = f" The small marks show the reference after {after} epochs of its training." if after else ""
    return _scale("Loss", f"Measured on the validation images; left is better.{also}", marks)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(values: Any) -> list[float]:
    return [value for value in values if _is_number(value)] if isinstance(values, list) else []


def _mark(kind: str, says: str, value: Any) -> list[Mark]:
    return [Mark(kind, says.format(value), value)] if _is_number(value) and value > 0 else []


def _scale(title: str, says: str, marks: list[Mark]) -> Scale | None:
    """The marks at their places; None where there is no own value, or nothing to compare it with."""
    low, high = (choose([math.log(mark.value) for mark in marks], default=0.0) for choose in (min, max))
    if len(marks) < 2 or marks[-1].kind != "own" or high - low < 1e-6:
        return None
    per = (100 - 2 * EDGE) / (high - low)
    placed = [Mark(m.kind, m.says, m.value, round(EDGE + per * (math.log(m.value) - low), 2)) for m in marks]
    return Scale(title, says, placed)
