"""Fit a model: the loop around the optimiser steps. It receives everything and imports no model.

A run is its seed: steps draw their noise and epochs their order by their own number. So a checkpoint taken at any step
continues exactly, and on a CPU the loss curve of a resumed run is the same to the last bit.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm.data import Images, num_batches, place, shuffled_batches
from assignment.ddpm.endings import why_not_finite
from assignment.ddpm.errors import RunError, UserError
from assignment.ddpm.figures import save_loss_curve
from assignment.ddpm.interrupts import StopRequest, stop_requests
from assignment.ddpm.live import LiveLog, NoLog
from assignment.ddpm.progress import progress_bar
from assignment.ddpm.runner import Runner
from assignment.ddpm.seeds import derive_seed
from assignment.ddpm.trainer import Trainer
from assignment.ddpm.validation import freeze_triples, validation_loss

UPDATE_SECONDS = 0.5  # between readings of the loss, each of which makes the CPU wait for the GPU
CURVE_SECONDS, CURVE_SHARE = 2, 0.1  # the curve is drawn after so long, then in so much of the time, at most


class _Sitting:
    """One call of `fit`: from a new or resumed trainer to the last epoch, the deadline, or a request to stop."""

    def __init__(
        self,
        trainer: Trainer,
        images: Images,
        *,
        run_dir: Path,
        identity: dict[str, Any],
        about: dict[str, str],
        epochs: int,
        batch_size: int,
        seed: int,
        checkpoint_seconds: float,
        reference: Sequence[tuple[float, float]],
        live: LiveLog,
    ) -> None:
        device = trainer.diffusion.device
        self.reference, self.live = reference, live
        self.trainer, self.run_dir, self.identity, self.about = trainer, run_dir, identity, about
        self.epochs, self.batch_size, self.seed = epochs, batch_size, seed
        self.checkpoint_seconds = checkpoint_seconds
        self.train, self.labels = place(images.train, device), images.train_labels  # (N, C, H, W) uint8, (N,)
        # Frozen: all epochs are measured on the same t and noise, so the lower loss is the better network's.
        self.triples = freeze_triples(
            images.validation, trainer.diffusion.num_timesteps, device, labels=images.validation_labels
        )
        # The average is what is validated, kept and sampled; the weights themselves are only trained.
        self.averaged = trainer.averaged_runner()
        self.steps_per_epoch = num_batches(self.train, batch_size)

        self.first_step = trainer.step_count
        # monotonic: the clock on the wall may be set back or forth
        self.started = self.updated = self.saved = time.monotonic()
        self.next_curve = self.started + CURVE_SECONDS
        self.seconds_before = trainer.seconds  # of earlier sittings
        self.bar = progress_bar(self._images(epochs * self.steps_per_epoch), "images", "training", done=self._images())

    def _images(self, steps: int | None = None) -> int:
        # seen in training so far, or after this many steps
        return (self.trainer.step_count if steps is None else steps) * min(self.batch_size, len(self.train))

    @property
    def unfinished(self) -> bool:
        return self.trainer.step_count < self.epochs * self.steps_per_epoch

    @property
    def epoch(self) -> int:
        """Completed epochs."""
        return self.trainer.step_count // self.steps_per_epoch

    @property
    def within_epoch(self) -> bool:
        return self.trainer.step_count % self.steps_per_epoch != 0

    def train_epoch(self, stop: StopRequest, *, deadline: float) -> None:
        """Train to the end of the epoch under way, or until a stop is requested or due."""
        # The step count alone says where we are, in a new run as in a resumed one.
        epoch, first = divmod(self.trainer.step_count, self.steps_per_epoch)
        order = derive_seed("order", self.seed, epoch)  # another order in each epoch, the same in each run
        device = self.trainer.diffusion.device
        self.trainer.runner.train()  # dropout on, batch norm by the batch; check_network has left it in eval mode
        for batch in shuffled_batches(self.train, self.batch_size, device, labels=self.labels, seed=order, first=first):
            self.trainer.step(*batch, seed=self.seed)
            now = time.monotonic()
            if now - self.updated > UPDATE_SECONDS:
                self.update_progress()
            # At its end the epoch has to be judged first: a checkpoint between the two would lose its row of the log.
            if self.within_epoch:
                self.save_if_due()
                self.draw_curve(self.trainer.log, at_once=False)
            if stop.made or now > deadline:
                return

    def update_progress(self) -> None:
        """Show the loss and the speed; stop if the loss is no longer finite."""
        loss = self.trainer.mean_loss()
        if not math.isfinite(loss):  # one NaN reaches all weights in a step; training on would be wasted
            self.bar.close()
            raise RunError(self._not_finite("training loss", loss))
        epoch = math.ceil(self.trainer.step_count / self.steps_per_epoch)  # counted from 1, as people do
        if self.trainer.epoch_losses:
            self.bar.set_postfix(epoch=f"{epoch}/{self.epochs}", loss=f"{loss:.4f}", refresh=False)
        self.bar.update(self._images() - self.bar.n)
        self.live.losses(self.trainer.step_count, training=loss)
        self.updated = time.monotonic()
        self.trainer.seconds = self.seconds_before + self.updated - self.started

    def judge(self) -> dict[str, float]:
        """Measure the validation loss now; returns a row of the log, and saves the weights if they are the best."""
        self.update_progress()
        trainer = self.trainer
        loss = validation_loss(self.averaged, trainer.diffusion, self.triples, self.batch_size)
        if not math.isfinite(loss):  # possible with finite weights: activations can overflow in float16
            raise RunError(self._not_finite("validation loss", loss))
        row = {  # one of log.csv
            "epoch": trainer.step_count / self.steps_per_epoch,  # a fraction, where time ran out within one
            "step": trainer.step_count,
            # Not to be compared in size: the training loss is of the weights as they were on the way, in train mode;
            # the validation loss is of their average now, in eval mode. It is often the lower one.
            "train_loss": trainer.mean_loss(),
            "val_loss": loss,
            "seconds": round(trainer.seconds, 1),
        }
        # The best, not the last: with few images the validation loss rises again while the training loss still falls.
        best = loss < trainer.best
        if best:
            trainer.best = loss
            ckpt.save_weights(
                trainer.average.model, self.run_dir / ckpt.WEIGHTS,
                epoch=row["epoch"], step=row["step"], val_loss=loss, **self.about,
            )  # fmt: skip
        ckpt.save_log([*trainer.log, row], self.run_dir / ckpt.LOG)
        self.live.losses(trainer.step_count, validation=loss)
        self.bar.write(
            f"epoch {row['epoch']:.4g}/{self.epochs}   training loss {row['train_loss']:.4f}   "
            f"validation loss {loss:.4f}{'   (best so far)' if best else ''}"
        )
        return row

    def draw_curve(self, rows: list[dict[str, float]], *, at_once: bool) -> None:
        """Redraw every few seconds, also within an epoch, as on a CPU one can take minutes."""
        # matplotlib takes longer than an epoch of the digits
        started = time.monotonic()
        if started < self.next_curve and not at_once:
            return
        log, under_way = [(row["epoch"], row["train_loss"], row["val_loss"]) for row in rows], None
        if self.within_epoch and not at_once and math.isfinite(loss := self.trainer.mean_loss()):
            under_way = self.trainer.step_count / self.steps_per_epoch, loss
        if log or under_way:
            save_loss_curve(
                log, self.run_dir / ckpt.CURVE, reference=self.reference, under_way=under_way, title=self.run_dir.name
            )  # fmt: skip
        self.next_curve = time.monotonic() + (time.monotonic() - started) / CURVE_SHARE

    def save_if_due(self) -> None:
        if time.monotonic() - self.saved > self.checkpoint_seconds:
            self.save()

    def save(self) -> None:
        self.update_progress()  # never save what is not finite
        # with the settings it belongs to, so that no other run continues from it by mistake
        state = {"identity": self.identity, **self.trainer.state_dict()}
        ckpt.save_checkpoint(state, self.run_dir / ckpt.CHECKPOINT)
        self.saved = time.monotonic()

    def _not_finite(self, what: str, loss: float) -> str:
        weights, trainer = self.run_dir / ckpt.WEIGHTS, self.trainer
        kept = f"the best weights so far are kept in {weights}" if weights.exists() else "there are no weights yet"
        losses = [step.item() for step in trainer.epoch_losses]
        good = next((i for i, step in enumerate(losses) if not math.isfinite(step)), len(losses))
        step = trainer.step_count - len(losses) + good + 1  # the first one that was not finite
        earlier = losses[:good] or [row["train_loss"] for row in trainer.log] or [math.inf]
        rate, half = trainer.optimizer.param_groups[0]["lr"], trainer.runner.setting.precision == torch.float16
        return (
            f"the {what} is {loss} from step {step} on, so training stopped; {kept}; "
            f"{why_not_finite(step, earlier[-1], rate, half=half)}"
        )


def fit(
    trainer: Trainer,
    images: Images,
    *,
    run_dir: Path,
    identity: dict[str, Any],
    about: dict[str, str],
    epochs: int,
    batch_size: int,
    seed: int,
    max_minutes: float | None,
    checkpoint_minutes: float,
    on_epoch: Callable[[int, Runner], None],
    reference: Sequence[tuple[float, float]] = (),
    live: LiveLog | None = None,
) -> list[dict[str, float]]:
    """Train until `epochs` are done or `max_minutes` are over; leave weights, checkpoint, log and curve in `run_dir`.

    Args:
        identity: the settings that make this run what it is, stored for `resume` to compare
        about: facts stored with the weights, such as a hash of the network's code
        on_epoch: called after each epoch with its number and the averaged network
        reference: (epoch, validation loss) of the reference, for the curve
    Returns:
        the rows of the log; none if there was nothing left to train
    Raises:
        RunError: the loss is not finite; the last good weights and checkpoint stay
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once the checkpoint is written
    """
    # counted from here: reading the data and measuring settings does not take from the time for training
    deadline = math.inf if max_minutes is None else time.monotonic() + 60 * max_minutes
    sitting = _Sitting(
        trainer, images, run_dir=run_dir, identity=identity, about=about, epochs=epochs, batch_size=batch_size,
        seed=seed, checkpoint_seconds=60 * checkpoint_minutes, reference=reference, live=live or NoLog(),
    )  # fmt: skip

    with stop_requests() as stop, sitting.bar:
        while sitting.unfinished and time.monotonic() < deadline and not stop.made:
            sitting.train_epoch(stop, deadline=deadline)
            if not sitting.within_epoch:  # the epoch is complete: it was not stopped half-way
                trainer.log.append(sitting.judge())
                trainer.epoch_losses = []
                sitting.draw_curve(trainer.log, at_once=False)
                sitting.save_if_due()
                on_epoch(sitting.epoch, sitting.averaged)
        # However it ended, the checkpoint is saved first.
        if trainer.step_count > sitting.first_step:
            sitting.save()
        if stop.made:  # without a last validation: Ctrl-C should give the prompt back soon
            raise KeyboardInterrupt
        if trainer.step_count == sitting.first_step:  # nothing was trained, so there is nothing new to judge
            return []
        # out of time within an epoch: a last row, which is not in the checkpoint, so that resuming stays exact
        rows = [*trainer.log, sitting.judge()] if trainer.epoch_losses else trainer.log
        sitting.draw_curve(rows, at_once=True)
        return rows


@dataclass(frozen=True)
class Start:
    """Weights of an earlier training whose checkpoint is gone, to continue from: the optimiser starts over."""

    file: Path
    epochs: int  # for which they were trained

    def put_into(self, trainer: Trainer, steps_per_epoch: int) -> None:
        """Raises UserError if the weights are of another network."""
        for model in (trainer.runner.model, trainer.average.model):
            ckpt.load_weights(model, self.file)
        # so that seeds, order and warm-up continue from there instead of repeating the beginning
        trainer.step_count = self.epochs * steps_per_epoch


def resume(trainer: Trainer, path: Path, identity: dict[str, Any]) -> None:
    """Set a trainer to the state of a checkpoint.

    Raises:
        UserError: the checkpoint is damaged, of a run with other settings, or of another network
    """
    state = ckpt.load_checkpoint(path, trainer.diffusion.device)
    if not isinstance(state, dict) or not isinstance(state.get("identity"), dict):
        raise UserError(f"{path}: not readable as a checkpoint; move it away to start anew")
    # every difference at once, with both values
    changed = [f"{key} was {old}, is {identity.get(key)} now" for key, old in state["identity"].items()
               if identity.get(key) != old]  # fmt: skip
    if changed:
        raise UserError(f"training.resume=true: {path} is of another run: {'; '.join(changed)}")
    # The settings agree, but model.py may have been edited since.
    try:
        trainer.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise UserError(f"training.resume=true: {path} is of another network than the one in the code now") from error
