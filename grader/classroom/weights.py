"""Where the weights of each student came from, in words for a table."""

from typing import Any

NO_WEIGHTS = "have them handed in (`make submit`), grade with --train, or read scores without them"
NOWHERE = "none"  # instead of an origin


def weights_of(results: dict[str, Any]) -> list[str]:
    """A line for each configuration: digits: handed in, epoch 60."""
    return [f"{config}: {', '.join([of['from'], *_facts(of)])}" for config, of in results.get("weights", {}).items()]


def _facts(of: dict[str, Any]) -> list[str]:
    """What a person should know of them, longest last."""
    facts = [f"epoch {of['epoch']}"] if "epoch" in of else []
    facts += [f"code changed since ({of['changed_code']})"] if "changed_code" in of else []
    return [*facts, *([of["problem"]] if "problem" in of and of["from"] != NOWHERE else [])]
