"""Where the weights of each student came from, in words for a table."""

from typing import Any

NO_WEIGHTS = "have them handed in (`make submit`), grade with --train, or read scores without them"


def weights_of(results: dict[str, Any]) -> list[str]:
    """A line for each configuration: digits: handed in, epoch 60."""
    return [f"{config}: {', '.join([of['from'], *_facts(of)])}" for config, of in results.get("weights", {}).items()]


def _facts(of: dict[str, Any]) -> list[str]:
    """What a person should know of them: whether they could be judged, and whether for other code."""
    facts = [f"epoch {str(of['epoch']).removesuffix('.0')}"] if "epoch" in of else []
    if "problem" in of:
        return [*facts, of["problem"]]
    return [*facts, *([f"code changed since ({of['changed_code']})"] if "changed_code" in of else [])]
