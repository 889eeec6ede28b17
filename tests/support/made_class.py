"""A graded class without the grading: hand-ins and a roster are read as always, results are made up."""

import json
from pathlib import Path
from typing import Any

from grader.classroom.groups import for_all, graded_alone, share
from grader.classroom.hand_ins import STUDENTS, find
from grader.classroom.outcome import ClassOutcome
from grader.classroom.tables import write_class
from grader.reports.html import PNG
from grader.results import Check, Results
from grader.submission.handed_in import Taken, take
from tests.support.hand_ins import lay_out

PICTURE = PNG + b"a picture"


def results(folder: Path, passed: int, said: str = "") -> dict[str, Any]:
    """Of a student who passed this many of four checks; the last could not be judged."""
    checks = [
        Check(f"level{1 + 3 * (k // 2)}.some.check_{k}", f"Claim {k}.", 2.5, "passed" if k < passed else "failed", said)
        for k in range(4)
    ]
    checks.append(Check("level4.samples.sound", "Claim 4.", 2.0, "not_judged", said, output=said, trace=said))
    figures = [{"file": "steps.png", "title": "Steps", "alt": "a picture"}]
    about = {"seed": 7, "config_file": "/srv/course/digits.yaml", "overrides": [f"output_dir={folder}/trainings"]}
    weights = {"digits": {"from": "trained by the course", "path": f"{folder}/x"}}
    told = {"weights": f"{folder}/x"}
    return Results(folder / "submission", about, checks, told, weights=weights, figures=figures).to_json()


def grade(layout: dict[str, Any], folder: Path, roster: str = "", said: str = "") -> Path:
    """Lay a class out in `folder`, and "grade" it: the first student passes one check, the second two, and so on."""
    output = folder / "graded"
    lay_out(layout, folder / "in")
    file = folder / "the roster.csv" if roster else None
    if file:
        file.write_text(roster)
    works = share(find(folder / "in", file)[0])
    taken, graded, problems = {}, {}, {}
    for k, work in enumerate(graded_alone(works)):
        place = output / STUDENTS / work.folder
        of = Taken(problem=work.problem) if work.problem else take(list(work.places), place / "submission")
        taken[work.student] = of
        if of.problem:
            problems[work.student] = of.problem
            continue
        graded[work.student] = results(place, 1 + k % 4, said)
        (place / "results.json").write_text(json.dumps(graded[work.student]))
        (place / "steps.png").write_bytes(PICTURE)
        (place / "jobs.jsonl").write_text(json.dumps({"host": "gpu-node-17"}) + "\n")
    everybodys = [for_all(works, of) for of in (graded, problems, taken)]
    write_class(output, ClassOutcome(works, *everybodys), file)
    return output
