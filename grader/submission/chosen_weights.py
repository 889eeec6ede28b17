"""Which of the files in a hand-in are trained weights, and of which configuration: those that can only be meant.

Weights never keep model.py and sampler.py from being graded: what is wrong with them is told for their configuration.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from grader.submission.chosen import CANVAS, RENAMED, all_paths, find_projects, is_ours, listed
from grader.submission.contents import Contents, Large
from grader.submission.weights_files import CONFIG, FOLDER, LFS, LOG, WEIGHTS, about, header, trained_for

RUN = {"weights.safetensors": WEIGHTS, "log.csv": LOG, "config.yaml": CONFIG}  # as main.py calls a run's files
KINDS = (WEIGHTS, LOG, CONFIG)
ANY_RUN = re.compile(r".*-(?:student|solution)(?:\.\d+)?")  # folders of main.py's runs, earlier ones with a number
PICKLES = re.compile(r"\.(?:pt|pth|bin|ckpt|pkl|pickle|npz|h5)$", re.IGNORECASE)


@dataclass(frozen=True)
class ChosenWeights:
    files: dict[str, Large] = field(default_factory=dict)  # digits.safetensors, digits.log.csv … → which
    refused: dict[str, str] = field(default_factory=dict)  # configuration → why its weights are not taken
    remarks: list[str] = field(default_factory=list)

    def describe(self, config: str) -> str:
        """Weights of a configuration that were taken, in a few words."""
        large = self.files[f"{config}{WEIGHTS}"]
        told = trained_for(about(large.start) or {})
        return f"{large.path}, {large.size / (1 << 20):.1f} MiB{f', {told}' if told else ''}"


class WeightsNames:
    """What a file's name means, among these configurations.

    Args:
        loose: names of files that lie in no student's folder, which may begin with the student's name
    """

    def __init__(self, configs: Sequence[str], loose: frozenset[str] = frozenset()) -> None:
        self.configs, self.loose = list(configs), loose
        either = "|".join(re.escape(unicodedata.normalize("NFC", config).casefold()) for config in configs) or "(?!)"
        kinds = "|".join(re.escape(kind) for kind in KINDS)
        self.named = re.compile(rf"(?:copy of |kopie von )?(?P<config>{either}){RENAMED}(?P<kind>{kinds})(?:\.txt)?")
        self.run = re.compile(rf"(?P<config>{either})-student")
        self.folded = {unicodedata.normalize("NFC", config).casefold(): config for config in configs}

    def meant(self, path: PurePosixPath) -> tuple[str, str]:
        """Configuration and kind: outputs/digits-student/log.csv → digits, .log.csv; ('', '') if it is neither."""
        name, above = _plain(path.name), _plain(path.parent.name)
        if name in RUN:
            if run := self.run.fullmatch(above):
                return self.folded[run["config"]], RUN[name]
            is_alone = RUN[name] == WEIGHTS and len(self.configs) == 1 and not ANY_RUN.fullmatch(above)
            return (self.configs[0], WEIGHTS) if is_alone else NO
        inside = CANVAS.fullmatch(name)
        found = self.named.fullmatch(name) or (inside and self.named.fullmatch(inside["file"] or ""))
        if not found and path.name in self.loose:
            found = self.named.fullmatch(name[len(self.owner(name)) :].lstrip(" _.-"))
        return (self.folded[found["config"]], found["kind"]) if found else NO

    def owner(self, name: str) -> str:
        """`ann_digits.safetensors` → ann: whose a loose file is; empty if it is no file of a training."""
        for delimiter in re.finditer(r"[\s_.-]+", name):
            if self.named.fullmatch(_plain(name[delimiter.end() :])):
                return name[: delimiter.start()]
        return ""

    def is_meant(self, path: PurePosixPath) -> bool:
        return self.meant(path) != NO


NO = ("", "")


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()


def choose_weights(contents: Contents, names: WeightsNames) -> ChosenWeights:
    """The weights of each configuration, with log and configuration of their training, or why there are none."""
    projects = find_projects(all_paths(contents))
    chosen = ChosenWeights()
    theirs = [each for each in contents.large if not is_ours(each.path, projects) and not _is_course(each.path)]
    for config in names.configs:
        mine = [each for each in theirs if names.meant(each.path) == (config, WEIGHTS)]
        unread = [w for p, w in contents.refused if names.meant(p) == (config, WEIGHTS) and not is_ours(p, projects)]
        why = unread[0] if unread else _why_not(config, mine := _at_home(mine, projects))
        if why:
            chosen.refused[config] = why
        elif mine:
            chosen.files[f"{config}{WEIGHTS}"] = replace(mine[0], start=header(mine[0].start))  # a class keeps many
            beside = [each for each in theirs if each.path.parent == mine[0].path.parent]
            for kind in (LOG, CONFIG):
                found = {each.sha256: each for each in beside if names.meant(each.path) == (config, kind)}
                if len(found) == 1:
                    chosen.files[f"{config}{kind}"] = replace(next(iter(found.values())), start=b"")
    others = [path for path in contents.others if not is_ours(path, projects)]
    without = [c for c in names.configs if f"{c}{WEIGHTS}" not in chosen.files and c not in chosen.refused]
    if without and (pickles := [path for path in others if PICKLES.search(path.name)]):
        chosen.remarks.append(f"not read, as only safetensors are: {listed(pickles)}")
    foreign = [path for path in others if path.suffix.casefold() == WEIGHTS and not _is_course(path)]
    if names.configs and (foreign := [path for path in foreign if not _is_other_run(path)]):
        wanted = " or ".join(f"{FOLDER}/{config}{WEIGHTS}" for config in names.configs)
        chosen.remarks.append(f"weights not taken: expected {wanted}, got {listed(foreign)}")
    return chosen


def _is_other_run(path: PurePosixPath) -> bool:
    """Whether main.py has moved it aside, or trained the reference there."""
    above = _plain(path.parent.name)
    return bool(ANY_RUN.fullmatch(above)) and not above.endswith("-student")


def _is_course(path: PurePosixPath) -> bool:
    """Whether it is one of the project's own classifiers, references or data, also in a part of a copy."""
    data = path.parts[-2:] in (("digits", "train.safetensors"), ("digits", "test.safetensors"))
    return data or path.parts[-3:-1] == ("metrics", "weights") or path.parent.name == "damage"


def _at_home(mine: list[Large], projects: set[tuple[str, ...]]) -> list[Large]:
    """In a copy of the project what main.py has left there counts, not what lies elsewhere in it."""
    for folder in projects:
        run = [each for each in mine if each.path.parts[: len(folder)] == folder and each.path.name in RUN]
        if run:
            mine = [each for each in mine if each in run or each.path.parts[: len(folder)] != folder]
    return mine


def _why_not(config: str, mine: list[Large]) -> str:
    """Why weights are not taken; empty if they are, or if there are none."""
    exact = sorted(mine, key=lambda each: (each.path.parent.name != FOLDER, len(each.path.parts), str(each.path)))
    if len({each.sha256 for each in mine}) > 1:
        second = next(each for each in exact if each.sha256 != exact[0].sha256)
        return f"there are {len(mine)} for {config}: {exact[0].path} and {second.path}, which differ; hand in one"
    if mine and mine[0].start.startswith(LFS):
        return f"{mine[0].path} is only Git's pointer to the file; hand in the file itself, not by way of Git LFS"
    if mine and about(mine[0].start) is None:
        return f"{mine[0].path} is not safetensors, and nothing else is read; main.py writes it as it is wanted"
    return ""
