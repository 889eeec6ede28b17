"""Results of a level made up for the platforms: only the verdicts matter."""

from pathlib import Path

from grader.results import Check, Results


def results(*verdicts: str, device: str = "cpu") -> Results:
    names = ("contract.builds", "contract.shapes", "training.overfits", "trained.weights")
    checks = [
        Check(f"level1.{name}", "A claim.", 1.0, verdict, "" if verdict == "passed" else "did not run", location="")
        for name, verdict in zip(names, verdicts, strict=False)
    ]
    return Results(Path("x"), {"device": device, "advisory": ""}, checks)
