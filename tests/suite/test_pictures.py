"""The pictures in a report: losses of a training, from an untrusted file, and errors of a sampler."""

import math
import os
import re
from pathlib import Path

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from PIL import Image

from assignment.ddpm.checkpoint import read_log as read_own_log
from assignment.ddpm.checkpoint import save_log
from assignment.ddpm.errors import UserError
from assignment.ddpm.figures import save_loss_curve
from grader.checks.gaussian_world import GaussianOracle
from grader.checks.step_errors import StepError, in_words, step_errors, steps_of
from grader.checks.step_formulas import RIGHT_MEANS, RIGHT_SIGMAS, Mean, Sigma, eps_form, sigma_beta_tilde
from grader.checks.wrong_means import WRONG_MEANS
from grader.checks.wrong_sigmas import WRONG_SIGMAS
from grader.grade import grade
from grader.results import Results
from grader.student.training_log import GREATEST, LARGEST, MAX_EPOCHS, SMALLEST, Epoch, read_log
from grader.suite.pictures import curve_in_words, save_step_errors, standing
from tests.proof.bank import BANK
from tests.proof.trained import DIGITS, KINDS, make
from tests.support.steps import STEEP

# ---- log.csv


def row(epoch: float, loss: float) -> dict[str, float]:
    return {"epoch": epoch, "step": 42, "train_loss": loss + 0.25, "val_loss": loss, "seconds": 4.5}


def test_a_log_of_ours_is_read_as_it_was_written(tmp_path):
    save_log([row(1, 0.5), row(1.5, 0.25)], tmp_path / "log.csv")
    assert read_log(tmp_path / "log.csv") == [Epoch(1, 0.75, 0.5), Epoch(1.5, 0.5, 0.25)]
    assert [r["val_loss"] for r in read_own_log(tmp_path / "log.csv")] == [0.5, 0.25]


def test_no_log_is_no_picture(tmp_path):
    assert read_log(tmp_path / "log.csv") == []
    (tmp_path / "log.csv").mkdir()
    assert read_log(tmp_path / "log.csv") == []
    os.mkfifo(tmp_path / "pipe")  # opening it would block
    assert read_log(tmp_path / "pipe") == []


HEAD = "epoch,step,train_loss,val_loss,seconds\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "expected 1 to 10,000 epochs, got 0"),
        (HEAD, "expected 1 to 10,000 epochs, got 0"),
        ("epoch,train_loss\n1,0.5\n", "there is no column 'val_loss'"),
        (HEAD + "1,42,nan,0.5,1\n", "between 1e-06 and 1e\\+06"),
        (HEAD + "1,42,0.5,inf,1\n", "between 1e-06 and 1e\\+06"),
        (HEAD + "1,42,0.5,-0.5,1\n", "between 1e-06 and 1e\\+06"),
        (HEAD + "1,42,0.5,1e300,1\n", "between 1e-06 and 1e\\+06"),
        (HEAD + "1,42,0.5,0.5,1\n1,42,0.5,0.5,1\n", "epochs that go up"),
        (HEAD + "1,42,half,0.5,1\n", "could not convert"),
        (HEAD + f"1,42,{'half' * 9999},0.5,1\n", "could not convert"),
        (HEAD + "1,42\n", "not readable"),
        (HEAD + "1,42," + "9" * 200_000 + ",1,1\n", "field larger"),
        (HEAD + "".join(f"{i},1,1,1,1\n" for i in range(1, MAX_EPOCHS + 2)), "got 10,001"),
        ("x" * (LARGEST + 1), "more than 1,048,576 bytes"),
        (b"\xff\xfe\x00", "not readable"),
    ],
)
def test_what_is_no_log_is_said_in_one_line(content, says, tmp_path):
    file = tmp_path / "log.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=says) as caught:
        read_log(file)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_100_mb_are_not_read(tmp_path):
    with open(tmp_path / "log.csv", "wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(UserError, match="more than"):
        read_log(tmp_path / "log.csv")


NUMBERS = st.one_of(st.floats().map(repr), st.integers().map(str), st.text(max_size=5))
TABLES = st.lists(st.lists(NUMBERS, max_size=6), max_size=6).map(
    lambda rows: HEAD + "\n".join(",".join(cells) for cells in rows)
)


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(st.one_of(st.binary(max_size=200), TABLES.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_log_is_read_or_refused(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "log.csv"
    file.write_bytes(content)
    try:
        log = read_log(file)
    except UserError as refused:
        assert "\n" not in str(refused) and len(str(refused)) < 300
    else:
        assert log and all(SMALLEST < value < GREATEST for found in log for value in found)


LOSSES = st.floats(SMALLEST, GREATEST, exclude_min=True, exclude_max=True)


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(
    st.lists(st.tuples(LOSSES, LOSSES, LOSSES), min_size=1, max_size=40, unique_by=lambda values: values[0])
)
def test_any_log_that_is_read_can_be_drawn(tmp_path_factory, rows):
    log = [Epoch(*values) for values in sorted(rows)]
    with Image.open(
        save_loss_curve(log, tmp_path_factory.getbasetemp() / "curve.png", reference=[(1, 0.5)])
    ) as picture:
        assert picture.size == (840, 512)
    assert "validation loss" in curve_in_words(log, [])


def test_the_longest_and_wildest_log_can_be_drawn(tmp_path):
    wild = (10 ** (12 * torch.rand(MAX_EPOCHS, 2, dtype=torch.float64) - 6)).tolist()
    save_loss_curve([Epoch(i + 1, *losses) for i, losses in enumerate(wild)], tmp_path / "curve.png")


def test_the_curve_is_told_in_words():
    log = [Epoch(1, 0.5, 0.4), Epoch(2, 0.3, 0.2), Epoch(3, 0.1, 0.25)]
    assert curve_in_words(log, [(1, 0.6), (2, 0.35)]) == (
        "Lines by epoch: the training loss goes from 0.5000 to 0.1000, the validation loss from 0.4000 to 0.2500 after "
        "epoch 3, with the least of 0.2000 after epoch 2; the reference's was 0.3500 after epoch 2"
    )


@pytest.mark.parametrize(
    ("relative", "error", "words"),
    [(-0.0447, 0.002, "4.5 ± 0.2 % below"), (0.062, None, "6.2 % above"), (-0.1, None, "10 % below")],
)
def test_a_win_is_below_the_reference(relative, error, words):
    assert standing(relative, error) == words


# ---- errors of a sampler's steps


def sampling(mean: Mean, sigma: Sigma) -> list[StepError]:
    """The errors that the judge measures for a sampler with this mean and this sigma."""
    n, g = 1 << 17, torch.Generator().manual_seed(5)
    oracle, ts = GaussianOracle(STEEP, -0.35, 0.15), list(reversed(range(STEEP.T)))
    x, xs, answers = torch.randn(n, generator=g), [], []
    for t in ts:
        xs.append(x)
        answers.append(oracle(x, t))
        x = (mean(STEEP, t, x, answers[-1]) + (sigma(STEEP, t) if t else 0) * torch.randn(n, generator=g)).float()
    return step_errors(steps_of(STEEP, ts, xs, answers, x.clamp(-1, 1)))


def beyond(found: list[StepError]) -> tuple[list[int], list[int]]:
    """The t at which the mean is beyond its limit, and those at which sigma is."""
    return [e.t for e in found if e.mean > e.mean_limit], [e.t for e in found if e.sigma > e.sigma_limit]


@pytest.mark.parametrize("mean", RIGHT_MEANS.values(), ids=RIGHT_MEANS)
@pytest.mark.parametrize("sigma", RIGHT_SIGMAS.values(), ids=RIGHT_SIGMAS)
def test_every_right_sampler_is_within_the_limits(mean, sigma):
    found = sampling(mean, sigma)
    assert [e.t for e in found] == list(range(STEEP.T)) and beyond(found) == ([], [])
    assert max(e.sigma for e in found) < 0.01 < min(e.mean_limit for e in found)
    assert in_words(found).count("within the limit at every t") == 2


def wrong(among: list, name: str) -> Mean | Sigma:
    return next(mistake.formulas[0] for mistake in among if mistake.name == name)


@pytest.mark.parametrize("name", [mistake.name for mistake in WRONG_MEANS])
def test_every_wrong_mean_is_beyond_its_limit(name):
    means, sigmas = beyond(sampling(wrong(WRONG_MEANS, name), sigma_beta_tilde))
    assert means, sigmas


@pytest.mark.parametrize("name", [mistake.name for mistake in WRONG_SIGMAS])
def test_every_wrong_sigma_is_beyond_its_limit_and_the_mean_is_not(name):
    means, sigmas = beyond(sampling(eps_form, wrong(WRONG_SIGMAS, name)))
    assert means == [] and len(sigmas) > (0 if "t = 1" in name else 10) and 0 not in sigmas


def test_an_index_that_is_off_by_one_shows_where_it_matters():
    found = sampling(eps_form, wrong(WRONG_SIGMAS, "sigma of t - 1"))
    _, sigmas = beyond(found)
    assert sigmas == list(range(1, STEEP.T))
    assert found[1].sigma == pytest.approx(math.sqrt(STEEP.at(1).beta_tilde / STEEP.at(1).beta), rel=0.01)  # no noise
    assert found[1].sigma > found[5].sigma > found[15].sigma
    found = sampling(wrong(WRONG_MEANS, "the schedule at t - 1"), sigma_beta_tilde)
    means, sigmas = beyond(found)
    assert {1, 2, 3, 19} <= set(means) and not sigmas and found[1].mean == max(e.mean for e in found)
    assert re.search(
        r"the mean is off by up to 23\.\d % \(at t = 1\), beyond the limit at t = 1 … \d, ", in_words(found)
    )


def test_noise_in_the_last_step_shows_at_0_only():
    noisy = sampling(
        lambda s, t, x, eps: eps_form(s, t, x, eps) + (t == 0) * 0.05 * torch.randn(x.shape), sigma_beta_tilde
    )
    assert beyond(noisy)[1] == [0]


def test_only_what_makes_a_step_is_measured():
    x = torch.zeros(8)
    out = {"xs": [x] * 4, "eps": [x] * 4, "result": x}
    assert [step.t for step in steps_of(STEEP, [3, 2, 1, 0], **out)] == [0, 1, 2, 3]
    assert [step.t for step in steps_of(STEEP, [3, 2, 2, 1], **out)] == [2, 3]  # called twice at 2, and stopped at 1
    assert [step.t for step in steps_of(STEEP, [0, 1, 2, 3], **out)] == []  # upwards
    assert [step.t for step in steps_of(STEEP, [20, 19, -1, 0], **out)] == [0]  # the paper's numbering; no tensor
    for bad in (None, torch.zeros(7), torch.zeros(8, dtype=torch.bool), torch.full((8,), math.nan), x + math.inf):
        assert [step.t for step in steps_of(STEEP, [3, 2, 1, 0], **out | {"result": bad})] == [1, 2, 3]
    assert steps_of(STEEP, [], [], [], x) == [] and step_errors([]) == []


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(st.data())
def test_whatever_a_sampler_answers_can_be_drawn(tmp_path_factory, data):
    """Without a warning, which would stop the grader."""
    scales = st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e3, 1e30, math.inf, math.nan])
    ts = [*data.draw(st.lists(st.integers(-1, STEEP.T), max_size=8)), 2, 1, 0]
    xs, eps = ([data.draw(scales) * torch.randn(16) for _ in ts] for _ in range(2))
    found = step_errors(steps_of(STEEP, ts, xs, eps, data.draw(scales) * torch.randn(16)))
    if len(found) > 1:
        path = save_step_errors(found, STEEP.T, tmp_path_factory.getbasetemp() / "steps.png")
        with Image.open(path) as picture:
            assert picture.size == (840, 500)
        assert in_words(found).startswith("Two lines by t")


# ---- in a report

SAMPLE = """import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        pass

    def p_sample(self, model, x_t, t):
        return x_t

    def sample(self, model, shape):
        {}
"""


def graded(sampler: str, folder: Path) -> Results:
    """The end-to-end check of a sampler from the bank, or of one with this for `sample`."""
    (folder / "handed in").mkdir()
    source = (BANK / f"{sampler}.py").read_text() if "/" in sampler else SAMPLE.format(sampler)
    (folder / "handed in" / "sampler.py").write_text(source)
    options = [f"--figures={folder / 'figures'}"]
    only = ["level4.end_to_end"].__contains__
    return grade(folder / "handed in", levels=[4], config=DIGITS, quiet=True, only=only, options=options)


@pytest.mark.parametrize(
    ("sampler", "verdict", "says"),
    [
        ("right/samplers/clipped_x0", "passed", "the mean is off by up to 0.* within the limit at every t"),
        ("wrong/samplers/sigma_of_t_minus_1", "failed", r"standard deviation .* beyond the limit at t = 1 … \d\d"),
    ],
)
def test_level_4_shows_the_errors_of_the_steps(sampler, verdict, says, tmp_path):
    results = graded(sampler, tmp_path)
    assert [check.verdict for check in results.checks] == [verdict]
    (figure,) = results.figures
    assert figure["file"] == "level4-steps.png" and "error by t" in figure["title"]
    assert re.search(says, figure["alt"])
    with Image.open(tmp_path / "figures" / figure["file"]) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(
    "sampler",
    [
        "wrong/samplers/upwards",
        "return torch.randn(shape).clamp(-1, 1)",
        "return 0 * model(torch.randn(shape), torch.zeros(shape[0]))",
        "x = torch.randn(shape); model(x, torch.full((shape[0],), 19)); return x if shape[0] == 2 else x + 'y'",
        "return 'images'",
    ],
)
def test_without_steps_there_is_no_picture(sampler, tmp_path):
    results = graded(sampler, tmp_path)
    assert results.figures == [] and results.checks[0].verdict != "passed"


def test_where_no_picture_can_be_written_the_verdict_is_the_same(tmp_path):
    (tmp_path / "figures").touch()
    results = graded("right/samplers/clipped_x0", tmp_path)
    assert results.figures == [] and results.checks[0].verdict == "passed"
    assert "left out" in next(iter(results.information.values()))


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return make(KINDS["noise"], tmp_path_factory.mktemp("trained"), seed=0)


def with_log(weights: Path, log: str | None, figures: Path) -> Results:
    """The checks for weights, on three levels, with this log beside them."""
    weights.with_name("log.csv").unlink(missing_ok=True)
    if log is not None:
        weights.with_name("log.csv").write_text(log)
    results = grade(
        weights.parent.parent / "handed in", levels=[1, 2, 3], config=DIGITS, overrides=["runtime.device=cpu"],
        quiet=True, only=lambda check: check.endswith("trained.weights"),
        options=[f"--weights={weights}", f"--figures={figures}"],
    )  # fmt: skip
    assert [check.verdict for check in results.checks] == ["passed"] * 3
    return results


def test_a_report_shows_each_training_once(weights, tmp_path):
    results = with_log(weights, HEAD + "1,42,0.5,0.4,4.5\n2,84,0.3,0.2,9.1\n", tmp_path)
    (figure,) = results.figures
    assert figure["title"] == "Training on digits: loss by epoch" and "lower is better" in figure["caption"]
    assert figure["caption"].endswith("the reference stood after as many epochs, measured with other noise.")
    assert "0.2000 after epoch 2; the reference's was 0.1794 after epoch 2" in figure["alt"]
    with Image.open(tmp_path / figure["file"]) as picture:
        assert picture.format == "PNG"


def test_a_report_says_where_a_log_is_none(weights, tmp_path):
    results = with_log(weights, HEAD + "1,42,<script>,0.4,4.5\n", tmp_path)
    said = results.information["Training on digits: loss by epoch"]
    assert results.figures == [] and said.startswith("left out: log.csv: not readable as the losses of a training")


def test_weights_from_elsewhere_may_have_no_log(weights, tmp_path):
    results = with_log(weights, None, tmp_path)
    assert results.figures == [] and not [name for name in results.information if name.startswith("Training")]
