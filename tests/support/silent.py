"""A network that learns nothing, in no time: of its weights only is judged where they come from."""

from pathlib import Path

from grader.grade import grade
from grader.results import Check, Results
from grader.submission.handed_in import take
from tests.proof.bank import BANK
from tests.proof.trained import DIGITS

CHECK = "level2.trained.weights"
SILENT = (BANK / "trained" / "silent.py").read_text()
OTHER_ANSWER = SILENT.replace("0.01 * t", "0.02 * t")  # the same parameters
OTHER_NETWORK = SILENT.replace("torch.zeros(())", "torch.zeros(3)")


def judged(folder: Path, *options: str, overrides: tuple[str, ...] = ()) -> tuple[Check, Results]:
    """The verdict on the weights alone."""
    results = grade(
        folder, levels=[2], config=DIGITS, overrides=["runtime.device=cpu", *overrides], quiet=True,
        only=CHECK.__eq__, options=[*options, f"--figures={folder / 'figures'}"],
    )  # fmt: skip
    return results.checks[0], results


def unpacked(submission: Path, target: Path, source: str = SILENT) -> Path:
    taken = take([submission], target, ["digits"])
    assert taken.problem == taken.remark == ""
    (target / "model.py").write_text(source)
    return target
