"""Level 6 without a submission: guided_eps' formulas and mistakes, what it asks, labels, and guided samples."""

import math

import pytest
import torch

from grader.checks import guidance, guided_samples, labels
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.guidance import check_affine, check_end, check_null_label, check_own_label, check_same_again
from grader.checks.guidance_calls import Call, check_asks, labels_of, problem, rows_of
from grader.checks.guidance_contract import check_guided, check_inputs_left
from grader.checks.guidance_formulas import WRONG, Guided, Question, right

WS = (0.0, 1.0, -1.3, 0.4, 1.6, 2.7, 5.3)
B, K, SHAPE = 5, 4, (2, 9, 7)
FACTS = {"type": "Tensor", "shape": [B, *SHAPE], "dtype": "torch.float32", "device": "cpu", "requires_grad": False}


def question(seed=0, nulls=0):
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(B) % K
    y[:nulls] = K
    return Question(
        torch.randn(B, *SHAPE, generator=g), torch.arange(B) * 7, y, torch.randn(B, K + 1, *SHAPE, generator=g)
    )


def guided(weights=right, change=lambda out, q: out, ws=WS, of=None):
    q = of or question()
    return [Guided(q, w, change(q.mixed(weights(w)), q).float()) for w in ws]


def judge(found, fault=None):
    """What each of the three checks says: passed, or a hint, or what it waits for."""
    zero, one, *others = found
    said = []
    for check in (lambda: check_end(zero, [one, *others], fault), lambda: check_end(one, [zero, *others], fault),
                  lambda: check_affine(found, fault)):  # fmt: skip
        try:
            check()
            said.append("passed")
        except (CheckFailed, NotJudged) as error:
            said.append(getattr(error, "hint", str(error)))
    return said


def test_eq_6_passes_and_only_rounding_is_off():
    assert judge(guided()) == ["passed"] * 3
    zero, one, *others = guided()
    assert check_end(one, [zero, *others])["off"] < 1e-6 and check_affine([zero, one, *others])["off"] < 1e-6


@pytest.mark.parametrize("mistake", WRONG, ids=lambda m: m.name)
def test_each_wrong_formula_is_caught_and_named(mistake):
    said = judge(guided(mistake.weights))
    assert set(said) <= {"passed", mistake.hint} and mistake.hint in said


def test_a_mistake_is_named_only_if_it_explains_every_w():
    """At w = 2 and above, w clamped to 1 and the answer with the label look the same."""
    clamped = next(m for m in WRONG if m.name == "w no higher than 1")
    found = [each for each in guided(clamped.weights) if each.w > 1]
    assert guidance.mistake(found).name == "w is not used: the answer with the label"
    assert guidance.mistake(guided(clamped.weights)) == clamped
    assert guidance.mistake(guided(change=lambda out, q: out.clamp(-2, 2))) is None


def test_mixed_images_wait_for_their_own_check_and_a_clamp_does_not():
    for mixed in (lambda out, q: out.flip(0), lambda out, q: out + 0.1 * out.mean(0, keepdim=True)):
        assert all(each.startswith("waits for guidance.own_label") for each in judge(guided(change=mixed))[:2])
    clamped = judge(guided(change=lambda out, q: out.clamp(-2, 2)))
    assert all("nothing is clamped" in each for each in clamped)


def test_what_the_model_was_asked_comes_first():
    fault = CheckFailed("expected this", "")
    swapped = next(m for m in WRONG if m.name == "the two answers swapped")
    assert judge(guided(swapped.weights), fault)[0] == "waits for guidance.asks: expected this"
    assert judge(guided(), fault) == ["passed"] * 3


def test_failures_say_which_mixture_came():
    swapped = guided(lambda w: (1 - w, w))
    with pytest.raises(CheckFailed, match=r"expected eps_null at w = 0, got eps_y"):
        check_end(swapped[0], swapped[1:])
    wrong = guided(lambda w: (w, -w))
    with pytest.raises(CheckFailed, match=r"expected eps_y at w = 1, got eps_y − eps_null"):
        check_end(wrong[1], wrong)
    whole = guided(lambda w: right(int(w)))
    with pytest.raises(CheckFailed, match=r"expected 5\.3 · eps_y − 4\.3 · eps_null at w = 5\.3, got 5 · eps_y − 4"):
        check_affine([*whole[:2], whole[-1]])


def test_images_without_a_class():
    q = question(nulls=2)
    assert check_null_label(guided(of=q))["off"] < 1e-6

    def wrong(out, q):
        return out + 0.5 * (q.y == K).view(-1, 1, 1, 1)

    with pytest.raises(CheckFailed, match="expected the answer without a label where y = K = 4"):
        check_null_label(guided(change=wrong, of=q))
    with pytest.raises(NotJudged, match=r"waits for guidance\.affine"):
        check_null_label(guided(lambda w: (w, 1.0), of=q))


def test_own_labels_and_repetition():
    (together,) = guided(ws=(2.0,))
    alone = list(together.out.split(1))
    check_own_label(together, alone)
    with pytest.raises(CheckFailed, match="at place 0 of 5"):
        check_own_label(Guided(together.question, 2.0, together.out + torch.eye(B)[0].view(-1, 1, 1, 1)), alone)
    (other,) = guided(ws=(2.0,), of=question(1))
    check_same_again(together, other, together)
    with pytest.raises(CheckFailed, match="the same answer to the same question"):
        check_same_again(together, other, other)
    with pytest.raises(CheckFailed, match="expected another answer"):
        check_same_again(together, together, together)


# ---- calls


def call(x, t, y):
    def facts(v):
        return {"type": "NoneType"} if v is None else FACTS | {"shape": list(v.shape), "dtype": str(v.dtype)}

    return Call({"x": facts(x), "t": facts(t), "labels": facts(y)}, x, t, y)


def said(x=None, t=None, y=None):
    q = question()
    wrong = problem(q, call(q.x_t if x is None else x, q.t if t is None else t, y), "cpu", 1e-6)
    return (wrong.message, wrong.hint) if wrong else None


Q = question()
TWICE = torch.cat([Q.x_t, Q.x_t])
BOTH = torch.cat([torch.full_like(Q.y, K), Q.y])


@pytest.mark.parametrize(
    "asked",
    [
        {"y": Q.y}, {"y": torch.full_like(Q.y, K)}, {"y": None}, {"y": Q.y.int()},
        {"x": TWICE, "t": torch.cat([Q.t, Q.t]), "y": BOTH},
        {"x": Q.x_t.repeat_interleave(2, 0), "t": Q.t.repeat_interleave(2), "y": BOTH.view(2, B).T.flatten()},
        {"x": Q.x_t[2:3], "t": Q.t[2:3], "y": Q.y[2:3]}, {"x": Q.x_t.flip(0), "t": Q.t.flip(0), "y": Q.y.flip(0)},
    ],
)  # fmt: skip
def test_right_calls(asked):
    assert said(**asked) is None


WRONG_CALLS = {
    "another x": {"x": 0.9 * Q.x_t, "y": Q.y},
    "not a scaled": {"x": Q.x_t + 1, "y": Q.y},
    "got t = 0 for the one at t = 7": {"t": torch.zeros_like(Q.t), "y": Q.y},
    "repeat_interleave": {"x": TWICE, "t": Q.t.repeat_interleave(2), "y": BOTH},
    r"t of shape (10,) for 10 images, got (5,)": {"x": TWICE, "y": BOTH},
    "labels as int64 (or int32), got float32": {"y": Q.y.float()},
    "labels of shape (5,)": {"y": torch.eye(B).long()},
    "count from 0": {"y": Q.y + 1},
    '"no class" is num_classes': {"y": torch.zeros_like(Q.y)},
    "out of all labels": {"y": torch.full_like(Q.y, -1)},
    "lost their images": {"y": Q.y.flip(0)},
}


@pytest.mark.parametrize(("what", "asked"), WRONG_CALLS.items(), ids=WRONG_CALLS)
def test_wrong_calls_are_named(what, asked):
    assert what in " ".join(said(**asked) or ())


def test_rows_are_found_and_labels_that_cant_be_told_are_none():
    q = question()
    assert rows_of(q, call(q.x_t.flip(0), q.t, q.y)) == ([4, 3, 2, 1, 0], 0.0)
    assert labels_of(q, call(q.x_t, q.t, None)) == [K] * B == labels_of(q, call(q.x_t, q.t, torch.eye(3)))
    assert labels_of(q, call(q.x_t, q.t, torch.tensor([0.0, math.nan, -3, 99, 2]))) == [0, K, 0, K, 2]


def test_both_answers_are_asked_for():
    assert check_asks([], [{True, False}] * 3) == {"questions": 3}
    for asked, got in (({True}, '"no class" alone'), ({False}, "own label alone"), (set(), "nothing alone")):
        with pytest.raises(CheckFailed, match=got):
            check_asks([], [{True, False}, asked])


def test_what_comes_back_is_a_plain_tensor_of_x_ts_shape():
    y = torch.zeros(B, *SHAPE)
    assert check_guided(FACTS, y, y.shape, "cpu") is y
    twice = torch.cat([y, y])
    for facts, came, match in (
        ({"type": "tuple"}, None, "got tuple"),
        (FACTS | {"shape": [2 * B, *SHAPE]}, twice, "expected x_t's shape"),
        (FACTS | {"dtype": "torch.float64"}, y.double(), "expected float32"),
        (FACTS | {"device": "cuda"}, y, "expected a result on cpu"),
        (FACTS | {"type": "module.Tensor"}, y, "plain, dense"),
        (FACTS, None, "sparse"),
        (FACTS, y / 0, "NaN"),
    ):
        with pytest.raises(CheckFailed, match=match):
            check_guided(facts, came, y.shape, "cpu")
    check_inputs_left({"forward": [], "guided_eps": []})
    with pytest.raises(CheckFailed, match="guided_eps to change nothing but its own result, got a changed y"):
        check_inputs_left({"forward": [], "guided_eps": ["y"]})


# ---- labels


def by_label(count=6, images=3, seed=0):
    return torch.randn(images, count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_labels_that_share_an_answer_are_named():
    y = by_label()
    labels.check_every_label(y)
    for same, got, hint in (
        ([0] * 6, "the same for all labels", "reach the features"),
        ([0, 1, 2, 3, 4, 4], "class 4 and no class", "label of its own"),
        ([0, 0, 2, 3, 4, 5], "class 0 and class 1", "share an embedding"),
        ([0, 0, 2, 2, 4, 5], "for 1 more pairs", "share an embedding"),
    ):
        with pytest.raises(CheckFailed, match=got) as failed:
            labels.check_every_label(y[:, same])
        assert hint in failed.value.hint


def test_names_and_sizes():
    """Of 40 random ones none is beyond 4 standard deviations; a smooth curve is, whatever its shape."""
    assert max(labels.check_names(by_label(28, seed=seed))["standard_deviations"] for seed in range(40)) < 4
    for curve in (lambda v: v, torch.sin, torch.square):
        along = curve(torch.linspace(0, 2, 28)).view(1, 28, 1, 1, 1) * by_label(1) + 0.1 * by_label(1, seed=9)
        with pytest.raises(CheckFailed, match="no more alike than others"):
            labels.check_names(along)


def test_none_own_and_learnt_labels():
    y = by_label()[:, 0]
    assert labels.check_none_is_no_class(y, y.clone(), 6)["largest_difference"] == 0
    with pytest.raises(CheckFailed, match="for all labels K = 6"):
        labels.check_none_is_no_class(y, y.flip(0), 6)
    labels.check_own_label(y, y.clone(), [0, 1, 2])
    with pytest.raises(CheckFailed, match="the image with label"):
        labels.check_own_label(y.flip(0), y, [0, 1, 2])
    assert labels.check_learnt(torch.tensor([0.1, 0.2, 0.05]), 100)["worst"] == pytest.approx(0.2)
    with pytest.raises(CheckFailed, match=r"a loss for no class \(K = 2\) of 0\.90"):
        labels.check_learnt(torch.tensor([0.1, 0.2, 0.9]), 100)
    with pytest.raises(CheckFailed) as failed:
        labels.check_learnt(torch.ones(3), 100)
    assert "No label is learnt" in failed.value.hint


# ---- trained


def test_labels_that_a_trained_network_ignores():
    g = torch.Generator().manual_seed(0)
    right_ones = torch.rand(1024, generator=g).double()
    found = guided_samples.check_uses_labels(right_ones, right_ones + 0.1 * torch.rand(1024, generator=g))
    assert found["standard_errors"] > 20
    for wrong in (right_ones, right_ones + 0.01 * torch.randn(1024, generator=g), right_ones - 0.1):
        with pytest.raises(CheckFailed, match="expected a wrong label to raise the loss"):
            guided_samples.check_uses_labels(right_ones, wrong)


def test_wrong_labels_are_other_classes_and_all_of_them():
    y = torch.arange(10).repeat(50)
    wrong = guided_samples.wrong_labels(y, 10, torch.rand(len(y), generator=torch.Generator().manual_seed(0)))
    assert (wrong != y).all() and len({*zip(y.tolist(), wrong.tolist(), strict=True)}) == 90
    with pytest.raises(NotJudged):
        guided_samples.wrong_labels(y, 1, torch.zeros(len(y)))


def test_limits_on_guided_samples():
    assert guided_samples.check_near_reference(0.08, 0.079)["above"] < 0.15
    with pytest.raises(CheckFailed, match="at most 15% above the reference's"):
        guided_samples.check_near_reference(0.094, 0.079)
    guided_samples.check_rises({0.0: 0.1, 1.0: 0.97, 3.0: 1.0}, 256)
    for shares, match in (
        ({0.0: 0.1, 1.0: 0.12, 3.0: 0.1}, "more often with the label than without"),
        ({0.0: 0.1, 1.0: 0.9, 3.0: 0.3}, "no less often with guidance"),
    ):
        with pytest.raises(CheckFailed, match=match):
            guided_samples.check_rises(shares, 256)
    guided_samples.check_wished(0.99, 0.97, 3.0, [1.0, 0.98])
    with pytest.raises(CheckFailed, match="at least 82% of the samples to show the wished class at w = 3, got 60%"):
        guided_samples.check_wished(0.6, 0.97, 3.0, [0.9, 0.3])
    guided_samples.check_varied(0.88)
    with pytest.raises(CheckFailed, match="got 0%"):
        guided_samples.check_varied(0.0)
    assert guided_samples.shares_of(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 0, 1, 1]), 3) == [0.5, 0.5]
