"""At the end of a training: what the losses and the network's answers usually mean, and what to do next.

Silent about an honest training. The limits lie between the right and the wrong networks of the project's own bank, all
trained on the digits: `python -m tests.bench.endings` measures both sides, docs/evidence.md has the figures.
"""

import math
from collections.abc import Sequence

from assignment.ddpm.milestones import Milestones, Row
from assignment.ddpm.symptoms import Symptoms

TOO_FEW = 100  # optimiser steps after which a high loss says nothing yet
NOTHING = 0.9  # of the loss of predicting nothing: above it nothing has been learnt
WORSE = 1.1  # of the same: above it the answers are worse than none
SAME_AT_ANY_T = 1e-5  # relative: answers differ by less only where t does not reach them
WIDE = 0.5  # of the predicted pixels, from lowest to highest: narrower ones have hardly learnt, and may be one-sided
SQUASHED = 0.4  # loss below which the answers of a free output go far beyond ±1
HALVES = 0.5  # the loss in train mode, of that in eval mode: below it, the two modes are two networks
IMPOSSIBLE = 0.5  # of the loss at which the reference ended
JUMP = 1.5  # the last validation loss, of the lowest: not the slow rise of learning by heart
RISE = 1.1  # the same, with a training loss that went on falling
CALM = 1.0  # the loss a step before it was not finite: below it, it did not run away
STILL = 0.01  # of the loss, in the last quarter of the epochs
NO_GRADIENT = {  # what torch says in backward, where no line of the network's is left to point at
    "does not require grad and does not have a grad_fn": (
        "the network's answer has no gradient, so nothing can be learnt: forward runs under torch.no_grad(), or cuts "
        "the graph with .detach(), .data, .item() or numpy"
    ),
    "modified by an inplace operation": (
        "backward needs values that forward has overwritten: look for an in-place operation (+=, .add_(), "
        "nn.ReLU(inplace=True)), often on a skip; write h = h + … instead"
    ),
}


def explain(
    log: Sequence[Row], steps: int, found: Symptoms | None, milestones: Milestones | None, grade: str
) -> list[str]:
    """What usually stands behind such an end, most telling first; empty for a training that went well.

    Args:
        log: (epoch, training loss, validation loss) of at least one epoch
        steps: of the optimiser
        found: None where the network could not be examined
        milestones: of the reference, where the losses can be compared
        grade: the command that looks at the network
    """
    best_epoch, _, best = min(log, key=lambda row: row[2])
    says = [*(_of_answers(found, best, steps, grade) if found else []), *_of_losses(log, best_epoch, best)]
    if milestones and best < IMPOSSIBLE * milestones.final[1]:
        says.append(
            f"A validation loss of {best:.4f} is less than half of the reference's last, {milestones.final[1]:.4f}: no "
            "network can tell noise from image that well. Usually it knows more than x and t: stored images, a seed "
            f"from which it draws the same noise again, or a changed assignment/ddpm. Next: {grade}"
        )
    return says


def _of_answers(found: Symptoms, best: float, steps: int, grade: str) -> list[str]:
    says, loss = [], found.loss / found.nothing
    one_sided = found.lowest >= 0 or found.highest <= 0
    if one_sided and found.highest - found.lowest > WIDE and loss < WORSE:
        side = "below" if found.lowest >= 0 else "above"
        says.append(
            f"No pixel that the network predicts is {side} 0, and half of all noise is: usually a ReLU, a sigmoid or a "
            "softplus after the last layer. The loss can't fall below 0.5 like that. Next: end with a plain convolution"
        )
    elif max(-found.lowest, found.highest) <= 1 and loss < SQUASHED:
        says.append(
            "No pixel that the network predicts is beyond ±1, and a third of all noise is: usually a tanh or a clamp "
            "after the last layer. The loss can't fall below 0.15 like that. Next: end with a plain convolution"
        )
    elif found.loss_in_train_mode < HALVES * found.loss:
        says.append(
            f"In train mode the loss is {found.loss_in_train_mode:.4f}, in eval mode, in which samples are drawn, "
            f"{found.loss:.4f}: the network computes something else there. Usually that is BatchNorm, whose running "
            "statistics mix images of very different t, or what forward remembers or does in eval mode only. "
            f"Next: GroupNorm in place of BatchNorm, or {grade} K=behaviour"
        )
    elif loss > WORSE and steps >= TOO_FEW:
        says.append(
            f"The validation loss is {found.loss:.2f}, and predicting no noise at all scores 1: the answers have run "
            "away. Usually the learning rate is too high, or t goes in raw, as a number of up to a thousand. "
            f"Next: training.learning_rate=1e-4, or {grade} K=overfits"
        )
    elif loss > NOTHING and steps >= TOO_FEW:
        says.append(
            f"The validation loss is {found.loss:.2f}, and predicting no noise at all scores 1: nothing was learnt. "
            "Usually no gradient reaches the layers (no_grad, detach, an output that is multiplied by 0), or the "
            f"learning rate is far too low. Next: {grade} K=training"
        )
    if found.by_t < SAME_AT_ANY_T and loss < NOTHING:
        says.append(
            "The network gives the same answer at every t. Its loss can be nearly as low, but its samples are bad: it "
            "can't know how much noise to take away. Next: add the embedding of t to the features of every block, then "
            f"{grade} K=timestep"
        )
    if found.by_label is not None and found.by_label < SAME_AT_ANY_T and loss < NOTHING:
        says.append(
            "The network gives the same answer for every class, so its samples are of any. Next: embed the label y "
            "with nn.Embedding(num_classes + 1, …), and add it to the embedding of t"
        )
    return says


def _of_losses(log: Sequence[Row], best_epoch: float, best: float) -> list[str]:
    _, last_training, last = log[-1]
    training_at_best = next(training for epoch, training, _ in log if epoch == best_epoch)
    kept = f"The weights of epoch {best_epoch:.4g} are kept"
    if last > RISE * best and last_training < training_at_best:
        return [
            f"The validation loss was lowest after epoch {best_epoch:.4g} ({best:.4f}) and has risen to {last:.4f}, "
            f"while the training loss fell to {last_training:.4f}: the network learns the training images by heart. "
            f"{kept}; more epochs won't help. Next: more images (data.limit=null), a smaller network, or dropout"
        ]
    if last > JUMP * best:
        return [
            f"The validation loss jumped from {best:.4f} after epoch {best_epoch:.4g} to {last:.4f}: usually the "
            f"learning rate is too high. {kept}. Next: training.learning_rate=3e-4, or lower"
        ]
    return []


def why_not_finite(step: int, before: float, rate: float, *, half: bool) -> str:
    """What to do about a loss that is infinite or NaN.

    Args:
        step: since which it is, counted from 1
        before: the loss of the step before
        rate: of learning
        half: whether products are computed in float16
    """
    if step == 1:
        return (
            "it was so before anything was learnt: look in the network for a division by 0 (by t, or by a noise level "
            "that is 0 at t = 0) and for the log or root of 0"
        )
    if step == 2:
        return (
            "the first step was finite, and the weights that it left are not: look in the network for a root, a norm "
            "or a division of 0, whose gradient is infinite"
        )
    says = f"try a smaller training.learning_rate (now {rate:g})"
    if half:
        return f"{says}, or runtime.precision=float32, as float16 ends at 65,504"
    if before < CALM:  # a rate that is too high drives the loss up first
        says += (
            f"; or, as the loss was {before:.2f} a step before, look in the network for a division by 0, or the log or "
            "root of 0, that only some t meets, such as t = 0 (make test-level1 K=finite)"
        )
    return says


def why_no_gradient(error: RuntimeError) -> str:
    """What usually stands behind an error in backward; empty for any other error."""
    return next((words for piece, words in NO_GRADIENT.items() if piece in str(error)), "")


def fallen(log: Sequence[Row]) -> float | None:
    """By how much the validation loss fell in the last quarter of the epochs; None where there are too few."""
    losses = [loss for _, _, loss in log]
    if len(losses) < 4:
        return None
    before = len(losses) * 3 // 4
    return 1 - min(losses[before:]) / min(losses[:before])


def still_falling(log: Sequence[Row]) -> str:
    """A sentence if the validation loss was still falling at the end; empty if not, or if that is not known."""
    if not (fell := fallen(log)) or fell <= STILL:
        return ""
    return (
        f"The loss was still falling, by {fell:.1%} in the last quarter of the epochs: "
        f"training.epochs={math.ceil(2 * log[-1][0])} training.resume=true goes on from here"
    )
