"""The bank of submissions in tests/proof/submissions: what each one is, and its layout for the grader."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

BANK = Path(__file__).parent / "submissions"
KINDS = {
    "networks": ("model.py", 1), "samplers": ("sampler.py", 4), "ddim": ("sampler.py", 5), "labels": ("model.py", 6),
    "guidance": ("sampler.py", 6),
}  # fmt: skip
# what a level judges besides: the other file, which is right
BESIDE = {"labels": ("sampler.py", "guidance/paper.py"), "guidance": ("model.py", "labels/added_to_t.py")}


@dataclass(frozen=True)
class Entry:
    name: str  # wrong/networks/ignores_t
    file: Path
    says: str  # the docstring's first line
    level: int
    target: str  # the file's name in a submission
    caught_by: str  # the check that should catch the fault; "" for a right one
    config: str
    hint: str = ""  # a part of what that check tells the student
    waits: tuple[tuple[str, str], ...] = ()  # a check that would mislead, and which one it waits for

    @property
    def kind(self) -> str:
        """networks, samplers, ddim, …: one of KINDS."""
        return self.file.parent.name

    def concerns(self, check: str) -> bool:
        """Whether a check of its level looks at its file; of level 6, most look at one of the two."""
        if self.level != 6 or check in ("level6.own_work", "level6.behaviour.leaves_alone"):
            return True
        return (".guidance." in check) == (self.kind == "guidance")

    @property
    def right(self) -> bool:
        return not self.caught_by

    def lay_out(self, folder: Path) -> Path:
        """A folder as handed in by a student."""
        folder.mkdir(parents=True)
        shutil.copy(self.file, folder / self.target)
        if beside := BESIDE.get(self.kind):
            shutil.copy(BANK / "right" / beside[1], folder / beside[0])
        return folder


def read(file: Path) -> Entry:
    """The entry of a file. Raises AssertionError if its docstring lacks what is required."""
    right, kind = file.parent.parent.name == "right", file.parent.name
    text = file.read_text()
    docstring = re.match(r'"""(.*?)"""', text, re.DOTALL)
    assert docstring, f"{file}: no docstring"
    caught_by = re.search(r"^Caught by: (\S+)$", docstring[1], re.MULTILINE)
    assert right != bool(caught_by), f"{file}: a wrong one says `Caught by:`, a right one doesn't"
    config = re.search(r"^Config: (\w+)$", docstring[1], re.MULTILINE)
    target, level = KINDS[kind]
    return Entry(
        name="/".join(file.relative_to(BANK).with_suffix("").parts),
        file=file,
        says=docstring[1].strip().splitlines()[0],
        level=level,
        target=target,
        caught_by=caught_by[1] if caught_by else "",
        config=config[1] if config else "digits",
        hint=hint[1] if (hint := re.search(r"^Hint: (.+)$", docstring[1], re.MULTILINE)) else "",
        waits=tuple(re.findall(r"^Waits: (\S+) for (\S+)$", docstring[1], re.MULTILINE)),
    )


def entries() -> list[Entry]:
    return [
        read(file)
        for side in ("right", "wrong")
        for kind in KINDS
        for file in sorted((BANK / side / kind).glob("*.py"))
    ]
