"""The finished trainings that the levels judge, one per configuration: where each one's weights come from."""

from argparse import Namespace
from pathlib import Path
from typing import NamedTuple

from grader import ROOT
from grader.check_ids import config_file
from grader.runs import run_folder, settings_for
from grader.student.trained_labels import TrainedLabels
from grader.student.trained_losses import TrainedLosses
from grader.student.trained_network import TrainedNetwork
from grader.student.trained_samples import TrainedSamples
from grader.student.weights import WeightsAt
from grader.submission.process import AnySubmission
from grader.submission.weights_files import FOUND, GIVEN, TRAINED
from grader.suite.judge import Judge


class Training(NamedTuple):
    """A finished training, from all sides."""

    network: TrainedNetwork
    samples: TrainedSamples
    losses: TrainedLosses
    labels: TrainedLabels


class Trainings:
    """Finds each training when a level first asks for it."""

    def __init__(self, judge: Judge, submission: AnySubmission, options: Namespace) -> None:
        self.judge, self.submission, self.options = judge, submission, options
        self.found: dict[Path, Training] = {}

    def of(self, level: int) -> Training:
        file = config_file(level, self.options.config)
        if file not in self.found:
            self.found[file] = self._find(file)
        return self.found[file]

    def _find(self, file: Path) -> Training:
        settings = settings_for(file, self.options.set, trusted=self.options.trusted)
        run = run_folder(file, settings, trusted=self.options.trusted)
        at = self._weights(file.stem, run)
        deadlines = self.judge.deadlines(settings, self.submission.device)
        network = TrainedNetwork(
            self.submission, deadlines, settings, config=file, weights=at, seed=self.judge.seed
        )  # fmt: skip
        self.judge.results.weights[file.stem] = network.weights_facts()
        return Training(network, TrainedSamples(network), TrainedLosses(network), TrainedLabels(network))

    def _weights(self, config: str, run: Path) -> WeightsAt:
        """The user's choice first, then what the course has trained, what was handed in, and what main.py left."""
        for chosen, origin in ((self.judge.given_weights, GIVEN), (self.judge.trained_weights, TRAINED)):
            if config in chosen:
                return WeightsAt(chosen[config], origin)
        own = self.submission.path.resolve() == ROOT / "assignment"
        found = WeightsAt(run / "weights.safetensors", FOUND, own=own)
        if self.options.trusted:  # the reference: weights/ in its folder are the record's, and nobody's hand-in
            return found
        return WeightsAt.handed_in(self.submission.path, config) or found
