"""The latest of every level: what `make report` shows, although each grading may have judged one level, or one check.

A grading leaves its results.json, and beside it one for each of its levels, in which a check that was not judged this
time keeps what was last said of it: on the same configuration, of the same folder.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from assignment.ddpm.errors import UserError
from grader.reports.reading import load
from grader.results import Check, Results

# where gradings leave their results: `make grade`, and `make test-level1` and pytest
WRITTEN = (Path("outputs/results.json"), Path("outputs/grading/results.json"))
# that a level judges
FILES = {4: ["sampler.py"], 5: ["sampler.py"], 6: ["model.py", "sampler.py"]}
LEVELS = "levels"  # the folder of the levels' own, beside results.json
SAME = ("grader", "grading", "configs", "overrides", "device")  # of the environment, where verdicts stand side by side


def remember(results: Results, folder: Path) -> None:
    """Leave the results of each level in `folder`. Raises OSError where that can't be written."""
    for level in sorted({check.level for check in results.checks}):
        file = folder / LEVELS / f"level{level}.json"
        configs = {str(level): results.environment.get("configs", {}).get(str(level), "")}
        own = replace(
            results, environment=results.environment | {"configs": configs},
            checks=[check for check in results.checks if check.level == level],
        )  # fmt: skip
        with suppress(UserError):  # there is none yet, or it is of another version
            own = _with_those_before(own, load(file))
        own.save(file)


def _with_those_before(now: Results, before: dict[str, Any]) -> Results:
    """`now`, and what it did not judge as it was before; none of it if that was something else."""
    about = json.loads(json.dumps(now.to_json()))
    if _same(before) != _same(about):
        return now
    judged = {check.id for check in now.checks}
    kept = [_check(values) for values in before["checks"] if values["id"] not in judged]
    order = {values["id"]: place for place, values in enumerate(before["checks"])}
    drawn = {figure["file"] for figure in now.figures}
    return replace(
        now, checks=sorted([*now.checks, *kept], key=lambda check: order.get(check.id, len(order))),
        information=before["information"] | now.information, weights=before["weights"] | now.weights,
        figures=[*(figure for figure in before["figures"] if figure["file"] not in drawn), *now.figures],
        sha256=now.sha256 if not kept else before["submission"]["sha256"],  # the oldest code that anything is said of
    )  # fmt: skip


def _same(results: Mapping[str, Any]) -> tuple[object, ...]:
    return _folder(results), *(results["environment"].get(name) for name in SAME)


def _folder(results: Mapping[str, Any]) -> Path:
    return Path(results["submission"]["path"]).resolve()


def _check(values: dict[str, Any]) -> Check:
    return Check(**{name: values[name] for name in Check.__dataclass_fields__})


def latest() -> tuple[dict[str, Any], Path, dict[str, Path]]:
    """Of the folder that was graded last, each level as it was judged last.

    Returns:
        results as `load` gives them, the folder of the newest ones, and for each picture the folder that it is in
    Raises:
        UserError: there are no results, or they can't be read
    """
    files = [file for path in WRITTEN for file in (path, *sorted((path.parent / LEVELS).glob("level*.json")))]
    files = sorted((file for file in files if file.is_file()), key=lambda file: file.stat().st_mtime, reverse=True)
    if not files:
        raise UserError(f"no results yet in {WRITTEN[0].parent}/; `make test-level1` and `make grade` write some")
    newest = load(files[0])
    read = [(newest, files[0]), *((load(file), file) for file in files[1:])]
    combined: dict[int, dict[str, Any]] = {}  # level → the results that it is from
    pictures, folders, information = dict[str, dict[str, Any]](), dict[str, Path](), dict[str, Any]()
    for results, file in read:
        new = {check["level"] for check in results["checks"]} - combined.keys()
        if not new or _folder(results) != _folder(newest):
            continue
        combined |= dict.fromkeys(new, results)
        information = results["information"] | information
        for figure in results["figures"]:
            if figure["file"] not in pictures:
                pictures[figure["file"]], folders[figure["file"]] = figure, home(file)
    return _joined(newest, combined) | {
        "information": information, "figures": [pictures[name] for name in sorted(pictures)],
    }, home(files[0]), folders  # fmt: skip


def _changed(file: Path, digest: str | None) -> bool:
    """Whether a file, if it is there, is another one than was judged."""
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() != digest


def home(file: Path) -> Path:
    """The folder with the pictures of a results.json, or of a level's own."""
    return file.parent.parent if file.parent.name == LEVELS else file.parent


def _joined(newest: dict[str, Any], of: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    checks = [check for level in sorted(of) for check in of[level]["checks"] if check["level"] == level]
    changed = {
        str(level): file for level, results in of.items() for file in FILES.get(level, ["model.py"])
        if _changed(_folder(newest) / file, results["submission"]["sha256"].get(file))
    }  # fmt: skip
    named = {str(level): results["environment"].get("configs", {}).get(str(level)) for level, results in of.items()}
    configs = {level: name for level, name in named.items() if name}
    weights = {name: about for results in reversed([*of.values()]) for name, about in results["weights"].items()}
    return newest | {
        "checks": checks, "weights": weights,
        "score": round(sum(check["points"] for check in checks), 6),
        "max_score": round(sum(check["max_points"] for check in checks), 6),
        "environment": newest["environment"]
        | {"configs": configs, "changed": changed, "config": ", ".join(sorted(set(configs.values())))},
    }  # fmt: skip
