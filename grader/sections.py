"""Sections of a YAML file as dataclasses: whatever is wrong in one is told in a line that names the key."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import OmegaConf

from assignment.ddpm.config import UNREADABLE
from assignment.ddpm.errors import UserError

Kind = TypeVar("Kind")


def read_yaml(path: Path) -> dict[str, Any]:
    """The file's own sections. Raises UserError if it can't be read, or has none."""
    try:
        values: Any = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, *UNREADABLE) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    return section("the file", values)


def section(where: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected names with values, got {values!r}")
    return {str(key): value for key, value in values.items()}


def refuse_unknown(above: str, keys: Iterable[str], names: Sequence[str]) -> None:
    """Raises UserError for a key that is none of the names; `above` are those above it, with dots."""
    if unknown := [key for key in keys if key not in names]:
        near = difflib.get_close_matches(unknown[0], names, n=1, cutoff=0.0)[0]
        raise UserError(f"{above}{unknown[0]}: there is no such key; did you mean {near}?")


def build(kind: type[Kind], where: str, given: Any) -> Kind:
    """A section as its dataclass has it: no key too many, none missing, and numbers where it has numbers."""
    values, wanted = section(where, given), fields(kind)  # type: ignore[arg-type]  # of dataclasses only
    refuse_unknown(f"{where}.", values, [each.name for each in wanted])
    for each in wanted:
        if each.name not in values and each.default is MISSING:
            raise UserError(f"{where}.{each.name}: missing")
        if each.name in values and each.type in (int, float):
            number(f"{where}.{each.name}", values[each.name], whole=each.type is int)
    return kind(**values)


def number(where: str, value: Any, *, whole: bool = False) -> float:
    """The value. Raises UserError if it is no number, or not a whole one."""
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise UserError(f"{where}: expected a {'whole ' if whole else ''}number, got {value!r}")
    return value
