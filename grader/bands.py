"""Partial credit: how much of a check's points a measured value earns, as `bands:` in configs/grading.yaml says.

The verdict stays what it is. Only a value that the check has measured counts: to fail for another reason earns nothing.
"""

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from assignment.ddpm.errors import UserError
from grader.provisional import milestones, provisional

EPOCH = re.compile(r"epoch (\d+)")
Listed = dict[str, dict[float | str, float]]  # check without its level → value or milestone → share of the points


@dataclass(frozen=True)
class Measure:
    """The number that a check's claim is about."""

    means: str  # for who writes the bands
    value: Callable[[dict[str, Any]], Any]  # from the check's measurements; raises KeyError where it was not reached
    limit: Callable[[Any], float]  # what passes, from the data set's `samples:`
    words: Callable[[float], str]
    short: Callable[[float], str]  # … where the sentence has said what it is
    at_most: bool = True
    of_samples: bool = True  # which count only if a denoiser drew them
    milestones: bool = False  # whether values may be the reference's after an epoch


def _classes(measured: dict[str, Any]) -> Any:
    """How many were found, unless another one takes too many of the samples."""
    return measured["found"] if measured["most"] <= measured["limit_of_most"] else None


def _loss(relative: float) -> str:
    by = f"{_percent(abs(relative))} " if relative else ""  # at 0, what passes: any lead that is beyond chance
    return f"{by}{'above' if relative > 0 else 'below'} the reference's"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


MEASURES = {
    "samples.fid": Measure(
        "FID, at most, above that of as many real images",
        lambda m: m["fid"] - m["of_real_images"], lambda of: of.above_real,
        lambda v: f"an FID {v:.2f} above that of real images", "{:g}".format,
    ),
    "samples.classes": Measure(
        "classes, at least, that are found among the samples",
        _classes, lambda of: of.classes - of.missing_classes,
        lambda v: f"{v:g} classes found", "{:g}".format, at_most=False,
    ),
    "samples.recognizable": Measure(
        "the classifier's confidence, at least, as a part of that on real images",
        lambda m: m["confidence"] / m["of_real_images"], lambda of: of.confidence,
        lambda v: f"a classifier {_percent(v)} as confident as on real images", _percent, at_most=False,
    ),
    "samples.clean": Measure(
        "share of the samples, at most, that looks damaged",
        lambda m: m["damaged"], lambda of: of.damaged,
        lambda v: f"{_percent(v)} damaged", _percent,
    ),
    "loss.beats_reference": Measure(
        "loss, at most, above the reference's, as a part of it, or `epoch N` for the reference's own after N epochs",
        lambda m: m["interval"][1], lambda of: 0.0,
        lambda v: f"a loss at {'most' if v > 0 else 'least'} {_loss(v)}", _loss, of_samples=False, milestones=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Band:
    at: float  # the value that reaches it
    share: float  # of the points
    epoch: str = ""  # of the reference, whose loss it is

    def words(self, measure: Measure) -> str:
        """at 14 or less, all of them"""
        if measure.milestones and self.at <= 0:
            wanted = measure.short(self.at)
        else:
            wanted = f"at {measure.short(self.at)} or {'less' if measure.at_most else 'more'}"
        as_after = f" (as after its {self.epoch})" if self.epoch else ""
        return f"{wanted}{as_after}, {'all of them' if self.share == 1 else _percent(self.share)}"


@dataclass(frozen=True)
class Bands:
    """Of one check on one configuration: the strictest and dearest first."""

    measure: Measure
    bands: tuple[Band, ...]
    limit: float  # what passes; all points are for that, unless a band says which value they are for

    def award(self, passed: bool, measurements: dict[str, Any]) -> tuple[float, dict[str, Any] | None]:
        """The share of the points, and what reports say about it: what was measured, what is reached, what is next.

        Args:
            passed: whether it did; it failed otherwise
            measurements: of the check; the share of one that failed for another reason than its value is 0
        """
        value = self._value(measurements)
        if value is None:
            return float(passed), None
        whole = () if self.bands[0].share == 1 else (Band(self.limit, 1.0),)
        reached = next((band for band in self.bands if self._reaches(value, band)), None)
        if passed and whole:
            reached = whole[0]
        share = reached.share if reached else 0.0
        better = [band for band in (*whole, *self.bands) if band.share > share]
        earned = {0.0: "none", 1.0: "all"}.get(share, _percent(share))
        as_good = f", as good as after its {reached.epoch}" if reached and reached.epoch else ""
        says = f"{earned} of the points for {self.measure.words(value)}{as_good}"
        says += f"; {better[-1].words(self.measure)}" if better else ""
        following = {"at": better[-1].at, "share": better[-1].share} if better else None
        return share, {
            "what": self.measure.means, "measured": value, "reached": reached.at if reached else None,
            "next": following, "says": says,
        }  # fmt: skip

    def _value(self, measurements: dict[str, Any]) -> float | None:
        if self.measure.of_samples and not measurements.get("from_a_denoiser"):
            return None
        try:
            value = self.measure.value(measurements)
        except (KeyError, TypeError, ZeroDivisionError):
            return None
        return float(value) if _is_number(value) and math.isfinite(value) else None

    def _reaches(self, value: float, band: Band) -> bool:
        return value <= band.at if self.measure.at_most else value >= band.at


def parse(values: Any, data_sets: Mapping[str, Any]) -> dict[str, Listed]:
    """`bands:` of the file: data set → check → value → share. Raises UserError, with the place, for what is wrong."""
    found: dict[str, Listed] = {}
    for data, of in _mapping(values, "bands").items():
        _known(data, data_sets, "bands", "nothing is wanted of samples of such a data set")
        found[data] = {}
        for check, bands in _mapping(of, f"bands.{data}").items():
            _known(check, MEASURES, f"bands.{data}", "no such check, or one without a value that bands could be of")
            where, measure = f"bands.{data}.{check}", MEASURES[check]
            listed = {_key(key, where, measure): _share(share, f"{where}: {key}") for key, share in
                      _mapping(bands, where).items()}  # fmt: skip
            if not listed:
                raise UserError(f"{where}: expected values and shares, such as {{20: 0.5}}; got none")
            found[data][check] = listed
            if not any(isinstance(key, str) for key in listed):
                resolve(check, listed, data_sets[data], "", where)
    return found


def resolve(check: str, listed: dict[float | str, float], wanted: Any, config: str, where: str) -> Bands | None:
    """The bands of a check, where milestones become losses of a configuration's recorded reference.

    Args:
        check: without its level
        wanted: the data set's part of `samples:`
        config: name of the configuration
        where: what to call them in errors
    Returns:
        None if nothing is recorded for the configuration: there is nothing to compare with, either
    Raises:
        UserError: a milestone is not recorded, or the bands contradict each other or what passes
    """
    measure, bands = MEASURES[check], []
    recorded = milestones(config) if any(isinstance(key, str) for key in listed) else {}
    if recorded is None:
        return None
    for key, share in listed.items():
        if not isinstance(key, str):
            bands.append(Band(key, share))
        elif (epoch := int(key.split()[1])) in recorded:
            bands.append(Band(recorded[epoch], share, key))
        else:
            have, why = ", ".join(map(str, sorted(recorded))) or "none", provisional(config)
            raise UserError(
                f"{where}: {key} is not recorded: the reference of {config} has its loss after epoch {have}"
                f"{f' (provisional: {why})' if why else ''}; expected one of these, or a number: 0.05 for 5 % above"
            )
    bands.sort(key=lambda band: band.at if measure.at_most else -band.at)
    for strict, easy in pairwise(bands):
        if easy.share >= strict.share:
            raise UserError(
                f"{where}: {easy.epoch or f'{easy.at:g}'} is easier to reach than {strict.epoch or f'{strict.at:g}'}, "
                f"and has to be worth less; got {easy.share:g} and {strict.share:g}"
            )
    limit = measure.limit(wanted)
    if bands[0].share < 1 and (bands[0].at < limit if measure.at_most else bands[0].at > limit):
        raise UserError(
            f"{where}: {bands[0].at:g} is stricter than what passes ({limit:g}), which earns all points where no band "
            f"does; expected a band of 1.0"
        )
    return Bands(measure, tuple(bands), limit)


def _mapping(values: Any, where: str) -> dict[Any, Any]:
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected entries below it, got {values!r}")
    return values


def _known(name: Any, names: Mapping[str, Any], where: str, otherwise: str) -> None:
    if name in names:
        return
    near = difflib.get_close_matches(re.sub(r"^level\d\.", "", str(name)), [*names], n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise UserError(f"{where}.{name}: {otherwise}; expected one of {', '.join(names)}{meant}")


def _key(key: Any, where: str, measure: Measure) -> float | str:
    if _is_number(key) and math.isfinite(key):
        return float(key)
    if measure.milestones and isinstance(key, str) and EPOCH.fullmatch(key):
        return key
    raise UserError(f"{where}: {key}: expected a number: {measure.means}")


def _share(share: Any, where: str) -> float:
    if _is_number(share) and 0 <= share <= 1:
        return float(share)
    raise UserError(f"{where}: expected a share of the points from 0 to 1, got {share!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
