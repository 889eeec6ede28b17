"""Fixtures for guided_eps of level 6. A pytest plugin, registered by conftest.py; Drawn is level 4's."""

import pytest

from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.guidance_formulas import Guided
from grader.errors import NotImplementedYet, SubmissionFailed
from grader.student.deadlines import Deadlines
from grader.student.guidance import Guidance, GuidanceRecord
from grader.student.once import Once
from grader.submission.process import AnySubmission
from grader.submission.sources import begun_levels
from grader.suite import drawn_guidance
from grader.suite.drawn_sampler import Drawn
from grader.suite.fixtures import wait_for
from grader.suite.judge import Judge

NOT_BEGUN = "level 6 is optional, and neither guided_eps in sampler.py nor a network with labels in model.py is begun"


@pytest.fixture(scope="session")
def level_6(submission: AnySubmission) -> None:
    """Raises NotJudged where it is not begun."""
    if 6 not in begun_levels(submission.sources):
        raise NotJudged(NOT_BEGUN)


@pytest.fixture(scope="session")
def guidance_record() -> GuidanceRecord:
    """What was seen of guided_eps so far."""
    return GuidanceRecord()


@pytest.fixture(scope="session")
def guide(
    level_6: None, submission: AnySubmission, deadlines: Deadlines, guidance_record: GuidanceRecord
) -> Guidance:  # fmt: skip
    return Guidance(submission, deadlines, guidance_record)


@pytest.fixture(scope="session")
def guidance_kept(guide: Guidance, drawn: Drawn) -> Once[None]:
    """The minimum for later checks: guided_eps returns the shape of x_t."""

    def try_it() -> None:
        question = drawn_guidance.question(drawn, "minimum", images=(2, 4))
        guide(question, drawn_guidance.ws(drawn)[2], seed=drawn.number("guidance, minimum"))

    return Once(try_it)


@pytest.fixture
def guided_eps(guide: Guidance, guidance_kept: Once[None], judge: Judge) -> Guidance:
    """guided_eps, if it keeps its contract."""
    try:
        guidance_kept()
    except NotImplementedYet:
        raise
    except (CheckFailed, SubmissionFailed) as error:
        wait_for("waits for guidance.contract", error, judge, level=6)
    return guide


@pytest.fixture(scope="session")
def at_every_w(guide: Guidance, drawn: Drawn) -> Once[list[Guided]]:
    """One question, at w = 0, w = 1 and others, in a drawn order."""

    def ask() -> list[Guided]:
        question = drawn_guidance.question(drawn, "every w")
        ws = [*drawn_guidance.ENDS, *drawn_guidance.ws(drawn)]
        order = drawn.random("order of w").sample(ws, len(ws))
        found = {w: guide(question, w, seed=drawn.number("every w", k)) for k, w in enumerate(order)}
        return [found[w] for w in ws]

    return Once(ask)


@pytest.fixture(scope="session")
def with_nulls(guide: Guidance, drawn: Drawn) -> Once[list[Guided]]:
    """Images of which some have no class, at several w; then one of those alone."""

    def ask() -> list[Guided]:
        question = drawn_guidance.question(drawn, "null label", images=(4, 8), nulls=2)
        alone = question.of([question.y.tolist().index(question.num_classes)])
        ws = drawn_guidance.ws(drawn)[2:]
        return [guide(of, w, seed=drawn.number("null label")) for of in (question, alone) for w in ws]

    return Once(ask)


@pytest.fixture(scope="session")
def one_by_one(guide: Guidance, drawn: Drawn) -> Once[list[Guided]]:
    """The images of a batch, each alone."""

    def ask() -> list[Guided]:
        question, w = drawn_guidance.own_label(drawn), drawn_guidance.ws(drawn)[3]
        return [guide(question.of([i]), w, seed=drawn.number("alone", i)) for i in range(len(question.y))]

    return Once(ask)
