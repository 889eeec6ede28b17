"""Results made up for the reports: any checks, with any verdicts and points."""

from pathlib import Path
from typing import Any

from grader.results import Check, Results


def checked(name: str, verdict: str = "passed", **fields: Any) -> Check:
    says = {} if verdict == "passed" else {"message": f"expected this, got {verdict}"}
    return Check(name, "A claim: it holds.", **({"max_points": 1.0, "verdict": verdict, "message": ""} | says | fields))


def graded(*checks: Check) -> dict[str, Any]:
    environment = {"grader": "0.1.0", "seed": 7, "device": "cpu", "advisory": ""}
    sums = {"model.py": "1a69", "sampler.py": "6359"}
    return Results(Path("assignment"), environment, list(checks), {"parameters": "152,513"}, sums).to_json()


def with_points(points: list[tuple[float, float, str]]) -> dict[str, Any]:
    checks = [
        checked(f"level{1 + i % 4}.part.n{i}", verdict, max_points=most, message=f"its own {i}")
        for i, (_, most, verdict) in enumerate(points)
    ]
    checks.sort(key=lambda check: check.level)
    results = graded(*checks)
    for check in results["checks"]:
        check["points"] = points[int(check["id"].rpartition(".n")[2])][0]
    return results | {"score": round(sum(check["points"] for check in results["checks"]), 6)}
