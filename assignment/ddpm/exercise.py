"""The exercise from end to end: data, network, training, samples. The network and the sampler come in as classes.

Invalid input is rejected before the first file is written; what the machine chose is printed with its reason.
"""

import contextlib
import hashlib
import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm.autotune import tune
from assignment.ddpm.conclusion import conclude
from assignment.ddpm.config import Config, ModelConfig, differences, identity, to_yaml
from assignment.ddpm.data import Images, load_images, num_batches, to_float
from assignment.ddpm.device import choose_device, is_out_of_memory
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.endings import why_no_gradient
from assignment.ddpm.errors import RunError
from assignment.ddpm.figures import save_grid
from assignment.ddpm.files import only_one, replacing
from assignment.ddpm.first_calls import check_network, check_sampler
from assignment.ddpm.growth import GROWTH, Growth
from assignment.ddpm.guidance import Guidance, GuidedEps
from assignment.ddpm.live import LiveLog, live_log
from assignment.ddpm.milestones import Milestones
from assignment.ddpm.runner import Runner
from assignment.ddpm.samples_picture import SamplesPicture
from assignment.ddpm.sampling import Sampler
from assignment.ddpm.screen import say
from assignment.ddpm.trainer import Trainer
from assignment.ddpm.training import Start, fit, resume

LONGEST_SOURCE = 256 << 10  # bytes of a model.py that is kept in its weights
STRIP_STEPS = 9  # columns of the picture of the forward process


def run(
    config: Config,
    network: Callable[[ModelConfig], nn.Module],
    make_sampler: Callable[[GaussianDiffusion, torch.device], Sampler],
    run_dir: Path,
    *,
    guided_eps: GuidedEps | None = None,
    steps: int | None = None,
    start: Start | None = None,
    on_epoch: Callable[[int, Runner], None] = lambda epoch, averaged: None,
    milestones: Milestones | None = None,
    grade: str = "make test-level1",
) -> None:
    """Train `network(config.model)` in `run_dir`, then draw the output folder's `samples.png` from the best weights.

    Args:
        guided_eps: what samples of a network with classes are drawn by; only these need it
        steps: that the sampler takes; None: all T
        start: a new run begins with its weights
        on_epoch: called after each epoch with its number and the averaged network
        milestones: of the reference, to compare with at the end
        grade: the command that looks at a network which has not learnt
    """
    device = choose_device(config.runtime.device)
    shape = config.model.image_shape  # (C, H, W)
    diffusion = GaussianDiffusion.of(config, device.value)
    torch.manual_seed(config.training.seed)  # of the initial weights; steps seed themselves
    model = network(config.model).to(device.value)
    classes, guidance = config.model.num_classes, guidance_of(config, guided_eps)
    check_network(model, shape, diffusion, classes)
    sampler = make_sampler(diffusion, device.value)
    check_sampler(sampler, shape, device.value, guidance)  # now: it may fail, or be a stub still
    images = load_images(config.data.name, config.data.root, limit=config.data.limit, shape=shape, num_classes=classes)
    open_log = live_log(config.training.tensorboard)

    settings = f"settings: {' '.join(differences(config))}; all others as in assignment/ddpm/config.py"
    say(settings)
    say(f"device: {device}")
    batch = min(config.data.batch_size, len(images.train))  # with data.limit there may be fewer images than in a batch
    with naming_the_batch_size(batch):
        updates = config.training.epochs * num_batches(images.train, batch)
        runner = make_runner(
            model, config, (batch, *shape), device.value, steps=updates, code=code_hash(network)
        )  # fmt: skip
    say(f"network: {sum(p.numel() for p in model.parameters()):,} parameters, from {network.__module__}")
    say(f"data: {config.data.name}, {images}")
    picture = SamplesPicture(config, sampler, device, guidance, steps)
    say(f"samples: {picture}")

    lock = run_dir.with_name(f".{run_dir.name}.lock")
    with only_one(lock, f"{run_dir}: another training is working there"):
        growth = Growth(
            make_sampler, diffusion, shape, run_dir, every=config.sampling.every_epochs, seed=config.sampling.seed,
            guidance=guidance,
        )  # fmt: skip
        rows = train(
            runner, images, diffusion, config, run_dir, growth, about=code_of(network), start=start, on_epoch=on_epoch,
            milestones=milestones, open_log=open_log,
        )  # fmt: skip
        # the averaged weights of the best epoch, into the network that training has left at its last step
        about = ckpt.load_weights(model, run_dir / ckpt.WEIGHTS)
    says = conclude(rows, runner, diffusion, images, config, milestones, grade) if rows else []
    say(f"sampling with the weights of epoch {float(about['epoch']):.4g}, validation loss {about['val_loss']:.6}")
    samples = Path(config.output_dir) / "samples.png"
    try:
        picture.save(runner, samples)
        say(f"samples: {samples}")
        say(f"run: {run_dir}")
    finally:  # where samples can't be drawn, this may say why
        for sentences in says:
            print()
            say(f"{sentences}.")


def guidance_of(config: Config, guided_eps: GuidedEps | None) -> Guidance | None:
    """As configured; None where the network has no classes."""
    if config.model.num_classes is None:
        return None
    assert guided_eps is not None, "a network with classes needs it for its samples"
    return Guidance(guided_eps, config.sampling.guidance, config.model.num_classes)


def train(
    runner: Runner,
    images: Images,
    diffusion: GaussianDiffusion,
    config: Config,
    run_dir: Path,
    growth: Growth,
    *,
    about: dict[str, str],
    start: Start | None,
    on_epoch: Callable[[int, Runner], None],
    milestones: Milestones | None,
    open_log: Callable[[Path, int], LiveLog],
) -> list[dict[str, float]]:
    """Start or resume the run, and leave its best weights in `run_dir`, with the facts of `about`.

    Returns the rows of its log; none if there was nothing left to train.
    """
    trainer = Trainer(
        runner, diffusion, learning_rate=config.training.learning_rate,
        ema_decay=config.training.ema_decay, fused=config.training.fused_optimizer,
        num_classes=config.model.num_classes, label_dropout=config.training.label_dropout,
    )  # fmt: skip
    checkpoint = run_dir / ckpt.CHECKPOINT
    # without a checkpoint, training.resume=true starts a new run, so that the same command can always be repeated
    if config.training.resume and checkpoint.exists():
        resume(trainer, checkpoint, identity(config))
        say(f"resuming from {checkpoint}")
    else:
        if not config.training.resume:
            make_room(run_dir)
        elif start is None:
            say(f"no checkpoint in {run_dir}: starting anew")
        if start is not None:
            start.put_into(trainer, num_batches(images.train, config.data.batch_size))
            say(f"starting with the weights of {start.file}, epoch {start.epochs}")
    if config.training.max_minutes != 0:  # only sampling again: the record of the training stays
        with replacing(run_dir / ckpt.CONFIG) as temporary:
            temporary.write_text(to_yaml(config))
    save_noising(images.train, diffusion, run_dir / "noising.png")

    live = open_log(run_dir, trainer.step_count)

    def after_epoch(epoch: int, averaged: Runner) -> None:
        last = epoch == config.training.epochs
        if why_not := growth.after_epoch(epoch, averaged, trainer.seconds, last=last):
            tqdm.write(why_not)
        for name in (GROWTH, ckpt.CURVE):
            live.picture(trainer.step_count, run_dir / name)
        on_epoch(epoch, averaged)

    with naming_the_batch_size(config.data.batch_size), explaining_gradients(), contextlib.closing(live):
        rows = fit(
            trainer, images, run_dir=run_dir, identity=identity(config), about=about, on_epoch=after_epoch,
            epochs=config.training.epochs, batch_size=config.data.batch_size, seed=config.training.seed,
            max_minutes=config.training.max_minutes, checkpoint_minutes=config.training.checkpoint_minutes,
            reference=milestones.losses if milestones else (), live=live,
        )  # fmt: skip
    if not (run_dir / ckpt.WEIGHTS).exists():
        raise RunError(f"{run_dir}: no trained weights to sample from; train first, without training.max_minutes=0")
    return rows


@contextmanager
def naming_the_batch_size(size: int) -> Iterator[None]:
    """Turn running out of memory into a line that says what to change."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise RunError(f"out of memory with data.batch_size={size}: try data.batch_size={max(1, size // 2)}") from error


@contextmanager
def explaining_gradients() -> Iterator[None]:
    """Turn an error in backward into a line that says what usually causes it."""
    try:
        yield
    except RuntimeError as error:
        if not (why := why_no_gradient(error)):
            raise
        raise RunError(why) from error


def make_runner(
    model: nn.Module, config: Config, shape: tuple[int, int, int, int], device: torch.device, *, steps: int, code: str
) -> Runner:
    """The network in the setting that is configured or measured as the fastest; prints which, and why.

    Args:
        shape: (B, C, H, W) of a training batch
        steps: how many the whole run takes
        code: hash of the network's code
    """
    warnings.filterwarnings("ignore", module=r"torch\._(dynamo|inductor)")  # the compiler's internal notes
    minutes = config.training.max_minutes
    tuned = tune(
        model, config.runtime, shape, device, steps=steps, seconds=None if minutes is None else 60 * minutes,
        about=(code, vars(config.model)) if code else None, num_classes=config.model.num_classes,
    )  # fmt: skip
    say(f"speed: {tuned}; samples: {tuned.sampling}")
    for setting, says in tuned.measured.items():
        say(f"  {setting}: {says}")
    if tuned.setting.threads:  # set here, not in the runner, as it applies to the whole process
        torch.set_num_threads(tuned.setting.threads)
    return Runner(model, tuned.setting, tuned.sampling)


def code_of(network: Callable[..., object]) -> dict[str, str]:
    """The network's source file, stored with the weights to say which code they belong to: its hash, and its text."""
    try:
        file = inspect.getsourcefile(network)
    except TypeError:  # not a class with a file of its own
        file = None
    if file is None:
        return {"code": ""}
    source = Path(file).read_bytes()
    about = {"code": hashlib.sha256(source).hexdigest()}
    # as text, weights that no longer fit the code can say what has changed since
    with suppress(UnicodeDecodeError):
        if len(source) <= LONGEST_SOURCE:
            about["source"] = source.decode()
    return about


def code_hash(network: Callable[..., object]) -> str:
    """SHA-256 of the network's source file; empty where it has none."""
    return code_of(network)["code"]


def save_noising(images: Tensor, diffusion: GaussianDiffusion, path: Path, num_images: int = 4) -> None:
    """The forward process on the first images (N, C, H, W): a row each, x_t at t = 0 … T-1 from left to right."""
    x_0 = to_float(images[:num_images]).to(diffusion.device)  # (n, C, H, W)
    way = torch.linspace(0, 1, STRIP_STEPS, device=diffusion.device)  # (S,)
    columns = (way**2 * (diffusion.num_timesteps - 1)).long()  # (S,): 0 … T-1, squared, as most is lost early on
    t = columns.repeat(len(x_0))  # (n·S,): t_1 … t_S, t_1 … t_S
    x_0 = x_0.repeat_interleave(STRIP_STEPS, dim=0)  # (n·S, C, H, W): image 1 S times, image 2 S times
    x_t = diffusion.q_sample(x_0, t, torch.randn_like(x_0))  # one jump each (Eq. 4), not step by step
    above = [(column, f"t = {step}") for column, step in enumerate(columns.tolist())]
    save_grid(x_t, path, columns=STRIP_STEPS, above=above)


def make_room(run_dir: Path) -> None:
    """Move an earlier run aside, to the first free number, so that a second start loses no night's training."""
    if run_dir.exists():
        # moved, not copied and deleted: at any moment the run is in one place or in the other
        number = next(n for n in itertools.count(1) if not run_dir.with_name(f"{run_dir.name}.{n}").exists())
        kept = run_dir.rename(run_dir.with_name(f"{run_dir.name}.{number}"))
        say(f"the earlier run is kept in {kept}")
