"""The steps of a pre-training run: what happens between two, and what a next start needs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import torch

from ...core.models.unfinished import DESCRIBED
from ..background import BackgroundSaver
from ..checkpoints import Payload
from ..distributed import World
from ..journal import Journal
from ..means import DivergedError, Means
from ..stopping import StoppedError, StopRequest
from .collapse import CollapseWatch
from .description import preprocess_of
from .loader import PretrainLoader
from .probing import Probing, numbers
from .recipe import PretrainRecipe
from .result import Probed
from .schedules import Moment, Settings
from .step import Pretrainer, StepLosses

MEANT = ("dino", "mim", "kl", "teacher_entropy", "mean_entropy", "feature_std", "masked")
NAMES = ("loss", *MEANT, "gradient_norm")

MEND = (
    "Lower optimiser.lr, lengthen schedule.warmup_epochs or use --amp off (or bf16 where it was "
    "fp16)"
)


@dataclass(frozen=True)
class PretrainHabits:
    """How often a run is written down."""

    save_every: int = 1000
    log_every: int = 20


@dataclass
class PretrainRun:
    """One run, from wherever it stands to its last step."""

    trainer: Pretrainer
    loader: PretrainLoader
    recipe: PretrainRecipe
    world: World
    saver: BackgroundSaver
    habits: PretrainHabits
    stop: StopRequest
    watch: CollapseWatch
    origin: Mapping[str, str]
    """What the teacher's provenance says at every step."""
    probing: Probing | None = None
    step: int = 0
    """How many lie behind."""
    seconds: float = 0.0
    """Spent in training, all sittings together; probes do not count."""
    means: Means = field(init=False)
    losses: dict[str, float] = field(default_factory=dict)
    """The last that were written down."""
    _probing_took: float = 0.0

    def __post_init__(self) -> None:
        self.means = Means.of(NAMES, self.world.device)

    @property
    def moment(self) -> Moment:
        return Moment(self.step, self.loader.steps_per_epoch)

    @property
    def last(self) -> int:
        return self.recipe.schedule.epochs * self.loader.steps_per_epoch

    @property
    def provenance(self) -> dict[str, str]:
        """Of the teacher as it is now."""
        epochs = f"{self.moment.passed:g} of {self.recipe.schedule.epochs}"
        return {**self.origin, "steps": str(self.step), "epochs": epochs}

    def to_the_end(self, journal: Journal) -> None:
        if self.step == self.last:
            return
        self._probe(journal)
        before, began, self._probing_took = self.seconds, time.monotonic(), 0.0
        for parts in self.loader.from_step(self.step):
            losses = self.trainer([part.to(self.world.device) for part in parts], self.moment)
            seen = [getattr(losses, name) for name in MEANT]
            self.means.add([losses.total, *seen, losses.gradient_norm])
            self.step += 1
            self.seconds = before + time.monotonic() - began - self._probing_took
            self._after_step(journal, losses)

    def _after_step(self, journal: Journal, losses: StepLosses) -> None:
        step, last = self.step, self.step == self.last
        journal.advance()
        self.saver.check()
        self.watch.observe(step, losses)
        if step % self.habits.log_every == 0 or last:
            self._log(journal, losses.now)
        self._probe(journal)
        if step % self.habits.save_every == 0 or last:
            self.save()
        if not last and self.stop.heard(self.world, step):
            self.save()
            self.saver.wait()
            raise StoppedError(
                f"stopped as asked after step {step} of {self.last}, which is saved in "
                f"{self.saver.checkpoints.folder}; the same command with --resume goes on"
            )

    def _log(self, journal: Journal, now: Settings) -> None:
        self.losses = self._checked()
        facts = {
            "epoch": round(self.moment.passed, 4),
            "learning_rate": now.lr,
            "weight_decay": now.weight_decay,
            "momentum": now.momentum,
            "temperature": now.temperature,
            "seconds": round(self.seconds, 4),
        }
        journal.write(self.step, **self.losses, **facts)
        self.means.clear()

    def _probe(self, journal: Journal) -> None:
        if self.probing is None or not self.probing.due(self.step):
            return
        began = time.monotonic()
        found = self.probing.look(self.step, self.trainer.teacher_model())
        journal.write(self.step, **numbers(found))
        self._probing_took += time.monotonic() - began

    def _checked(self) -> dict[str, float]:
        return self.means.finite(f"by step {self.step}", MEND)

    def save(self) -> None:
        """Begin to write where the run stands; every process must ask for it."""
        self._checked()
        payload = self._payload()
        if not finite(payload["trainer"]):
            raise DivergedError(
                f"the weights are no numbers any more after step {self.step}. {MEND}"
            )
        if self.world.leads:
            facts = {"epoch": self.moment.epoch}
            self.saver.save(self.step, payload, facts, forget=self.watch.healthy)

    def _payload(self) -> Payload:
        seen = [] if self.probing is None else [asdict(one) for one in self.probing.seen]
        return {
            "step": self.step,
            # What makes the teacher in it a file like the one at the end.
            DESCRIBED: {
                "config": self.trainer.teacher.config.to_dict(),
                "preprocess": preprocess_of(self.recipe).to_dict(),
                "provenance": self.provenance,
            },
            "trainer": self.trainer.state(),
            "means": self.means.state(),
            "losses": self.losses,
            "seconds": self.seconds,
            "watch": self.watch.state(),
            "probes": seen,
            # Every draw of ours is keyed; this is for layers that use PyTorch's own generator.
            "torch_random": torch.get_rng_state(),
        }

    def restore(self, payload: Payload) -> None:
        """Stand where the payload was saved."""
        self.trainer.restore(payload["trainer"])
        self.means.restore(payload["means"])
        self.watch.restore(payload["watch"])
        self.step, self.seconds = payload["step"], payload["seconds"]
        self.losses = payload["losses"]
        if self.probing is not None:
            self.probing.seen[:] = [Probed.from_dict(one) for one in payload["probes"]]
        torch.set_rng_state(payload["torch_random"])


def finite(value: object) -> bool:
    """Whether all numbers of a nested state are numbers."""
    if isinstance(value, torch.Tensor):
        return not value.is_floating_point() or bool(value.isfinite().all())
    if isinstance(value, dict):
        return all(finite(part) for part in value.values())
    if isinstance(value, list | tuple):
        return all(finite(part) for part in value)
    return True
