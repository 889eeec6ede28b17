"""PrairieLearn's results.json for external graders: https://docs.prairielearn.com/externalGrading/#grading-results"""

import json
from typing import Any

from grader.reports.wording import clean, explanation, partial, score_line, within

SIZE = 1_000_000  # bytes; more than 1 MB is rejected


def render(results: dict[str, Any]) -> str:
    """Always gradable: what could not be judged earns no points, but the attempt counts."""
    return within(SIZE, lambda longest: _json(results, longest))


def _json(results: dict[str, Any], longest: int) -> str:
    most = results["max_score"]
    page = {
        "gradable": True,
        "score": min(results["score"] / most, 1.0) if most else 0.0,
        "message": score_line(results),
        "output": clean("\n".join(f"{name}: {value}" for name, value in results["information"].items()), longest),
        "tests": [
            {
                "name": check["id"],
                "description": clean(check["claim"], longest),
                "points": check["points"],
                "max_points": check["max_points"],
                "message": clean("; ".join(filter(None, (check["message"], partial(check)))), longest),
                "output": explanation(check, longest),
            }
            for check in results["checks"]
        ],
    }
    return json.dumps(page, indent=1, ensure_ascii=False) + "\n"
