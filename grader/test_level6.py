"""Level 6, optional: a network with labels (model.py), and guided_eps (sampler.py). A test is a claim.

How many classes there are is drawn. In guided_eps the judge answers in place of the network, with noise for each image
and each label, so that what comes back tells what went into it. Whoever has begun neither fails nothing.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import torch

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.seeds import derive_seed
from grader.check_ids import check
from grader.checks import behaviour, guidance, guidance_calls, labels, learning
from grader.checks import guided_samples as guided
from grader.checks.finding import CheckFailed, NotJudged, tightest
from grader.checks.guidance_contract import check_inputs_left
from grader.checks.guidance_formulas import Guided, Question
from grader.checks.own_work import check_own_work, scan_with_imports
from grader.checks.sampler_contract import changed_inputs
from grader.checks.samples import check_fid, check_sound
from grader.errors import SubmissionFailed
from grader.student.guidance import Guidance, GuidanceRecord
from grader.student.network import Network
from grader.student.once import Once
from grader.student.trained_labels import GuidedSamples, TrainedLabels, in_words
from grader.submission.process import AnySubmission
from grader.suite import captions, drawn_guidance, label_questions
from grader.suite.drawn_sampler import Drawn
from grader.suite.fixtures import ShowPicture, WithProgress, unless_a_stub
from grader.suite.fixtures_network import Build
from grader.suite.fixtures_trained import CheckWeights
from grader.suite.judge import Judge
from grader.suite.label_questions import at_random
from grader.suite.network_questions import shuffled
from grader.suite.pictures import save_guided
from grader.suite.trainings import Training

BATCHES = (1, 2, 3, 5)
REPEATS = 12  # calls that must agree: who drops a label one time in ten is missed in 2e-5 of gradings, as 8 are asked

Measured = dict[str, Any]
Strengths = dict[float, GuidedSamples]


def add(measured: Measured, found: Measured) -> None:
    """What is measured again and again, with value and limit of what came closest to a failure."""
    measured.update(found | tightest(*(each for each in (measured, found) if "margin" in each)))


# ---- the network


@check("level6.own_work")
def test_own_work(
    level_6: None, labels_kept: Once[None], guidance_kept: Once[None], submission: AnySubmission
) -> None:  # fmt: skip
    """Network and guidance are your own work: no ready-made networks, pipelines or guiders."""
    for once in (labels_kept, guidance_kept):
        unless_a_stub(once)
    if submission.trusted:
        raise NotJudged("not asked of the reference, which is a ready-made network (--trusted)")
    try:
        offences = [each for file in submission.sources for each in scan_with_imports(submission.sources, file)]
    except (SyntaxError, ValueError) as error:
        raise NotJudged(f"the files can't be read as Python: {error}") from error
    check_own_work(offences)


@check("level6.contract.builds")
def test_builds(build_labelled: Build, with_labels: ModelConfig, with_other_labels: ModelConfig) -> None:
    """DiffusionModel(config) can be built with config.num_classes, for several numbers of classes."""
    build_labelled(with_labels)
    build_labelled(with_other_labels)


@check("level6.contract.shapes")
def test_shapes(build_labelled: Build, with_labels: ModelConfig) -> None:
    """forward(x, t, y) predicts noise of x's shape and dtype, for batches of 1, 2, 3 and 5 images and their labels."""
    network = build_labelled(with_labels)
    for batch in BATCHES:
        network(*at_random(network, batch, "shapes"))


@check("level6.contract.other_sizes")
def test_other_sizes(build_labelled: Build, with_other_labels: ModelConfig) -> None:
    """So it does with more classes, other images and fewer timesteps: nothing is hard-coded."""
    network = build_labelled(with_other_labels)
    for batch in (1, label_questions.classes_of(network) + 1):
        network(*at_random(network, batch, "other sizes"))


@check("level6.contract.without_classes")
def test_without_classes(build_labelled: Build, with_labels: ModelConfig) -> None:
    """With num_classes: null it is the network of the other levels: it builds, and answers forward(x, t)."""
    network = build_labelled(replace(with_labels, num_classes=None))
    network(*network.noise(2, "without classes"))


@check("level6.contract.autocast")
def test_autocast(labelled: Network) -> None:
    """It runs with labels in bfloat16 under autocast, as training on a GPU does, and stays finite."""
    labelled(*at_random(labelled, 3, "autocast"), autocast=True, where="under bfloat16 autocast")


@check("level6.contract.device")
def test_device(labelled: Network, warm: None) -> None:
    """No tensor that labels meet is pinned to the CPU: the network can move to a GPU."""
    labelled.move(*at_random(labelled, 3, "device"))


@check("level6.labels.deterministic")
def test_deterministic(labelled: Network, device: str, measured: Measured) -> None:
    """In eval mode, the same images, t and labels give the same output: no label is dropped."""
    labelled.perturb()
    x, t, y = at_random(labelled, 8, "deterministic")
    first, *others = (labelled(x, t, y, seed=seed) for seed in range(REPEATS))
    measured.update(behaviour.check_deterministic(first, others, device))


@check("level6.labels.none_is_no_class")
def test_none_is_no_class(steady_labelled: Network, with_labels: ModelConfig, measured: Measured) -> None:
    """Without labels, forward(x, t), all images count as having no class, y = K."""
    x, t = steady_labelled.at_random(3, "none")
    none = label_questions.classes_of(steady_labelled)
    measured.update(
        labels.check_none_is_no_class(steady_labelled(x, t), steady_labelled(x, t, torch.full_like(t, none)), none)
    )


@check("level6.labels.every_label")
def test_every_label(labelled: Network, distinct_labels: Once[Measured], measured: Measured) -> None:
    """The label changes the output: each class, and "no class", gives one of its own."""
    measured.update(distinct_labels())


@check("level6.labels.own_label")
def test_own_label(steady_labelled: Network, measured: Measured) -> None:
    """In a batch with different labels, each image is processed with its own."""
    count = label_questions.classes_of(steady_labelled) + 1
    x, t, y = at_random(steady_labelled, count + steady_labelled.number(1, 3, "own label"), "own label")
    order = torch.tensor(shuffled(len(y), "own label", steady_labelled.seed))
    x, t, y = x[order], t[order], y[order]
    alone = label_questions.one_by_one(steady_labelled, x, t, y)
    measured.update(labels.check_own_label(steady_labelled(x, t, y), alone, y.tolist()))


@check("level6.labels.names")
def test_labels_are_names(telling_labels: Network, many_labels: Network, measured: Measured) -> None:
    """A label is a name, not a size: neighbouring classes are no more alike than others."""
    measured.update(labels.check_names(label_questions.every_label(many_labels)[:, :-1]))


@check("level6.training.registered")
def test_registered(
    steady_labelled: Network, build_labelled: Build, with_labels: ModelConfig, submission: AnySubmission,
    measured: Measured,
) -> None:  # fmt: skip
    """The state dict holds all that labels are turned into: saved and loaded, the network gives the same output."""
    x, t, y = at_random(steady_labelled, label_questions.classes_of(steady_labelled) + 1, "registered")
    original, state = steady_labelled(x, t, y), steady_labelled.state()
    submission.stop()  # clears whatever is remembered outside the network
    fresh = build_labelled(with_labels, seed=derive_seed("fresh", steady_labelled.seed))
    fresh.load(state)
    measured.update(behaviour.check_registered(original, fresh(x, t, y)))


@check("level6.training.all_parameters")
def test_all_parameters(labelled: Network, warm: None, measured: Measured) -> None:
    """Every trainable parameter gets a finite, non-zero gradient within a few steps with labels."""
    parameters = labelled.built.values["parameters"]
    measured.update(learning.check_trainable(parameters, label_questions.gradients(labelled)))


@check("level6.training.learns_labels")
def test_learns_labels(telling_labels: Network, warm: None, measured: Measured) -> None:
    """A short training in which only the label tells what is asked for teaches the network each of them."""
    measured.update(labels.check_learnt(*label_questions.learn_labels(telling_labels)))


# ---- guided_eps


@check("level6.guidance.contract")
def test_guidance_contract(guide: Guidance, guidance_kept: Once[None], drawn: Drawn) -> None:
    """guided_eps(model, x_t, t, y, w, num_classes) returns finite noise of x_t's shape and dtype."""
    guidance_kept()
    for images in ((1, 1), (5, 9)):
        question = drawn_guidance.question(drawn, f"contract {images}", images=images)
        guide(question, drawn_guidance.ws(drawn)[-1], seed=drawn.number("guidance, contract"))


@check("level6.guidance.asks")
def test_what_the_model_is_asked(
    guided_eps: Guidance, at_every_w: Once[list[Guided]], with_nulls: Once[list[Guided]],
    one_by_one: Once[list[Guided]], guidance_record: GuidanceRecord, measured: Measured,
) -> None:  # fmt: skip
    """The model is asked about x_t with each image's own t and its own label, and about no class, y = num_classes."""
    at_every_w()
    for others in (with_nulls, one_by_one):
        with suppress(CheckFailed, SubmissionFailed):  # which their own checks report
            others()
    measured.update(guidance_calls.check_asks(guidance_record.problems, guidance_record.asked))


@check("level6.guidance.unconditional")
def test_w_0(
    guided_eps: Guidance, at_every_w: Once[list[Guided]], guidance_record: GuidanceRecord, measured: Measured
) -> None:  # fmt: skip
    """With w = 0 it is the answer for no class."""
    zero, *others = at_every_w()
    measured.update(guidance.check_end(zero, others, guidance_record.fault))


@check("level6.guidance.conditional")
def test_w_1(
    guided_eps: Guidance, at_every_w: Once[list[Guided]], guidance_record: GuidanceRecord, measured: Measured
) -> None:  # fmt: skip
    """With w = 1 it is the answer for each image's own label."""
    zero, one, *others = at_every_w()
    measured.update(guidance.check_end(one, [zero, *others], guidance_record.fault))


@check("level6.guidance.affine")
def test_affine(
    guided_eps: Guidance, at_every_w: Once[list[Guided]], guidance_record: GuidanceRecord, measured: Measured
) -> None:  # fmt: skip
    """With any other w, below 0 and above 1 too, it lies on the straight line through these two (Eq. 6)."""
    measured.update(guidance.check_affine(at_every_w(), guidance_record.fault))


@check("level6.guidance.null_label")
def test_null_label(
    guided_eps: Guidance, with_nulls: Once[list[Guided]], guidance_record: GuidanceRecord, measured: Measured
) -> None:  # fmt: skip
    """An image without a class, y = num_classes, gets the answer for no class, whatever w is."""
    measured.update(guidance.check_null_label(with_nulls(), guidance_record.fault))


@check("level6.guidance.own_label")
def test_guided_by_own_label(
    guided_eps: Guidance, one_by_one: Once[list[Guided]], guidance_record: GuidanceRecord, drawn: Drawn,
    measured: Measured,
) -> None:  # fmt: skip
    """In a batch with different labels and t each image is guided by its own, whatever its place."""
    alone, question = [each.out for each in one_by_one()], drawn_guidance.own_label(drawn)
    order = drawn_guidance.shuffled(drawn, len(question.y), "own label")
    for rows in (list(range(len(order))), order):
        w = one_by_one()[0].w
        together = guided_eps(question.of(rows), w, seed=drawn.number("together", rows[0]))
        add(measured, guidance.check_own_label(together, [alone[i] for i in rows], guidance_record.fault))


@check("level6.guidance.repeatable")
def test_the_same_again(guided_eps: Guidance, drawn: Drawn, measured: Measured) -> None:
    """The same question gets the same answer, whatever was asked before."""
    w, one = drawn_guidance.ws(drawn)[4], drawn_guidance.question(drawn, "again", images=(8, 8))
    other = Question(one.x_t, one.t, one.y, one.answers.flip(1).roll(1, 0))
    answers = (guided_eps(q, w, seed=drawn.number("again", k)) for k, q in enumerate((one, other, one)))
    measured.update(guidance.check_same_again(*answers))


@check("level6.behaviour.leaves_alone")
def test_leaves_alone(
    labelled: Network, guided_eps: Guidance, guidance_record: GuidanceRecord, drawn: Drawn
) -> None:  # fmt: skip
    """forward leaves x, t and y unchanged, and guided_eps x_t, t, y and the model."""
    x, t, y = at_random(labelled, 4, "alone")
    changed = changed_inputs({"x": x, "t": t, "labels": y}, labelled.reply(x, t, y).tensors)
    question = drawn_guidance.question(drawn, "alone", nulls=1)
    for w in (0.0, 1.0, drawn_guidance.ws(drawn)[4]):
        guided_eps.reply(question, w, seed=drawn.number("alone"))
    found = {"forward": changed, **guidance_record.changed}
    check_inputs_left({name: ["y" if of == "labels" else of for of in what] for name, what in found.items()})


# ---- trained


@pytest.fixture
def trained_labels(level_6: None, loaded: Training) -> TrainedLabels:
    """A training with labels, where its weights load."""
    loaded.labels.num_classes  # noqa: B018  not judged where there are none
    return loaded.labels


@pytest.fixture
def guided_samples(trained_labels: TrainedLabels, with_progress: WithProgress) -> Strengths:
    """By strength, where they can be drawn."""
    try:
        with with_progress():
            return trained_labels.samples
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"waits for samples.sound: {error.message}") from error


@check("level6.trained.weights")
def test_weights(level_6: None, training: Training, check_weights: CheckWeights) -> None:
    """The weights trained with labels are there, and load into this model.py."""
    training.labels.num_classes  # noqa: B018  not judged where there are none
    check_weights(training.network)


@check("level6.trained.uses_labels")
def test_uses_labels(trained_labels: TrainedLabels, measured: Measured) -> None:
    """The trained network goes by the label: a wrong one raises the loss on images that it has never seen."""
    measured.update(guided.check_uses_labels(*trained_labels.with_right_and_wrong))


@check("level6.loss.near_reference")
def test_near_the_reference(trained_labels: TrainedLabels, with_progress: WithProgress, measured: Measured) -> None:
    """With labels, the loss on the test images is at most 15 % above the reference's."""
    with with_progress():
        found = trained_labels.beside_reference
    measured.update(guided.check_near_reference(*found))


@check("level6.samples.sound")
def test_guided_samples(
    trained_labels: TrainedLabels, with_progress: WithProgress, judge: Judge, show_picture: ShowPicture,
    measured: Measured,
) -> None:  # fmt: skip
    """Samples of each class can be drawn, without guidance and with it, and are not all alike."""
    with with_progress():
        found = trained_labels.samples
    says = in_words(found)
    judge.inform("guided samples", says)
    show_picture(
        "level6-classes.png", "Your samples of each class, by guidance", f"A grid with a row for each class: {says}",
        captions.GUIDED, lambda path: save_guided(found, path),
    )  # fmt: skip
    measured["by_w"] = {
        f"{w:g}": {"wished": of.share, "fid": of.fid, "coverage": of.coverage} for w, of in found.items()
    }
    for of in found.values():
        add(measured, check_sound(of.images))


@check("level6.samples.rises")
def test_rises_with_w(guided_samples: Strengths, measured: Measured) -> None:
    """The classifier sees the wished class more often with the label than without it, and no less with guidance."""
    shares = {w: of.share for w, of in guided_samples.items()}
    measured.update(guided.check_rises(shares, min(len(of.images) for of in guided_samples.values())))


@check("level6.samples.wished")
def test_wished_class(trained_labels: TrainedLabels, guided_samples: Strengths, measured: Measured) -> None:
    """With guidance, w = 3, it sees the wished class nearly as surely as in real images."""
    w = max(guided_samples)
    of = guided_samples[w]
    measured.update(guided.check_wished(of.share, trained_labels.real_share, w, of.by_class))


@check("level6.samples.fid")
def test_fid(trained_labels: TrainedLabels, guided_samples: Strengths, training: Training, measured: Measured) -> None:
    """The FID of samples with the label, w = 1, is within the limit that level 1 has for those without."""
    of_real = training.samples.of_real_images["fid"]["mean"]
    measured.update(check_fid(guided_samples[1.0].fid, of_real, trained_labels.trained.wanted.above_real, ""))


@check("level6.samples.varied")
def test_varied(guided_samples: Strengths, measured: Measured) -> None:
    """The samples with the label, w = 1, are varied: much of the real images lies among them."""
    measured.update(guided.check_varied(guided_samples[1.0].coverage))
