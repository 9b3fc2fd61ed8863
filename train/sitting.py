"""What every sitting of a long run does alike: report, read, go on from a checkpoint, train."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..core.data.crops import default_workers
from . import runfile
from .crops import Reading, TrainingCrops
from .distributed import World
from .journal import Journal, say
from .loop import Run


class SittingOptions(Protocol):
    """What the options of any such command have."""

    @property
    def resume(self) -> bool: ...
    @property
    def workers(self) -> int: ...
    @property
    def cache_gb(self) -> float: ...
    @property
    def skip_bad(self) -> bool: ...


@dataclass(frozen=True)
class Sitting:
    """A run's folder and options, and the processes that share it."""

    options: SittingOptions
    out: Path
    world: World

    def _alone(self) -> AbstractContextManager[None]:
        return runfile.alone(self.out, not self.options.resume, self.world.leads)

    def _given_back(self) -> AbstractContextManager[None]:
        new = not self.options.resume
        return runfile.given_back(self.out, mine=new and self.world.leads)

    def _restore(self, run: Run) -> None:
        if not self.options.resume:
            return
        payload, notices = run.checkpoints.newest()
        for notice in notices:
            self._say(notice)
        if payload is None:
            self._say("no checkpoint was written before the run ended, so it starts anew")
            return
        run.restore(payload)
        self._say(f"resuming after step {run.position.step}")

    def _train(self, run: Run) -> None:
        steps = run.schedule.epochs * len(run.loader.batches(run.position.epoch))
        quiet = not self.world.leads
        with Journal(self.out, steps, run.position.step, quiet) as journal:
            run.to_the_end(journal)

    def _reading(self) -> Reading:
        size = int(self.options.cache_gb * (1 << 30))
        return Reading(self._workers(), size, self.options.skip_bad)

    def _workers(self) -> int:
        return self.options.workers or default_workers()

    def _say(self, sentence: str) -> None:
        if self.world.leads:
            say(sentence)

    def _say_skipped(self, crops: TrainingCrops) -> None:
        for reason in crops.bad[:5]:
            self._say(f"skipped: {reason}")
        if crops.bad:
            self._say(f"skipped {len(crops.bad)} unreadable training crops in all")
