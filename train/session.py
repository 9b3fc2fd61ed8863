"""One sitting of a fine-tuning run: prepare or restore, train, write the model, evaluate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.data.base import ReidDataset
from ..core.data.catalogue import open_dataset
from ..core.models.config import ModelConfig
from ..core.models.native import save_native
from ..core.models.vit import ReidVit
from . import runfile
from .checkpoints import Checkpoints
from .crops import TrainingCrops, camera_rows, load_crops
from .distributed import agree_on, check_share, synchronise_norms
from .finetune import FinetuneOptions, command_line
from .loader import BatchLoader
from .loop import Habits, Run
from .optimiser import build_optimiser
from .recipe import Recipe
from .recipe_files import load_recipe
from .result import IDENTITIES, FinetuneResult, Scores, read_result, write_result
from .retrieval import retrieval
from .sampler import IdentitySampler
from .schedule import CosineSchedule
from .sitting import Sitting
from .start import Origin, origin, starting_model, training_config, training_preprocess
from .step import Stepper, compile_blocks, half_type
from .stopping import StopRequest, watching


@dataclass(frozen=True)
class Session(Sitting):
    """The options of a fine-tuning run, checked."""

    options: FinetuneOptions
    data: Path

    def run(self) -> FinetuneResult | None:
        options = self.options
        recipe = load_recipe(options.recipe, options.set)
        check_share(recipe.batch_size, self.world)
        half_type(options.amp, self.world.device)
        if not options.resume:
            runfile.refuse_used(self.out)
        start = origin(options.weights, recipe)
        self._say(start.sentence)
        dataset = open_dataset(self.data, options.kind)
        crops = load_crops(dataset, training_preprocess(start, recipe), self._reading())
        self._say_skipped(crops)
        sampler = IdentitySampler(
            crops.labels, recipe.batch.identities, recipe.batch.images, options.seed
        )
        config = training_config(start, recipe, crops.classes)
        with self._alone():
            self._claim(start, recipe, config, crops)
            if options.resume and (done := read_result(self.out)) is not None:
                self._say(f"{self.out} is finished already; nothing was done")
                return done if self.world.leads else None
            with self._given_back():
                model = starting_model(start, config, options.seed, recipe.model.given_share)
                model = model.to(self.world.device)
                with watching() as stop:
                    run = self._prepared(model, recipe, crops, sampler, stop)
                    self._restore(run)
                    self._train(run)
                return self._finish(run, model, start, recipe, dataset, crops)

    def _prepared(
        self,
        model: ReidVit,
        recipe: Recipe,
        crops: TrainingCrops,
        sampler: IdentitySampler,
        stop: StopRequest,
    ) -> Run:
        options, world = self.options, self.world
        synchronise_norms(model.backbone, world)
        if world.shared:
            agree_on(model.state_dict().values())
        stepper = Stepper(
            model, build_optimiser(model, recipe.optimiser), recipe, world, options.amp
        )
        if options.compile:
            compile_blocks(model)
        rows = None
        if model.config.cameras:
            rows = camera_rows(crops.samples)
        loader = BatchLoader(
            crops, sampler, recipe.augment, world, stepper.choices.slots, rows, self._workers()
        )
        return Run(
            stepper,
            loader,
            schedule_of(recipe),
            world,
            Checkpoints(self.out / "checkpoints", options.keep),
            Habits(options.save_every_epochs, options.save_every_steps, options.log_every),
            stop,
        )

    def _finish(
        self,
        run: Run,
        model: ReidVit,
        start: Origin,
        recipe: Recipe,
        dataset: ReidDataset,
        crops: TrainingCrops,
    ) -> FinetuneResult | None:
        if not self.world.leads:
            return None
        path = self.out / "model.safetensors"
        provenance = {
            **start.provenance,
            "recipe": recipe.title or self.options.recipe,
            "data": dataset.name,
            "training_filter": recipe.input.train_filter,
            "seed": str(self.options.seed),
            IDENTITIES: crops.people,
        }
        save_native(path, model, start.preprocess, provenance)
        scores, skipped = self._scores(model, dataset, start)
        result = FinetuneResult(
            model=str(path),
            data=f"{dataset.name} in {dataset.root}",
            start=start.sentence,
            recipe=recipe.title or self.options.recipe,
            epochs=recipe.schedule.epochs,
            steps=run.position.step,
            training_crops=len(crops.samples),
            identities=crops.classes,
            seconds=round(run.seconds, 1),
            scores=scores,
            machine=runfile.machine(),
            command=command_line(),
            skipped_crops=(*crops.bad, *skipped),
        )
        write_result(self.out, result)
        return result

    def _scores(
        self, model: ReidVit, dataset: ReidDataset, start: Origin
    ) -> tuple[Scores | None, list[str]]:
        if not self.options.evaluate:
            return None, []
        if not dataset.query or not dataset.gallery:
            self._say(f"{dataset.root} has no query and gallery, so the model is not evaluated")
            return None, []
        found, skipped = retrieval(model, dataset, start.preprocess, self._reading())
        scores = Scores(
            mean_ap=found.mean_ap,
            rank1=found.rank(1),
            rank5=found.rank(5),
            minp=found.minp,
            queries=found.n_queries,
            skipped_queries=found.n_skipped,
        )
        return scores, skipped

    def _claim(
        self, start: Origin, recipe: Recipe, config: ModelConfig, crops: TrainingCrops
    ) -> None:
        options = self.options
        facts = {
            "start": start.sentence,
            "recipe": recipe.to_dict(),
            "seed": options.seed,
            "amp": options.amp,
            "data": crops.digest,
            "config": config.to_dict(),
            "preprocess": crops.preprocess.to_dict(),
            "processes": self.world.size,
            **runfile.circumstances(),
            "compile": options.compile,
        }
        if self.world.leads:
            for notice in runfile.claim(self.out, facts, options.resume):
                self._say(notice)
        self.world.wait()


def schedule_of(recipe: Recipe) -> CosineSchedule:
    settings, lr = recipe.schedule, recipe.optimiser.lr
    return CosineSchedule(
        base=lr,
        epochs=settings.epochs,
        warmup_epochs=settings.warmup_epochs,
        start=settings.warmup_start * lr,
        floor=settings.floor * lr,
        by_step=settings.per == "step",
    )
