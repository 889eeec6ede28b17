"""In a GitHub Actions workflow: grade a student's checkout, and report in the summary and at the student's lines.

python -m grader.platforms.github.grade CHECKOUT OUTPUT: the workflow's inputs are in the environment
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader import ROOT
from grader.check_ids import needs_training
from grader.grading_options import GradingOptions
from grader.reports import github_annotations, github_summary
from grader.reports.github import commands_off, inline
from grader.reports.reading import load
from grader.submission.handed_in import take

TRAINING = 2 / 3  # of the job's minutes, at most: the rest is for installing, and for judging what it has learnt
NO_GPU = (
    "This runner has no GPU: the short training of level 1 is shorter than on one, and samples of trained networks are "
    "fewer, drawn in fewer steps."
)


def arguments(inputs: Mapping[str, str]) -> list[str]:
    """The arguments of `python -m grader`."""
    words = [word for level in inputs["LEVELS"].split() for word in ("--level", level)]
    words += ["--sandbox", inputs["SANDBOX"]]
    if inputs["CONFIG"]:
        words += ["--config", inputs["CONFIG"]]
    if inputs["TRAIN"] == "true":
        words += ["--train", "--minutes", f"{TRAINING * float(inputs['MINUTES']):g}"]
    return words


def trained_configs(inputs: Mapping[str, str]) -> list[str]:
    """The configurations of which a repository may hold trained weights."""
    given = Path(inputs["CONFIG"]) if inputs["CONFIG"] else None
    return list(
        GradingOptions(levels=tuple(int(word) for word in inputs["LEVELS"].split()), config=given).trained_configs()
    )


def run_grader(submission: Path, output: Path, words: list[str]) -> int:
    command = [sys.executable, "-m", "grader", str(submission), "--output", str(output), *words]
    with commands_off():
        return subprocess.run(command, cwd=ROOT).returncode


def remarks(results: dict[str, Any]) -> list[str]:
    """What could not be judged here, or only less strictly."""
    said = [NO_GPU] if results["environment"].get("device") == "cpu" else []
    missing = [c for c in results["checks"] if c["verdict"] == "not_judged" and needs_training(c["id"])]
    if missing:
        points = sum(check["max_points"] for check in missing)
        said.append(
            f"{len(missing)} checks of a trained network ({points:g} points) were not judged. They need the weights "
            "that `make submit` packs, in weights/ of the repository, or `train: true`, which takes minutes on a GPU "
            "and hours on a CPU, but for the digits."
        )
    return said


def main(checkout: str, output: str, environment: Mapping[str, str] = os.environ) -> int:
    """Exit codes: 0 graded; 1 nothing to grade, or below the pass score; otherwise the grader's own."""
    summary = Path(environment["GITHUB_STEP_SUMMARY"])

    def tell(*paragraphs: str) -> None:
        with summary.open("a", encoding="utf-8", errors="replace") as file:
            file.write("\n\n".join(paragraphs) + "\n\n")

    with tempfile.TemporaryDirectory() as folder:
        submission = Path(folder) / "submission"
        taken = take([Path(checkout)], submission, trained_configs(environment))
        if taken.problem:
            tell("## Nothing could be graded", inline(taken.problem))
            return 1
        code = run_grader(submission, Path(output), arguments(environment))
    if code:
        tell("## Not graded", "The grader itself failed; nothing is said about the submission. The log has the reason.")
        return code
    results = load(Path(output) / "results.json")
    tell(github_summary.render(results), *remarks(results))
    print(github_annotations.render(results, lambda file: taken.origins.get(file, file)), end="")
    wanted = float(environment["PASS_SCORE"])
    if not results["score"] >= wanted:
        print(f"{results['score']:g} points; this workflow wants {wanted:g}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    repository, results_folder = sys.argv[1:]
    sys.exit(main(repository, results_folder))
