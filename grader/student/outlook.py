"""How to go on: a trained network's size and training beside the reference's, and what to change first."""

import math

from assignment.ddpm.endings import STILL, fallen
from assignment.ddpm.errors import UserError
from grader.checks.finding import CheckFailed, NotJudged
from grader.errors import SubmissionFailed
from grader.results import LADDER
from grader.student.trained_network import TrainedNetwork

SMALLER = 0.5  # of the reference's parameters: below it a network counts as small


def outlook(trained: TrainedNetwork) -> str:
    """Sentences for a hint; empty where nothing can be said. Epochs and losses are what the hand-in says of itself."""
    try:
        parameters = sum(count for _, count, _ in trained.network().built.values["parameters"])
        record = trained.record
    except (CheckFailed, SubmissionFailed, NotJudged, UserError):
        return ""
    epochs, fell = _epochs(trained), _fallen(trained)
    yours = [
        f"{parameters:,} parameters", *([_of_epochs(epochs)] if epochs else []),
        *([_falling(fell)] if fell is not None else []),
    ]  # fmt: skip
    chosen = record.chosen
    reference = [
        f"{record.figures['parameters']:,} parameters", _of_epochs(chosen["epochs"]),
        *([f"its loss {_along(trained)}"] if trained.reference_curve else []),
    ]  # fmt: skip
    says = f"Your network: {', '.join(yours)}. The reference: {', '.join(reference)}. "
    return says + _advice(parameters / record.figures["parameters"], longer(trained), epochs, fell, chosen["epochs"])


def longer(trained: TrainedNetwork) -> str:
    """The settings to train on with, where longer training helps first; empty where the network has to be changed.

    Twice as many epochs, but at least as many as the configuration has, or the reference had.
    """
    epochs, fell = _epochs(trained), _fallen(trained)
    try:
        most = trained.record.chosen["epochs"]
    except (NotJudged, UserError):
        return ""
    if not epochs or (fell is None and epochs >= most) or (fell is not None and fell <= STILL):
        return ""
    more = max(2 * epochs, trained.settings.training.epochs) if fell is not None else most
    return f"training.epochs={math.ceil(more)} training.resume=true"


def _advice(size: float, settings: str, epochs: float, fell: float | None, reference_epochs: float) -> str:
    if fell is not None and fell > STILL:
        return f"Your loss was still falling, so train longer first: {settings or 'more epochs'}."
    if fell is None and epochs and epochs < reference_epochs:
        return f"Train longer first, as yours has seen the images less often: {settings}."
    if size < SMALLER:
        return f"Longer training alone won't do: try a larger network, and t in every block; {LADDER}."
    return f"Its size is not what is missing: look at how t and the skips enter; {LADDER}."


def _epochs(trained: TrainedNetwork) -> float:
    """For how long the weights were trained; 0 where that is not known."""
    try:
        epochs = float(trained.weights.about.get("epoch", "0"))
    except ValueError:
        return 0.0
    return epochs if 0 < epochs < 1e6 else 0.0


def _fallen(trained: TrainedNetwork) -> float | None:
    """By how much the validation loss fell in the last quarter of the epochs, by the training's own log."""
    try:
        return fallen(trained.log)
    except UserError:
        return None


def _of_epochs(epochs: float) -> str:
    return "1 epoch" if epochs == 1 else f"{epochs:.4g} epochs"


def _falling(fell: float) -> str:
    return (
        f"its loss fell by {fell:.1%} in the last quarter of them" if fell > STILL else "its loss hardly fell any more"
    )


def _along(trained: TrainedNetwork) -> str:
    (before, loss), (last, final) = trained.reference_curve[-2:]
    return f"fell by {1 - final / loss:.1%} from epoch {before:.4g} to {last:.4g}"
