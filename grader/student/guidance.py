"""A student's guided_eps as the checks use it. The judge answers in place of the network, so it sees every call."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from grader.checks.finding import CheckFailed
from grader.checks.guidance_calls import Call, labels_of, problem, rows_of
from grader.checks.guidance_contract import check_guided
from grader.checks.guidance_formulas import Guided, Question
from grader.checks.sampler_contract import changed_inputs
from grader.student.deadlines import Deadlines
from grader.student.trace import REAL, rounding_of
from grader.submission.process import AnySubmission, Reply

SAME = 1e-6  # relative, of the x that the model is shown: float32


@dataclass
class GuidanceRecord:
    """What was seen of guided_eps so far, whichever check asked."""

    problems: list[CheckFailed] = field(default_factory=list)  # of its calls of the model
    asked: list[set[bool]] = field(default_factory=list)  # for each question at w ≠ 0, 1, see check_asks
    changed: dict[str, list[str]] = field(default_factory=dict)  # what its calls have changed

    @property
    def fault(self) -> CheckFailed | None:
        return next(iter(self.problems), None)


class Guidance:
    """guided_eps, in the worker."""

    def __init__(self, submission: AnySubmission, deadlines: Deadlines, record: GuidanceRecord) -> None:
        self.submission, self.deadlines, self.record = submission, deadlines, record

    def reply(self, question: Question, w: float, *, seed: int) -> Reply:
        """What comes of a question, whatever it is."""
        calls: list[Call] = []
        asked: set[bool] = set()

        def answer(facts: dict[str, Any], tensors: dict[str, Tensor]) -> Tensor:
            call = _call(question, facts, tensors, len(calls))
            calls.append(call)
            rounding = max(SAME, rounding_of(tensors["x"]))
            if wrong := problem(question, call, self.submission.device, rounding):
                self.record.problems.append(wrong)
            labels = labels_of(question, call)
            asked.update(label == question.num_classes for label in labels)
            return question.answers[rows_of(question, call)[0], labels]

        inputs = {"x_t": question.x_t, "t": question.t, "labels": question.y}
        seconds = 2 * len(question.y) * self.deadlines.pace.sampling
        reply = self.deadlines.ask(
            self.submission, "guide", seconds, tensors=inputs, answer=answer, w=float(w),
            num_classes=question.num_classes, seed=seed,
        )  # fmt: skip
        if w not in (0, 1) and (question.y < question.num_classes).any():
            self.record.asked.append(asked)
        changed = [*reply.values["changed"], *changed_inputs(inputs, reply.tensors)]
        known = self.record.changed.setdefault("guided_eps", [])
        known += [name for name in changed if name not in known]
        return reply

    def __call__(self, question: Question, w: float, *, seed: int) -> Guided:
        """The same, verified: of x_t's shape (B, C, H, W), float32, finite."""
        reply = self.reply(question, w, seed=seed)
        came = reply.tensors.get("y")
        return Guided(question, w, check_guided(reply.values, came, question.x_t.shape, self.submission.device))


def _call(question: Question, facts: dict[str, Any], tensors: dict[str, Tensor], before: int) -> Call:
    """Raises CheckFailed for a call that can't be answered."""
    most = 3 * 2 * len(question.y)
    if before >= most:
        raise CheckFailed(
            f"expected at most two calls of the model for each image, got more than {most} for {len(question.y)}",
            "Ask the model once with the batch twice, or twice with the batch.",
        )
    x, image = tensors.get("x"), tuple(question.x_t.shape[1:])
    if x is None or x.dtype not in REAL or tuple(x.shape[1:]) != image or not len(x):
        got = facts["x"].get("shape") or facts["x"].get("type")
        raise CheckFailed(
            f"expected the model to be called with images of shape {image}, got x of shape {tuple(got)}"
            if isinstance(got, list)
            else f"expected the model to be called with a tensor x, got {got}",
            "x_t keeps its shape; twice the batch is torch.cat([x_t, x_t]), (2B, C, H, W).",
        )
    t, labels = tensors.get("t"), tensors.get("labels")
    return Call(facts, x.float(), t, labels)
