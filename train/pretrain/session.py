"""One sitting of a pre-training run: prepare or restore, train, write the teacher and the pair."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from torch import distributed as dist

from ...core.data.catalogue import open_dataset
from ...core.data.crops import default_workers
from ...core.data.pool import Pool, open_pool
from ...core.errors import CheckpointError
from .. import runfile
from ..background import BackgroundSaver
from ..checkpoints import Checkpoints
from ..crops import Reading
from ..distributed import World
from ..journal import Journal, say
from ..means import DivergedError
from ..step import half_type
from ..stopping import StopRequest, watching
from .collapse import watch_of
from .description import origin_of, preprocess_of
from .finish import finish
from .loader import PretrainLoader
from .loop import PretrainHabits, PretrainRun
from .origin import Beginning, beginning, fill_both
from .pretrain import PretrainOptions
from .probe import Probe
from .probing import Probing
from .recipe import PretrainRecipe
from .recipe_files import load_recipe
from .result import PretrainResult, read_pretrain_result
from .step import Pretrainer

MUST_MATCH = ("start", "recipe", "seed", "amp", "data", "locality")
SHOULD_MATCH = ("processes", *runfile.SHOULD_MATCH, "activation_checkpointing")
CACHE_BYTES = 2 << 30
"""For the probe's decoded crops."""


@dataclass(frozen=True)
class PretrainSession:
    """The options of a run, checked, and the processes that share it."""

    options: PretrainOptions
    out: Path
    world: World

    def run(self) -> PretrainResult | None:
        options = self.options
        recipe = recipe_of(options)
        half_type(options.amp, self.world.device)
        if not self._resuming:
            runfile.refuse_used(self.out)
        start = beginning(options.init, recipe, options.seed)
        self._say(start.sentence)
        opened = closing(open_pool(options.pool, options.keep_list, options.kind))
        new, leads = not self._resuming, self.world.leads
        with opened as pool, runfile.alone(self.out, new, leads):
            self._claim(start, recipe, pool)
            if self._resuming and (done := read_pretrain_result(self.out)) is not None:
                self._say(f"{self.out} is finished already; nothing was done")
                return done if self.world.leads else None
            saver = BackgroundSaver(Checkpoints(self.out / "checkpoints", options.keep))
            with runfile.given_back(self.out, new and leads), watching() as stop, saver:
                run = self._prepared(recipe, start, pool, saver, stop)
                before = self._restore(run)
                self._train(run)
                saver.wait()
            return finish(self.out, options, run, start, pool, before)

    @property
    def _resuming(self) -> bool:
        """Asked for, or because torchrun started the job again after one process was lost."""
        again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
        return self.options.resume or (again and (self.out / runfile.NAME).is_file())

    def _prepared(
        self,
        recipe: PretrainRecipe,
        start: Beginning,
        pool: Pool,
        saver: BackgroundSaver,
        stop: StopRequest,
    ) -> PretrainRun:
        options, world = self.options, self.world
        trainer = Pretrainer(
            recipe.model_config_of(),
            recipe,
            world,
            options.seed,
            options.amp,
            options.compile,
            options.activation_checkpointing,
        )
        fill_both(trainer, start)
        loader = PretrainLoader(
            pool,
            recipe,
            world,
            trainer.drop_path_slots,
            options.seed,
            self._workers(),
            options.max_bad_share,
            locality=options.locality,
        )
        return PretrainRun(
            trainer,
            loader,
            recipe,
            world,
            saver,
            PretrainHabits(options.save_every_steps, options.log_every),
            stop,
            watch_of(recipe, loader.steps_per_epoch),
            origin_of(options, recipe, start, pool),
            self._probing(recipe, loader.steps_per_epoch),
        )

    def _probing(self, recipe: PretrainRecipe, steps_per_epoch: int) -> Probing | None:
        options = self.options
        if options.probe is None:
            return None
        reading = Reading(self._workers(), CACHE_BYTES, skip_bad=False)
        dataset = open_dataset(options.probe, None)
        probe = Probe(dataset, preprocess_of(recipe), reading, self.world)
        every = options.probe_every or steps_per_epoch
        return Probing(probe, every, recipe.schedule.epochs * steps_per_epoch, options.linear_probe)

    def _restore(self, run: PretrainRun) -> tuple[int, float]:
        """Returns the step and the seconds that this sitting starts from."""
        if self._resuming:
            payload, notices = run.saver.checkpoints.newest()
            for notice in notices:
                self._say(notice)
            if payload is None:
                self._say("no checkpoint was written before the run ended, so it starts anew")
            else:
                run.restore(payload)
                self._say(f"resuming after step {run.step} of {run.last}")
        agree_on_step(run.step, self.world)
        return run.step, run.seconds

    def _train(self, run: PretrainRun) -> None:
        with Journal(self.out, run.last, run.step, quiet=not self.world.leads) as journal:
            try:
                run.to_the_end(journal)
            except DivergedError as problem:
                raise DivergedError(
                    f"{problem}. Checkpoints in {run.saver.checkpoints.folder} are from before; a "
                    "changed recipe needs another -o"
                ) from None

    def _claim(self, start: Beginning, recipe: PretrainRecipe, pool: Pool) -> None:
        options = self.options
        facts = {
            "start": start.sentence,
            "recipe": recipe.to_dict(),
            "seed": options.seed,
            "amp": options.amp,
            "data": pool.digest,
            "locality": options.locality,
            "processes": self.world.size,
            **runfile.circumstances(),
            "compile": options.compile,
            "activation_checkpointing": options.activation_checkpointing,
        }
        if self.world.leads:
            changes = runfile.claim(self.out, facts, self._resuming, MUST_MATCH, SHOULD_MATCH)
            for notice in changes:
                self._say(notice)
        self.world.wait()

    def _workers(self) -> int:
        return self.options.workers or default_workers()

    def _say(self, sentence: str) -> None:
        if self.world.leads:
            say(sentence)


def recipe_of(options: PretrainOptions) -> PretrainRecipe:
    """The recipe with what the options change in it."""
    changes = list(options.set)
    if options.method is not None:
        changes.append(f"method={options.method}")
    if options.accumulate:
        changes.append(f"batch.accumulate={options.accumulate}")
    return load_recipe(options.recipe, changes)


def agree_on_step(step: int, world: World) -> None:
    """Every process must have found the same checkpoint."""
    if not world.shared:
        return
    steps: list[int] = [0] * world.size
    dist.all_gather_object(steps, step)
    if len(set(steps)) > 1:
        raise CheckpointError(
            f"the processes found checkpoints of different steps ({sorted(set(steps))}); the "
            "output folder must be on a file system that all machines share"
        )
