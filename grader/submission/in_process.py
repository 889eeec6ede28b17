"""A submission inside the judge's own process, for a debugger: breakpoints and `pytest --pdb` work. Advisory only."""

import sys
from pathlib import Path
from typing import Any

from torch import Tensor

import assignment
from grader.submission.process import Answer, Reply
from grader.submission.sources import read_sources
from grader.worker.probes import PROBES
from grader.worker.session import Session


class InProcessSubmission:
    """Answers the same requests as a Submission; exceptions pass through unchanged, so a debugger stops there."""

    trusted = False

    def __init__(self, path: Path, *, device: str) -> None:
        self.path, self.device, self.sources = path, device, read_sources(path)
        for name in ("model", "sampler"):
            sys.modules.pop(f"assignment.{name}", None)
        # the files in place, so that breakpoints set in an editor work; the given code stays ours
        self.path_before = list(assignment.__path__)
        assignment.__path__[:] = [str(path.resolve()), *self.path_before]
        self.answer: Answer | None = None
        self.asked: tuple[str, dict[str, Tensor], dict[str, Any]] | None = None  # the last request
        self.session = Session(device, self._ask)

    def _ask(self, facts: dict[str, Any], tensors: dict[str, Tensor]) -> Tensor:
        """What the judge answers for a sampler's model."""
        assert self.answer is not None, "a probe that asks is given an answer"
        return self.answer(facts, tensors)

    def request(
        self, probe: str, *, seconds: float, tensors: dict[str, Tensor] | None = None, answer: Answer | None = None,
        **arguments: Any,
    ) -> Reply:  # fmt: skip
        self.answer, self.asked = answer, (probe, dict(tensors or {}), arguments)
        return self.ask_again()

    def ask_again(self) -> Reply:
        """The answer to the last request, asked anew."""
        assert self.asked is not None, "something was asked"
        probe, tensors, arguments = self.asked
        copies = {name: tensor.clone() for name, tensor in tensors.items()}
        return Reply(*PROBES[probe](self.session, copies, **arguments))

    def warm_up(self) -> None:
        """Nothing: nobody is waiting."""

    def take_printed(self) -> str:
        """Nothing: what is printed goes to the terminal."""
        return ""

    def stop(self) -> None:
        self.session.networks.clear()

    def close(self) -> None:
        assignment.__path__[:] = self.path_before
