"""Levels 1 and 3: what the claims about a training's samples need of each other, judged from numbers alone.

A grading has just measured them; a rescoring reads them from its results, and decides the same by other limits.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.samples import check_classes, check_clean, check_confidence, check_fid, check_new
from grader.errors import SubmissionFailed
from grader.grading_config import Samples

Measured = dict[str, Any]


class SampleClaims(ABC):
    """Each `check_…` raises CheckFailed where the claim does not hold, and NotJudged where samples don't count."""

    @property
    @abstractmethod
    def wanted(self) -> Samples: ...

    @property
    @abstractmethod
    def quality(self) -> Any:
        """Has fid, classes, confidence, damaged, damage and copies, as grader.metrics.quality.Quality."""

    @abstractmethod
    def of_real(self, name: str) -> float:
        """The same number, measured of as many real images that no training has seen."""

    @property
    @abstractmethod
    def reference_in_words(self) -> str:
        """The reference's FID; empty if there is none to compare with."""

    @property
    @abstractmethod
    def denoising(self) -> Measured:
        """What `samples.denoises` measured. Raises CheckFailed if it does not hold."""

    @property
    @abstractmethod
    def by_heart(self) -> Measured:
        """Whether training images are known by heart. Raises CheckFailed if too many are."""

    def counted(self, check: Callable[[], Measured]) -> Measured:
        """What a check measured of the samples; that is noted also where it is in vain."""
        try:
            found = check()
        except CheckFailed as failed:
            failed.measurements["from_a_denoiser"] = self._denoises(CheckFailed, SubmissionFailed)
            raise
        if not self._denoises(CheckFailed):
            why = "waits for samples.denoises: samples count only if a denoiser drew them"
            raise NotJudged(why, **found, from_a_denoiser=False)
        return found | {"from_a_denoiser": True}

    def _denoises(self, *not_if: type[Exception]) -> bool:
        try:
            self.denoising  # noqa: B018  judged when first looked at
        except not_if:
            return False
        return True

    def check_classes(self) -> Measured:
        """Raises NotJudged where the data set has no classes, or no limits that fit them, too."""
        of, classes = self.wanted, self.quality.classes
        if not classes:
            raise NotJudged("the images have no labels, so there are no classes to look for")
        if of.missing_classes >= len(classes) or of.commonest_class * len(classes) < 1:
            raise NotJudged(
                "configs/grading.yaml: missing_classes and commonest_class are for more classes than the "
                f"{len(classes)} that there are"
            )
        return self.counted(lambda: check_classes(classes, of.rarest_class, of.commonest_class, of.missing_classes))

    def check_confidence(self) -> Measured:
        """Raises NotJudged if classes are missing, too."""
        try:
            self.check_classes()
        except CheckFailed as error:
            raise NotJudged(f"waits for samples.classes: {error.message}", **self._sure) from error
        except NotJudged as error:
            raise NotJudged(str(error), **self._sure) from error
        sure, of_real = self._sure.values()
        return self.counted(lambda: check_confidence(sure, of_real, self.wanted.confidence))

    @property
    def _sure(self) -> Measured:
        return {"confidence": self.quality.confidence, "of_real_images": self.of_real("confidence")}

    def check_clean(self) -> Measured:
        found = self.quality
        return self.counted(
            lambda: check_clean(found.damaged, found.damage, self.of_real("damaged"), self.wanted.damaged)
        )

    def check_fid(self) -> Measured:
        return self.counted(
            lambda: check_fid(
                self.quality.fid, self.of_real("fid"), self.wanted.above_real, self.reference_in_words
            )
        )  # fmt: skip

    def check_new(self) -> Measured:
        def check() -> Measured:
            found = check_new(self.quality.copies, self.of_real("copies"), self.wanted.copies)
            try:
                return found | self.by_heart
            except CheckFailed as failed:
                failed.measurements.update(found)
                raise

        return self.counted(check)
