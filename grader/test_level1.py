"""Level 1, the network: model.py's DiffusionModel. A test is a claim; its points are in configs/grading.yaml."""

from typing import Any

import torch

from assignment.ddpm.config import Config, ModelConfig
from assignment.ddpm.seeds import derive_seed
from grader.check_ids import check
from grader.checks import behaviour, channels, conditioning, friendly_notes, learning, output_contract
from grader.checks.channels import Effects
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.gradients import check_slopes
from grader.checks.own_work import scan_with_imports
from grader.errors import Raised
from grader.grading_config import load_grading
from grader.student import overfit
from grader.student.gradients import measure as measure_slopes
from grader.student.network import Network
from grader.student.once import Once
from grader.student.trained_samples import TrainedSamples
from grader.submission.process import AnySubmission
from grader.suite.fixtures import judge_own_work, unless_a_stub, unreadable
from grader.suite.fixtures_network import Build
from grader.suite.fixtures_trained import CheckSound, CheckWeights, SayFid, check_uses_t
from grader.suite.judge import Judge
from grader.suite.network_questions import (
    alike,
    at_two_t,
    few_steps,
    in_a_training_batch,
    learn_t,
    notes_on_modes,
    notes_on_t,
    of_very_different_sizes,
    one_by_one,
    shuffled,
    spread,
)
from grader.suite.trainings import Training

BATCHES = (1, 2, 3, 5)
PROBED_T = 24  # of the whole range, each with its neighbour
REPEATS = 24  # calls that must agree: what drops a block one time in five is missed in 0.5 % of gradings

Measured = dict[str, Any]


@check("level1.contract.builds")
def test_builds(
    build: Build, config: ModelConfig, other_config: ModelConfig, judge: Judge, model_file: bytes
) -> None:  # fmt: skip
    """DiffusionModel(config) can be built, for this configuration and for another one."""
    built = build(config).built.values
    build(other_config)
    judge.inform("parameters", f"{sum(count for _, count, _ in built['parameters']):,}")
    if frozen := sum(count for _, count, trainable in built["parameters"] if not trainable):
        judge.inform("of them frozen", f"{frozen:,}")
    if built["batch_norms"]:
        judge.inform("BatchNorm", friendly_notes.BATCH_NORM)
    if friendly_notes.adds_x(model_file):
        judge.inform("x + f(x)", friendly_notes.ADDS_X)


@check("level1.own_work")
def test_own_work(model_file: bytes, contract_kept: Once[None], submission: AnySubmission) -> None:
    """The network is your own work: no ready-made networks, no weights from elsewhere."""
    unless_a_stub(contract_kept)
    if submission.trusted:
        raise NotJudged("not asked of the reference, which is a ready-made network (--trusted)")
    try:
        offences = scan_with_imports(submission.sources, "model.py")
    except (SyntaxError, ValueError) as error:
        raise unreadable("model.py", error) from error
    judge_own_work(offences, contract_kept)


@check("level1.contract.shapes")
def test_shapes(build: Build, config: ModelConfig) -> None:
    """The predicted noise has the shape of x, for batches of 1, 2, 3 and 5 images."""
    network = build(config)
    for batch in BATCHES:
        x, t = network.noise(batch, "shapes")
        reply = network.reply(x, t)
        output_contract.check_shape(reply.values, reply.tensors.get("y"), x.shape)


@check("level1.contract.other_shapes")
def test_shapes_of_another_configuration(build: Build, other_config: ModelConfig) -> None:
    """So it does with 3 channels, 32×32 pixels and 50 timesteps: nothing is hard-coded."""
    network = build(other_config)
    for batch in BATCHES:
        x, t = network.noise(batch, "other shapes")
        reply = network.reply(x, t)
        output_contract.check_shape(reply.values, reply.tensors.get("y"), x.shape)


@check("level1.contract.every_data_set")
def test_runs_on_the_images_of_every_data_set(build: Build, shipped: dict[str, ModelConfig]) -> None:
    """The network can be built and called for the images of every data set that comes with the project."""
    for name, config in shipped.items():
        try:
            network = build(config)
            x, t = network.noise(2, "every data set")
            reply = network.reply(x, t)
            output_contract.check_shape(reply.values, reply.tensors.get("y"), x.shape)
        except (CheckFailed, Raised) as error:
            raise output_contract.not_at_this_size(error, name, config.image_shape) from error


@check("level1.contract.output")
def test_output_is_a_plain_tensor(build: Build, config: ModelConfig) -> None:
    """The predicted noise is a plain tensor of x's dtype, on x's device."""
    network = build(config)
    network(*network.noise(2, "output"))


@check("level1.contract.finite")
def test_finite(warm: None, network: Network, config: ModelConfig, measured: Measured) -> None:
    """The output is finite at the first and last timestep, for ordinary and large x, before and after a few steps."""
    last = config.num_timesteps - 1
    for when in ("before training", "after a few steps"):
        for scale in (1.0, 3.0):
            x, _ = network.noise(4, "finite", scale=scale)
            t = torch.tensor([0, 1, last - 1, last]).clamp(0, last)
            where = f"at t = {t.tolist()}, x of size {scale:g}, {when}"
            measured.update(output_contract.check_finite(network(x, t, where=where), where))
        if when == "before training":
            few_steps(network)


@check("level1.contract.autocast")
def test_autocast(network: Network, config: ModelConfig) -> None:
    """The network runs in bfloat16 under autocast, as training on a GPU does, and stays finite."""
    x, _ = network.noise(2, "autocast")
    network(x, torch.tensor([0, config.num_timesteps - 1]), autocast=True, where="under bfloat16 autocast")


@check("level1.timestep.uses_every_t")
def test_uses_every_samples_own_t(steady: Network, config: ModelConfig, measured: Measured) -> None:
    """In a batch with different timesteps, each image is processed with its own."""
    t = spread(config.num_timesteps, steady.number(6, 9, "every t"), seed=steady.seed)
    t = t[shuffled(len(t), "every t", steady.seed)]
    x = steady.noisy(t, "every t")
    alone = one_by_one(steady, x, t)
    try:
        measured.update(conditioning.check_uses_every_t(steady(x, t), alone, t.tolist()))
    except CheckFailed:
        one_t = t[:1].expand(len(t)).contiguous()
        copied = [steady(one.expand_as(x).contiguous(), one_t)[i : i + 1] for i, one in enumerate(x.split(1))]
        conditioning.wait_unless_independent(steady(x, one_t), torch.cat(copied))
        copies = x[:1].expand_as(x).contiguous()  # of one image the answers show which t was used
        conditioning.check_uses_every_t(steady(copies, t), one_by_one(steady, copies, t), t.tolist())
        raise


@check("level1.timestep.depends_on_t")
def test_depends_on_t(steady: Network, config: ModelConfig, judge: Judge, measured: Measured) -> None:
    """The output depends on t: for the same image it differs between t = 0 and t = T − 1."""
    middle = spread(config.num_timesteps, 4, seed=steady.seed)[1:3]
    x = steady.noisy(middle, "depends on t")
    first, last = (steady(x, torch.full((2,), t)) for t in (0, config.num_timesteps - 1))
    for name, says in notes_on_t(steady).items():
        judge.inform(name, says)
    measured.update(conditioning.check_depends_on_t(first, last, config.num_timesteps))


@check("level1.timestep.whole_range")
def test_distinguishes_t_over_the_whole_range(steady: Network, config: ModelConfig, measured: Measured) -> None:
    """The output changes with t over the whole range, not only in part of it or in a few coarse bins."""
    x, _ = steady.at_random(1, "whole range")
    t = spread(config.num_timesteps, min(PROBED_T, config.num_timesteps), seed=steady.seed)
    t = torch.cat([t, t + 1]).unique()  # neighbours, too
    t = t[t < config.num_timesteps]
    batches = t.split(16)
    y = torch.cat([steady(x.expand(len(part), -1, -1, -1).contiguous(), part) for part in batches])
    near = conditioning.near_ones(y)
    alone = [torch.cat([steady(x, t[i : i + 1]) for _ in range(2)]) for i in near]
    measured.update(conditioning.check_whole_range(y, t.tolist(), near, torch.stack(alone) if alone else y[:0]))


@check("level1.batch.samples_independent")
def test_samples_are_independent(steady: Network, settings: Config, config: ModelConfig, measured: Measured) -> None:
    """In eval mode, an image's output does not depend on the other images in the batch."""
    t = spread(config.num_timesteps, steady.number(7, 13, "independent"), seed=derive_seed("independent", steady.seed))
    t = t[shuffled(len(t), "independent", steady.seed)] ** 2 // max(1, config.num_timesteps - 1)  # most of them small:
    x = steady.noisy(t, "independent")  # there an image is more than noise
    alone, few = one_by_one(steady, x, t), steady.number(2, 4, "few")
    among_odd = steady(torch.cat([x[:1], of_very_different_sizes(x[1:])]), t)[:1]
    among_many = in_a_training_batch(steady, x, t, settings.data.batch_size)
    together = torch.cat([steady(x, t), steady(x[:few].flip(0), t[:few].flip(0)).flip(0), among_odd, among_many])
    measured.update(conditioning.check_independent(together, torch.cat([alone, alone[:few], alone[:1], alone])))


@check("level1.batch.order")
def test_batch_order(steady: Network, measured: Measured) -> None:
    """In eval mode, the order of the images in the batch makes no difference."""
    x, t = steady.at_random(steady.number(6, 12, "order"), "order")
    order = shuffled(len(x), "images", steady.seed)
    measured.update(conditioning.check_order(steady(x[order], t[order]), steady(x, t), order))


@check("level1.image.channels")
def test_each_channel_counts(moved_pixels: Once[Effects], measured: Measured) -> None:
    """With 3 channels, each output follows from its own pixel and those around it, and no channel copies another."""
    measured.update(channels.check_channels(moved_pixels()))


@check("level1.image.neighbours")
def test_neighbours_are_those_in_the_image(moved_pixels: Once[Effects], measured: Measured) -> None:
    """Neighbouring pixels are neighbours in the image, not whatever lies side by side in memory."""
    measured.update(channels.check_neighbours(moved_pixels()))


@check("level1.behaviour.deterministic")
def test_deterministic(perturbed: Network, device: str, measured: Measured) -> None:
    """In eval mode, the same input gives the same output."""
    x, t = perturbed.at_random(1, "deterministic")
    first, *others = (perturbed(x, t, seed=seed) for seed in range(REPEATS))
    measured.update(behaviour.check_deterministic(first, others, device))


@check("level1.behaviour.no_hidden_state")
def test_no_hidden_state(
    perturbed: Network, build: Build, config: ModelConfig, submission: AnySubmission, device: str, measured: Measured
) -> None:
    """In eval mode, no call affects the next one."""
    questions = alike(perturbed)
    answers = [perturbed(x, t) for x, t in questions]
    measured.update(behaviour.check_no_hidden_state(answers[:1], [perturbed(*questions[0])], device))

    state = perturbed.state()
    submission.stop()  # clears whatever the first calls left in a module or a cache
    fresh = build(config)
    fresh.load(state)
    from_the_last = [fresh(x, t) for x, t in reversed(questions)]
    measured.update(behaviour.check_no_hidden_state(answers, from_the_last[::-1], device))


@check("level1.behaviour.inputs_unchanged")
def test_inputs_unchanged(network: Network) -> None:
    """The call leaves x and t unchanged."""
    x, t = network.at_random(3, "inputs")
    behaviour.check_inputs_unchanged({"x": x, "t": t}, network.reply(x, t).tensors)


@check("level1.behaviour.no_side_effects")
def test_no_side_effects(build: Build, config: ModelConfig, submission: AnySubmission, seed: int) -> None:
    """Importing, building and calling the network leave global settings and the random generator alone."""
    ends = []
    for s in (seed, seed + 1):
        submission.stop()  # a new process, so that the import, too, happens after seeding
        network = build(config, seed=s)
        before, after = network.built.values["defaults"]
        behaviour.check_defaults(before, after, "building the network")
        ends.append(network.built.tensors["rng"])
    behaviour.check_not_reseeded(*ends)
    reply = network.reply(*network.at_random(2, "side effects"), seed=seed, grad=True)
    before, after = reply.values["defaults"]
    behaviour.check_defaults(before, after, "a forward pass")
    behaviour.check_rng_untouched(reply.tensors["rng_before"], reply.tensors["rng_after"])


@check("level1.contract.device")
def test_device(warm: None, network: Network) -> None:
    """No tensor is pinned to the CPU: the network can move to a GPU."""
    network.move(*network.noise(2, "device"))


@check("level1.training.registered")
def test_all_layers_are_registered(
    warm: None, perturbed: Network, build: Build, config: ModelConfig, submission: AnySubmission, measured: Measured
) -> None:
    """The state dict holds everything the output depends on: saved and loaded, the network gives the same output."""
    x, t = perturbed.at_random(3, "registered")
    answers = [(perturbed(x, t), perturbed.state())]
    few_steps(perturbed)  # may change what is kept elsewhere, and begins the same in every process
    answers.append((perturbed(x, t), perturbed.state()))
    submission.stop()  # clears whatever is remembered outside the network
    fresh = build(config, seed=derive_seed("fresh", perturbed.seed))
    for original, state in answers:
        fresh.load(state)
        measured.update(behaviour.check_registered(original, fresh(x, t)))


@check("level1.training.all_parameters")
def test_all_parameters_get_gradients(
    warm: None, network: Network, build: Build, other_config: ModelConfig, measured: Measured
) -> None:
    """Every trainable parameter gets a finite, non-zero gradient within a few training steps."""
    parameters = network.built.values["parameters"]
    if not any(trainable for _, _, trainable in parameters):
        learning.check_trainable(parameters)
    seen = [few_steps(network)]
    try:
        measured.update(learning.check_trainable(parameters, *seen))
    except CheckFailed:
        # at the config's size a gradient may rightly be zero, as in attention over a single pixel
        seen.append(few_steps(build(other_config)))
        measured.update(learning.check_trainable(parameters, *seen))


@check("level1.training.gradient_flow")
def test_gradient_flow(warm: None, perturbed: Network, seed: int, judge: Judge, measured: Measured) -> None:
    """Backward works in train mode: gradients reach x, and match how the output changes with x and parameters."""
    for name, says in notes_on_modes(perturbed).items():
        judge.inform(name, says)
    x, t = perturbed.at_random(3, "flow")
    cotangent, _ = perturbed.noise(3, "flow, cotangent")
    reply = perturbed.flow(x, t, cotangent, seed=seed)
    measured.update(learning.check_flow(reply.values["requires_grad"], reply.tensors.get("gradient")))
    measured.update(check_slopes(measure_slopes(perturbed, x[:2], t[:2], cotangent[:2])))


@check("level1.training.needs_t")
def test_needs_its_t(
    trained: overfit.Trained, steady: Network, build: Build, config: ModelConfig, judge: Judge, measured: Measured
) -> None:
    """A wrong t raises the loss; or t changes more than a factor or a constant, and can be learnt from."""
    answers = trained.restored.answers
    raised = learning.raised_by_wrong_t(answers.losses, answers.at_wrong_t)
    matters = learning.mattering(raised) > 1
    if not matters:
        judge.inform("t after the overfit run", friendly_notes.WRONG_T.format(change=raised["increase"]))
    measured.update(learning.check_needs_t(raised, *at_two_t(steady)))
    if matters:
        return
    network = build(config)
    try:
        measured.update(learning.check_learns_t(*learn_t(network)))
    except CheckFailed as failed:
        if not trained.loss < trained.limit:
            raise NotJudged("waits for training.overfits: the network learns too little to tell") from failed
        x, t = network.at_random(6, "own t")
        conditioning.wait_unless_own_t(network(x, t), one_by_one(network, x, t))
        raise


@check("level1.training.predicts_noise")
def test_predicts_the_noise(trained: overfit.Trained, measured: Measured) -> None:
    """The network predicts the noise: not the image, the velocity, or anything else."""
    t = trained.triples
    measured.update(learning.check_predicts_noise(trained.y, t.noise, t.x_0, t.x_t, t.alpha_bar))


@check("level1.training.not_squashed")
def test_output_is_not_squashed(trained: overfit.Trained, measured: Measured) -> None:
    """The output can go beyond ±1, as noise does."""
    noisiest = trained.triples.t >= 0.75 * (trained.triples.t.max() + 1)
    measured.update(learning.check_not_squashed(trained.y[noisiest], trained.triples.noise[noisiest]))


@check("level1.training.overfits")
def test_overfits(
    network: Network, overfit_run: Once[overfit.Trained], settings: Config, device: str, judge: Judge,
    measured: Measured,
) -> None:  # fmt: skip
    """The network can learn a few images in a short training, by the loss that the grader measures on fresh noise."""
    trained = overfit_run()
    ratio = trained.seconds_per_image / network.pace.step
    judge.inform("training step", f"{ratio:.2g} × the reference's time, measured once")
    share = load_grading().overfit["cpu" if device == "cpu" else "gpu"].share
    gentler = trained.learning_rate < settings.training.learning_rate
    found = trained.restored
    if found.reset:
        judge.inform("buffers put back after the overfit run", ", ".join(found.reset[:5]))
    measured.update(learning.check_overfits(
        trained.loss, trained.baseline, share, trained.steps, falling=trained.falling, gentler=gentler, times=ratio,
        loss_with_all=found.loss_with_all, reset=found.reset,
    ))  # fmt: skip


@check("level1.trained.weights")
def test_weights(training: Training, check_weights: CheckWeights) -> None:
    """The trained weights are there, and load into this model.py."""
    check_weights(training.network)


@check("level1.trained.uses_t")
def test_trained_network_uses_t(loaded: Training, measured: Measured) -> None:
    """The trained network uses t: its output differs from one t to another, and a wrong t raises the loss."""
    measured.update(check_uses_t(loaded.network))


@check("level1.samples.sound")
def test_samples_are_sound(loaded: Training, check_sound: CheckSound, measured: Measured) -> None:
    """The trained network can be sampled from: its samples are finite images, and not all alike."""
    measured.update(check_sound(loaded.samples))


@check("level1.samples.denoises")
def test_samples_come_from_a_denoiser(sampled: TrainedSamples, measured: Measured) -> None:
    """In the calls that draw the samples, the network also denoises images that it has never seen."""
    measured.update(sampled.denoising)


@check("level1.samples.classes")
def test_samples_show_every_class(sampled: TrainedSamples, measured: Measured) -> None:
    """The samples are varied: a classifier finds every class of the data set among them, and none too often."""
    measured.update(sampled.check_classes())


@check("level1.samples.recognizable")
def test_samples_are_recognizable(sampled: TrainedSamples, measured: Measured) -> None:
    """The samples are recognizable: a classifier is confident enough of their classes."""
    measured.update(sampled.check_confidence())


@check("level1.samples.clean")
def test_samples_are_clean(sampled: TrainedSamples, measured: Measured) -> None:
    """Each sample is clean: few are noisy, blurred, blocky, or made of two images."""
    measured.update(sampled.check_clean())


@check("level1.samples.fid")
def test_samples_are_like_the_data(sampled: TrainedSamples, say_fid: SayFid, measured: Measured) -> None:
    """As a set, the samples look like the data: their Fréchet distance (FID) to it is small."""
    say_fid(sampled)
    measured.update(sampled.quality.to_json())
    measured.update(sampled.check_fid())


@check("level1.samples.new")
def test_samples_are_new(sampled: TrainedSamples, measured: Measured) -> None:
    """The samples are new images, not copies of training images."""
    measured.update(sampled.check_new())
