"""The project's pages as their tests read them: code, commands, links, the tree."""

import re
from pathlib import Path


def code(text: str) -> list[str]:
    """Every line of a code block, without its comment, and every piece of inline code."""
    block = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
    lines = [line.split(" #")[0].strip() for found in block.findall(text) for line in found.splitlines()]
    return lines + [" ".join(piece.split()) for piece in re.findall(r"`([^`]+)`", block.sub("", text))]


def commands(text: str, start: str) -> list[str]:
    """What follows `start` in each command that begins with it, with or without `uv run` in front."""
    lines = [line.removeprefix("uv run ") for line in code(text)]
    return [line.removeprefix(start) for line in lines if line.startswith(start)]


def tree_of(text: str) -> set[str]:
    """Paths that the section "The tree" names, by indentation; a name and its words are two spaces apart."""
    section = text.split("\n## The tree\n")[1].split("\n## ")[0]
    paths, parents = set(), []
    for block in section.split("```")[1::2]:
        for line in block.strip("\n").splitlines():
            name = line.split()[0]
            parents = [*parents[: (len(line) - len(line.lstrip())) // 2], name]
            paths.add("".join(parents))
    return paths


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def dead_links(root: Path, page: str) -> list[str]:
    """Links of a page to files or headings that are not there; other sites are not asked."""
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", (root / page).read_text()):
        file, _, anchor = link.partition("#")
        target = (root / page).parent / file if file else root / page
        if not link.startswith("https://"):
            there = target.exists() and (not anchor or anchor in anchors(target.read_text()))
            dead += [] if there else [f"{page}: {link}"]
    return dead
