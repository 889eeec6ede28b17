"""Level 6, guided_eps: Eq. 6 of Ho & Salimans 2022, and the wrong formulas that people write, each with its hint.

Each is two weights, as functions of w: of the answer with the label, and of the one without. The right one is w and
1 − w, with w as assignment/sampler.py has it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

Weights = tuple[float, float]  # of eps with the label, and of eps without


@dataclass(frozen=True)
class Question:
    """One batch for guided_eps. The judge answers in place of the network: image i as class c gets `answers[i, c]`."""

    x_t: Tensor  # (B, C, H, W)
    t: Tensor  # (B,)
    y: Tensor  # (B,), in [0, K]
    answers: Tensor  # (B, K + 1, C, H, W), noise without a pattern; the last class, K, is "no class"

    @property
    def num_classes(self) -> int:
        return self.answers.shape[1] - 1

    @property
    def with_label(self) -> Tensor:
        """(B, C, H, W) float64"""
        return self.answers[torch.arange(len(self.y)), self.y].double()

    @property
    def without(self) -> Tensor:
        """(B, C, H, W) float64"""
        return self.answers[:, -1].double()

    def mixed(self, weights: Weights) -> Tensor:
        return weights[0] * self.with_label + weights[1] * self.without

    def alone(self, i: int) -> "Question":
        """The same about one of the images."""
        return self.of([i])

    def of(self, rows: list[int]) -> "Question":
        """The same about some of the images, in this order."""
        return Question(self.x_t[rows], self.t[rows], self.y[rows], self.answers[rows])


@dataclass(frozen=True)
class Guided:
    """What came of a question."""

    question: Question
    w: float
    out: Tensor  # (B, C, H, W)

    def off(self, weights: Weights) -> float:
        """How far it is from such a mixture, at the worst pixel, in standard deviations of what is mixed."""
        apart = (self.out.double() - self.question.mixed(weights)).abs().max().item()
        return apart / (1 + abs(weights[0]) + abs(weights[1]))

    def found(self) -> tuple[Weights, float]:
        """The weights that fit best, and how far it is from them; for a question whose labels are all of classes."""
        basis = torch.stack([self.question.with_label.flatten(), self.question.without.flatten()], 1)  # (N, 2)
        with_label, without = torch.linalg.lstsq(basis, self.out.double().flatten()).solution.tolist()
        return (with_label, without), self.off((with_label, without))


def right(w: float) -> Weights:
    return w, 1 - w


class WrongWeights(NamedTuple):
    name: str
    hint: str
    weights: Callable[[float], Weights]


_EQ_6 = "Eq. 6 is eps_null + w · (eps_y − eps_null), with w as the docstring of guided_eps has it"


def _of(change: Callable[[float], float]) -> Callable[[float], Weights]:
    """Eq. 6 with another w."""
    return lambda w: right(change(w))


WRONG: list[WrongWeights] = [
    WrongWeights("the paper's own w",
                 f"That is Ho & Salimans' own w, (1 + w) · eps_y − w · eps_null: theirs is one less. {_EQ_6}.",
                 _of(lambda w: 1 + w)),
    WrongWeights("the two answers swapped",
                 "The answers with and without the label have changed places. Where one call makes both, .chunk(2) "
                 f"gives them in the order in which the labels were concatenated. {_EQ_6}.", _of(lambda w: 1 - w)),
    WrongWeights("the difference the other way round",
                 f"The difference has the wrong sign: eps_y − eps_null leads to the class. {_EQ_6}.",
                 _of(lambda w: -w)),
    WrongWeights("the paper's own w, with the answers swapped",
                 f"The answers have changed places, and w counts from the other end. {_EQ_6}.", _of(lambda w: 2 - w)),
    WrongWeights("w is not used: the answer with the label",
                 f"The answer with the label comes back, whatever w is. {_EQ_6}.", lambda w: (1.0, 0.0)),
    WrongWeights("w is not used: the answer without the label",
                 "The answer without the label comes back, whatever w is: is y replaced by num_classes before it is "
                 f"used, or in place? {_EQ_6}.", lambda w: (0.0, 1.0)),
    WrongWeights("the answer without the label is not taken off",
                 f"w · eps_y is added to eps_null: what is added is the difference. {_EQ_6}.", lambda w: (w, 1.0)),
    WrongWeights("only w times the answer with the label", f"eps_null is missing. {_EQ_6}.", lambda w: (w, 0.0)),
    WrongWeights("only w times the difference", f"eps_null is missing in front. {_EQ_6}.", lambda w: (w, -w)),
    WrongWeights("a sum in place of the difference", f"What w multiplies is a difference, not a sum. {_EQ_6}.",
                 lambda w: (w, 1 + w)),
    WrongWeights("the paper's form with a plus",
                 f"(1 + w) · eps_y + w · eps_null: the second is taken off in the paper. {_EQ_6}.",
                 lambda w: (1 + w, w)),
    WrongWeights("the difference added to the answer with the label, less one",
                 f"The weights are w and 1 − w. {_EQ_6}.", lambda w: (w, w - 1)),
    WrongWeights("w less one", f"Ho & Salimans' w is ours less one, so w − 1 belongs into their form only. {_EQ_6}.",
                 _of(lambda w: w - 1)),
    WrongWeights("w clamped to [0, 1]", f"w may be above 1, which is what guidance is for. {_EQ_6}.",
                 _of(lambda w: min(max(w, 0.0), 1.0))),
    WrongWeights("w no higher than 1", f"w may be above 1, which is what guidance is for. {_EQ_6}.",
                 _of(lambda w: min(w, 1.0))),
    WrongWeights("w no lower than 0", f"w is taken as it comes, below 0 too. {_EQ_6}.", _of(lambda w: max(w, 0.0))),
    WrongWeights("w no lower than 1", f"w is taken as it comes, below 1 too. {_EQ_6}.", _of(lambda w: max(w, 1.0))),
    WrongWeights("the size of w", f"w is taken as it comes, without abs(). {_EQ_6}.", _of(abs)),
    WrongWeights("w as a whole number", f"w is a float: no int(w), and no round. {_EQ_6}.", _of(lambda w: int(w))),
    WrongWeights("w rounded", f"w is a float: no int(w), and no round. {_EQ_6}.", _of(lambda w: round(w))),
    WrongWeights("w squared", f"w stands in Eq. 6 once, not squared. {_EQ_6}.", _of(lambda w: w * w)),
    WrongWeights("half of w", f"w multiplies the whole difference, not half of it. {_EQ_6}.", _of(lambda w: w / 2)),
    WrongWeights("a mean of the two", f"The answers are not averaged. {_EQ_6}.", lambda w: (0.5, 0.5)),
    WrongWeights("divided by 1 + w", f"Nothing is divided by the sum of the weights, which is 1. {_EQ_6}.",
                 lambda w: (w / (1 + w), 1 / (1 + w))),
]  # fmt: skip
