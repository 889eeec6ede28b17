"""Forged answers of the right form: none crashes a check, or passes as a right tensor."""

import inspect
import json
import sys
from collections.abc import Callable
from functools import cache, cached_property
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.diffusion import GaussianDiffusion
from grader import test_level1, test_level4
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import inside_inputs, outside_inputs
from grader.checks.schedule import Schedule
from grader.checks.telling_network import TellingNetwork
from grader.errors import Raised, SubmissionFailed
from grader.grading_config import Budget, Time
from grader.results import Check, Results
from grader.student import deadlines, moved_pixels, overfit
from grader.student.budget import TimeBudget
from grader.student.network import Network
from grader.student.once import Once
from grader.student.sampler import Sampler
from grader.student.sampler_record import Record
from grader.submission.answers import OUTPUT, check_answer, check_question
from grader.submission.in_process import InProcessSubmission
from grader.submission.process import Reply
from grader.suite import verdict
from grader.suite.drawn_sampler import Drawn
from grader.worker import wire
from grader.worker.session import describe
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.support.strategies import DTYPES, NOT_NUMBERS, replaced, tensors

UNHURRIED = deadlines.Deadlines(deadlines.UNHURRIED, TimeBudget(Time(1e9, 1e9, 1e9)))
SMALL = ModelConfig(image_channels=1, image_size=8, num_timesteps=10)


# ---- answers of the right form


SHAPE = (2, 1, 8, 8)
FACTS = {"type": "Tensor", "shape": list(SHAPE), "dtype": "torch.float32", "device": "cpu", "requires_grad": False,
         "defaults": [{}, {}]}  # fmt: skip
INPUTS = {"x": torch.zeros(SHAPE), "t": torch.zeros(2, dtype=torch.long), "rng_before": torch.zeros(1).byte(),
          "rng_after": torch.zeros(1).byte()}  # fmt: skip
NEAR_SHAPES = st.sampled_from([SHAPE, (2, 1, 8, 7), (1, 1, 8, 8), (2, 3, 8, 8), (128,), (0, 1, 8, 8), ()])


@given(st.just(FACTS) | replaced(FACTS), st.none() | tensors(NEAR_SHAPES), st.booleans())
@example(FACTS | {"dtype": "torch.float64"}, torch.full(SHAPE, 1e39, dtype=torch.float64), True)  # no float32
def test_only_a_finite_tensor_of_the_right_shape_and_kind_gets_through(facts, y, autocast):
    try:
        check_answer("forward", facts, INPUTS)
    except wire.WireError:
        assume(False)
    answers = SimpleNamespace(
        device="cpu", request=lambda *a, **k: Reply(facts, INPUTS if y is None else {**INPUTS, "y": y})
    )
    try:
        got = Network(answers, UNHURRIED, SMALL, seed=0)(INPUTS["x"], INPUTS["t"], autocast=autocast)
    except CheckFailed:
        return
    assert tuple(y.shape) == SHAPE and y.dtype.is_floating_point and got.isfinite().all()
    assert autocast or (y.dtype == torch.float32 and facts["type"] == "Tensor" and facts["device"] == "cpu")


Message = tuple[Any, dict[str, Tensor]]  # values and tensors


class Stranger:
    """Answers like a right submission, except for what `forge` does to its messages."""

    trusted, device = False, "cpu"

    def __init__(self, honest: InProcessSubmission, forge: Callable[..., Message]) -> None:
        self.honest, self.forge, self.messages = honest, forge, 0
        self.crash: BaseException | None = None

    def request(self, probe, *, seconds, tensors=None, answer=None, **arguments):
        def asked(facts, back):
            facts, back = self.send(facts, back)
            check_question(facts, back)
            try:
                return answer(facts, back)
            except Exception as error:
                self.crash = error  # an error of the judge's own, even if the submission catches it
                raise

        try:
            reply = self.honest.request(probe, seconds=seconds, tensors=tensors, answer=answer and asked, **arguments)
            values, back = self.send(reply.values, reply.tensors)
            check_answer(probe, values, back)
        except Exception as error:
            raise self.crash or Raised(str(error)) from error
        return Reply(values, back)

    def send(self, values: Any, back: dict[str, Tensor]) -> Message:
        self.messages += 1
        return self.forge(json.loads(json.dumps(values)), {k: v.detach() for k, v in back.items()})

    def stop(self) -> None:
        self.honest.stop()


class Fixtures:
    """The suite's fixtures for the checks of levels 1 and 4, small, and each made on demand."""

    device, seed, config, other_config = "cpu", 1, SMALL, ModelConfig(image_channels=3, image_size=16, num_timesteps=5)
    long, warm, model_file = Schedule(10, 0.01, 0.4), None, b""
    steep, drawn = Schedule(16, 0.01, 0.4), Drawn(1)
    settings = SimpleNamespace(
        training=SimpleNamespace(learning_rate=1e-3), model=SMALL, data=SimpleNamespace(batch_size=16)
    )

    def __init__(self, submission: Stranger) -> None:
        self.submission, self.measured, self.record = submission, {}, Record()
        self.shipped = {"other": ModelConfig(image_channels=1, image_size=12, num_timesteps=10)}
        self.own_schedule = lambda: False
        self.judge = SimpleNamespace(inform=lambda name, says: None)
        self.measured_steps = Once(lambda: self.steps)

    def build(self, what, seed=1, **options):
        if isinstance(what, Schedule):
            return Sampler(self.submission, UNHURRIED, what, record=self.record, **options)
        return Network(self.submission, UNHURRIED, what, seed=seed)

    whole = single = build_sampler = build

    @cached_property
    def network(self):
        return self.build(SMALL)

    @cached_property
    def perturbed(self):
        return self.network.perturb()

    @property
    def steady(self):
        return self.perturbed

    @cached_property
    def trained(self):
        images, diffusion = torch.linspace(-1, 1, 128).view(SHAPE), GaussianDiffusion(SMALL.num_timesteps, 0.01, 0.4)
        budget = Budget(images=2, batch=2, steps=10, longest=10, share=0.9)
        return overfit.run(lambda another: self.network, diffusion, images, -images, budget, 1e-3)

    @cached_property
    def overfit_run(self):
        return Once(lambda: self.trained)

    @property
    def moved_pixels(self):
        return Once(lambda: moved_pixels.measure(self.build(self.other_config).perturb()))

    @cached_property
    def long_trace(self):
        return self.build(self.long).trace(TellingNetwork(self.long, 1), (4, 3, 6, 8), seed=1)

    @cached_property
    def steps(self):
        sampler, generator = self.build(self.long), torch.Generator().manual_seed(1)
        inputs = [(t, inside_inputs(self.long, t, (2, 1, 8, 8), generator)) for t in (1, 9)]
        return [sampler.step(t, i, seed=t) for t, i in inputs], [
            sampler.step(t, outside_inputs((2, 1, 8, 8), generator), seed=t) for t in (1, 9)
        ]


KNOWN = {"submission", "measured", "shipped", "judge", "measured_steps", "record", "own_schedule", *dir(Fixtures)}
# the checks of both levels that need only Fixtures
CLAIMS = [
    test for level in (test_level1, test_level4) for name, test in vars(level).items()
    if name.startswith("test_") and set(inspect.signature(test).parameters) <= KNOWN
]  # fmt: skip


def judge(check: Callable[..., None], submission: Stranger) -> Check:
    """The check's verdict. Raises whatever no submission may cause."""
    fixtures, row, error = Fixtures(submission), Check("level1.a.b", "c", 1.0), None
    try:
        check(**{name: getattr(fixtures, name) for name in inspect.signature(check).parameters})
    except (CheckFailed, NotJudged, SubmissionFailed) as said:
        error = said
    verdict.apply(row, error, in_process=False)
    row.measurements |= fixtures.measured
    return row


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    (folder / "model.py").write_bytes((ROOT / "tests" / "support" / "networks.py").read_bytes())
    (folder / "sampler.py").write_bytes((BANK / "right" / "samplers" / "eps_beta_tilde.py").read_bytes())
    patch = pytest.MonkeyPatch()
    patch.setattr(test_level4, "END_SCALARS", 256)
    submission = InProcessSubmission(folder, device="cpu")
    yield submission
    submission.close()
    patch.undo()
    for name in ("model", "sampler"):
        sys.modules.pop(f"assignment.{name}", None)


@cache
def count(check: Callable[..., None], honest: InProcessSubmission) -> int:
    """How many messages a check gets from an honest submission."""
    submission = Stranger(honest, lambda values, back: (values, back))
    judge(check, submission)
    return submission.messages


def replace(values: Any, back: dict[str, Tensor], new: dict[str, Tensor | None]) -> Message:
    """The message with other tensors and a matching description; None if there is nothing to send."""
    sent = {k: v for k, v in (back | new).items() if v is not None}
    if "y" in new:
        values = {k: v for k, v in values.items() if k not in OUTPUT} | describe(new["y"])
    return values | {k: describe(v) for k, v in new.items() if isinstance(values.get(k), dict)}, sent


def once(data: st.DataObject, messages: int) -> Callable[..., Message]:
    """Forges one of the messages, in its words or in a tensor."""
    turns = iter(range(messages))
    chosen = data.draw(st.integers(0, messages - 1), label="messages before")

    def forge(values: Any, back: dict[str, Tensor]) -> Message:
        if next(turns, None) != chosen:
            return values, back
        if not back or data.draw(st.booleans(), label="in words"):
            return data.draw(replaced(values)), back
        name = data.draw(st.sampled_from(sorted(back)))
        shape = tuple(back[name].shape)
        new = data.draw(st.none() | tensors(st.sampled_from([shape, shape, shape[1:], (), (0,), (3,)])), label=name)
        told, sent = replace(values, back, {name: new})
        return told if data.draw(st.booleans(), label="and says so") else values, sent

    return forge


@pytest.mark.parametrize("check", CLAIMS, ids=lambda check: check.__name__.removeprefix("test_"))
@given(st.data())
@settings(max_examples=settings.default.max_examples // 3)
def test_no_forged_answer_crashes_a_check(check, honest, data):
    row = judge(check, Stranger(honest, once(data, count(check, honest))))
    json.dumps(Results(ROOT, {}, [row]).to_json(), allow_nan=False)


NOT_ABOUT_NUMBERS = {
    "builds", "shapes", "shapes_of_another_configuration", "runs_on_the_images_of_every_data_set",
    "inputs_unchanged", "no_side_effects", "device", "all_parameters_get_gradients",
    "visits_every_step_once", "timesteps_are_integers", "starts_from_noise", "eval_mode", "no_grad",
    "leaves_everything_alone",
}  # fmt: skip


def passed(honest: InProcessSubmission, change: Callable[[Tensor], Tensor | None]) -> set[str]:
    """The claims that hold if every answer is changed; an answer without its tensor becomes None."""

    def forge(values: Any, back: dict[str, Tensor]) -> Message:
        answers = ("y", "gradient", "forth", "back")
        return replace(values, back, {k: change(v) for k, v in back.items() if k in answers})

    return {check.__name__.removeprefix("test_") for check in CLAIMS
            if judge(check, Stranger(honest, forge)).verdict == "passed"}  # fmt: skip


@pytest.mark.parametrize("number", NOT_NUMBERS)
def test_only_claims_about_other_things_hold_for_answers_of_nan_or_infinity(number, honest):
    assert passed(honest, lambda y: torch.full_like(y, number)) == NOT_ABOUT_NUMBERS


FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # valid with autocast, or with it turned off
KINDS = [dtype for dtype in DTYPES if dtype not in FLOATS]
ODD_ANSWERS = {str(dtype).removeprefix("torch."): lambda y, dtype=dtype: y.abs().to(dtype) for dtype in KINDS} | {
    "nothing": lambda y: None, "empty": lambda y: y[:0], "a number": lambda y: y.sum(), "one less": lambda y: y[1:],
    "100 axes": lambda y: y.view(*y.shape, *[1] * 96),
}  # fmt: skip


@pytest.mark.parametrize("change", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_only_claims_about_other_things_hold_for_answers_of_another_kind(change, honest):
    assert passed(honest, change) <= NOT_ABOUT_NUMBERS


@pytest.mark.parametrize("dtype", KINDS, ids=str)
def test_inputs_that_come_back_in_another_kind_are_changed_inputs(dtype, honest):
    def forge(values: Any, back: dict[str, Tensor]) -> Message:
        return values, back | {k: back[k].to(dtype) for k in ("x", "x_t") if k in back and "y" in back}

    for check in CLAIMS:
        if check.__name__ in ("test_inputs_unchanged", "test_leaves_everything_alone"):
            assert judge(check, Stranger(honest, forge)).verdict != "passed"


ODD_TIMES = {
    "nan": torch.full((4,), torch.nan), "infinite": torch.tensor(torch.inf), "none": torch.zeros(0),
    "three": torch.tensor([1, 1, 1]), "table": torch.ones(2, 2), "negative": torch.tensor([-1]),
    "uint16": torch.ones(4, dtype=torch.uint16), "8 bits": torch.ones(4).to(torch.float8_e4m3fn),
    "bool": torch.ones(4, dtype=torch.bool), "complex": torch.ones(4, dtype=torch.complex64),
}  # fmt: skip


@pytest.mark.parametrize("t", ODD_TIMES.values(), ids=ODD_TIMES)
def test_a_sampler_may_call_its_model_with_any_t(t, honest):
    def forge(values: Any, back: dict[str, Tensor]) -> Message:
        return replace(values, back, {"t": t}) if "x" in back else (values, back)

    for check in (check for check in CLAIMS if check.__module__ == test_level4.__name__):
        judge(check, Stranger(honest, forge))


@pytest.mark.parametrize(
    ("name", "lie"),
    [
        ("builds", {"parameters": [["a", 9 * 10**4299, True]] * 2}),  # a sum of 4301 digits can't be printed
        ("overfits", {"losses": []}),
        ("overfits", {"losses": [10**400] * 10}),
    ],
)
def test_a_check_may_be_told_any_numbers(name, lie, honest):
    def forge(values: Any, back: dict[str, Tensor]) -> Message:
        return values | {k: v for k, v in lie.items() if k in values}, back

    (check, *_) = (check for check in CLAIMS if check.__name__ == f"test_{name}")
    judge(check, Stranger(honest, forge))


def test_nearly_all_checks_of_both_levels_are_among_them():
    assert len(CLAIMS) >= 38
