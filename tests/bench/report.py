"""The figures in the pages, made from the result files: `python -m tests.bench.report` writes them in.

They stand between the markers <!-- name --> and <!-- /name -->. A test compares every page with what this would write,
so no figure in them can go stale.
"""

from pathlib import Path

from tests.bench.tables.grading import (
    attacks,
    calibration,
    classes,
    container,
    grading,
    held,
    kills,
    margins,
    optional_level,
    overfit_gpu,
    proof,
    retrained,
    similarity,
    trained_class,
)
from tests.bench.tables.learning import endings, guidance, ladder
from tests.bench.tables.quality import classifiers, guided_trainings, kinds, quality, reference, trained, wanted
from tests.bench.tables.sets import cifar_sets, exceptions, false_fails, fashion_sets, gaps, verdicts
from tests.bench.tables.speed import ema, paired, runs, runs_to_measure, set_up, settings, speed, stages

PAGES = (*sorted(Path().glob("*.md")), *sorted(Path("docs").glob("*.md")))

MAKERS = (
    runs, speed, settings, stages, ema, proof, optional_level, kills, calibration, margins, overfit_gpu, grading,
    quality, classifiers, trained, guided_trainings,
    kinds, paired, attacks, held, wanted, verdicts, exceptions, gaps, false_fails, fashion_sets,
    cifar_sets, classes, container, similarity, retrained, trained_class, reference, set_up, runs_to_measure, ladder,
    endings, guidance,
)  # fmt: skip


def fill(text: str) -> str:
    """Replace the text between the markers <!-- name --> and <!-- /name -->."""
    for make in MAKERS:
        start, end = f"<!-- {make.__name__} -->", f"<!-- /{make.__name__} -->"
        if start in text:
            before, _, rest = text.partition(start)
            _, _, after = rest.partition(end)
            text = f"{before}{start}\n{make()}\n{end}{after}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(fill(page.read_text()))
