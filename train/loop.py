"""The epochs of a run: what happens between two steps, and what is kept for the next start."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from .checkpoints import Checkpoints, Payload
from .distributed import World
from .journal import Journal
from .loader import BatchLoader, TrainBatch
from .means import Means
from .optimiser import set_rates
from .schedule import CosineSchedule
from .stopping import StoppedError, StopRequest


class Measured(Protocol):
    """The losses of one step, still on the device."""

    def values(self) -> tuple[Tensor, ...]: ...


class Steps(Protocol):
    """What a run moves by one batch at a time: fine-tuning's stepper, or distillation's."""

    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    names: tuple[str, ...]
    """Of the losses, in the order of their values; the first is the total."""

    @property
    def model(self) -> nn.Module:
        """Everything that learns, and so everything that a checkpoint holds."""
        ...

    @property
    def batch_size(self) -> int: ...

    def __call__(self, batch: TrainBatch) -> Measured: ...


@dataclass(frozen=True)
class Position:
    """The next batch to take, and how many steps lie behind. Epochs count from 1."""

    epoch: int = 1
    batch: int = 0
    step: int = 0


@dataclass(frozen=True)
class Habits:
    """How often a run is written down."""

    save_every_epochs: int = 1
    save_every_steps: int = 0
    log_every: int = 20


@dataclass
class Run:
    """One training run, from wherever it stands to its last epoch."""

    stepper: Steps
    loader: BatchLoader
    schedule: CosineSchedule
    world: World
    checkpoints: Checkpoints
    habits: Habits
    stop: StopRequest
    position: Position = Position()
    seconds: float = 0.0
    """Spent in training steps, all sittings together."""
    epoch_means: Means = field(init=False)
    log_means: Means = field(init=False)

    def __post_init__(self) -> None:
        device = self.world.device
        self.epoch_means = Means.of(self.stepper.names, device)
        self.log_means = Means.of(self.stepper.names, device)

    def to_the_end(self, journal: Journal) -> None:
        while self.position.epoch <= self.schedule.epochs:
            self._epoch(journal)

    def _epoch(self, journal: Journal) -> None:
        epoch, start = self.position.epoch, self.position.batch
        count = len(self.loader.batches(epoch))
        crops, seconds_before = 0, self.seconds
        began = time.monotonic()
        self.stepper.model.train()
        for number, batch in enumerate(self.loader.epoch(epoch, start), start):
            optimiser = self.stepper.optimiser
            rate = set_rates(optimiser, self.schedule, epoch, number / count)
            losses = self.stepper(batch.to(self.world.device))
            for means in (self.epoch_means, self.log_means):
                means.add(losses.values())
            self.position = Position(epoch, number + 1, self.position.step + 1)
            self.seconds = seconds_before + time.monotonic() - began
            crops += self.stepper.batch_size
            self._after_step(journal, rate)
        averages = self._checked(self.epoch_means)
        speed = crops / max(time.monotonic() - began, 1e-9)
        journal.write(self.position.step, epoch=epoch, **averages, crops_per_second=speed)
        self._next_epoch()

    def _after_step(self, journal: Journal, rate: float) -> None:
        step = self.position.step
        journal.advance()
        if step % self.habits.log_every == 0:
            means = self._checked(self.log_means)
            journal.write(step, learning_rate=rate, **means, seconds=round(self.seconds, 4))
            self.log_means.clear()
        if self.habits.save_every_steps and step % self.habits.save_every_steps == 0:
            self.save()
        if self.stop.heard(self.world, step):
            self.save()
            raise StoppedError(
                f"stopped as asked after step {step} (epoch {self.position.epoch}), which is "
                f"saved in {self.checkpoints.folder}; the same command with --resume goes on"
            )

    def _next_epoch(self) -> None:
        done = self.position.epoch
        self.epoch_means.clear()
        self.position = Position(done + 1, 0, self.position.step)
        if done % self.habits.save_every_epochs == 0 or done == self.schedule.epochs:
            self.save()

    def _checked(self, means: Means) -> dict[str, float]:
        return means.finite(
            f"by step {self.position.step} (epoch {self.position.epoch}); earlier checkpoints in "
            f"{self.checkpoints.folder} are untouched",
            "Lower optimiser.lr, lengthen schedule.warmup_epochs, set optimiser.clip_norm or use "
            "--amp off, and start again with another -o",
        )

    def save(self) -> None:
        self._checked(self.epoch_means)
        if self.world.leads:
            at = self.position
            facts = {"epoch": at.epoch, "batch": at.batch}
            self.checkpoints.save(at.step, self._payload(), facts)
        self.world.wait()

    def _payload(self) -> Payload:
        at, stepper = self.position, self.stepper
        return {
            "position": [at.epoch, at.batch, at.step],
            "model": stepper.model.state_dict(),
            "optimiser": stepper.optimiser.state_dict(),
            "seconds": self.seconds,
            "scaler": stepper.scaler.state_dict(),
            "epoch_means": self.epoch_means.state(),
            "log_means": self.log_means.state(),
            # Every draw of ours is keyed; this is for layers that use PyTorch's own generator.
            "torch_random": torch.get_rng_state(),
        }

    def restore(self, payload: Payload) -> None:
        """Stand where the payload was saved."""
        stepper = self.stepper
        stepper.model.load_state_dict(payload["model"])
        stepper.optimiser.load_state_dict(payload["optimiser"])
        stepper.scaler.load_state_dict(payload["scaler"])
        self.epoch_means.restore(payload["epoch_means"])
        self.log_means.restore(payload["log_means"])
        torch.set_rng_state(payload["torch_random"])
        self.position = Position(*payload["position"])
        self.seconds = payload["seconds"]
