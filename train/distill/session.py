"""One sitting of a distillation: prepare or restore, train, write the student, compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...core.data.base import ReidDataset
from ...core.data.catalogue import open_dataset
from ...core.models.config import ModelConfig
from ...core.models.lineage import sharing
from ...core.models.native import save_native
from ...core.models.token_schedule import parse_schedule
from ...core.models.vit import ReidVit
from .. import runfile
from ..checkpoints import Checkpoints
from ..crops import TrainingCrops, camera_rows, load_crops
from ..distributed import agree_on, check_share, synchronise_norms
from ..finetune import command_line
from ..loader import BatchLoader
from ..loop import Habits, Run
from ..optimiser import build_optimiser
from ..result import IDENTITIES
from ..sampler import CropSampler, IdentitySampler, Sampler
from ..session import schedule_of
from ..sitting import Sitting
from ..start import Origin, starting_model, training_config, training_preprocess
from ..step import compile_blocks, half_type
from ..stopping import StopRequest, watching
from .bridge import Bridge
from .comparison import compared
from .distill import DistillOptions
from .fake_quant import calibration_batches, check_int8, fake_quantise, plain
from .grid import with_schedules
from .labels import labelled, settled
from .recipe import DistillRecipe
from .recipe_files import load_recipe
from .result import Comparison, DistillResult, read_result, write_result
from .stepper import DistillStepper, Guide, Trainee
from .student import Ask, student_origin
from .teacher import Teacher, open_teacher
from .terms import lessons


@dataclass(frozen=True)
class Plan:
    """Everything that was settled before the first step."""

    recipe: DistillRecipe
    teacher: Teacher
    start: Origin
    dataset: ReidDataset
    crops: TrainingCrops
    config: ModelConfig

    @property
    def labelled(self) -> bool:
        return labelled(self.dataset)


@dataclass(frozen=True)
class DistillSession(Sitting):
    """The options of a distillation, checked."""

    options: DistillOptions
    data: Path

    def run(self) -> DistillResult | None:
        options = self.options
        plan = self._plan()
        with self._alone():
            self._claim(plan)
            if options.resume and (done := read_result(self.out)) is not None:
                self._say(f"{self.out} is finished already; nothing was done")
                return done if self.world.leads else None
            with self._given_back():
                share = plan.recipe.model.given_share
                student = starting_model(plan.start, plan.config, options.seed, share)
                student = student.to(self.world.device)
                with watching() as stop:
                    run = self._prepared(plan, student, stop)
                    self._restore(run)
                    self._train(run)
                return self._finish(plan, student, run)

    def _plan(self) -> Plan:
        options = self.options
        recipe = self._recipe()
        check_share(recipe.batch_size, self.world)
        for amp in (options.amp, options.teacher_amp):
            half_type(amp, self.world.device)
        if not options.resume:
            runfile.refuse_used(self.out)
        teacher = open_teacher(options.teacher)
        self._say(f"teacher {teacher.sentence}")
        start = student_origin(options.student, Ask(teacher, recipe, options.initial))
        self._say(f"student {start.sentence}")
        self._student(start, recipe, teacher, 0)  # what cannot be is said before crops are read
        dataset = open_dataset(self.data, options.kind)
        crops = load_crops(
            dataset, training_preprocess(start, recipe), self._reading(), labelled(dataset)
        )
        self._say_skipped(crops)
        people = crops.classes if labelled(dataset) else 0
        recipe, classes, notices = settled(recipe, teacher, people, crops.people)
        for notice in notices:
            self._say(notice)
        config = self._student(start, recipe, teacher, classes)
        recipe, notices = with_schedules(recipe, config, teacher.config, options.set)
        for notice in notices:
            self._say(notice)
        return Plan(recipe, teacher, start, dataset, crops, config)

    def _student(
        self, start: Origin, recipe: DistillRecipe, teacher: Teacher, classes: int
    ) -> ModelConfig:
        projection = teacher.config.embedding if recipe.teach.teacher_space else 0
        config = training_config(start, recipe, classes, projection)
        if self.options.token_schedule:
            config = replace(config, token_schedule=parse_schedule(self.options.token_schedule))
        if self.options.int8:
            check_int8(config, random=start.loaded is None)
        return config

    def _recipe(self) -> DistillRecipe:
        options = self.options
        space = ("teach.teacher_space=true",) if options.in_teacher_space else ()
        return load_recipe(options.recipe, (*options.set, *space))

    def _prepared(self, plan: Plan, student: ReidVit, stop: StopRequest) -> Run:
        options, world, recipe = self.options, self.world, plan.recipe
        synchronise_norms(student.backbone, world)
        if options.int8:
            fake_quantise(student, calibration_batches(plan.crops, world.device))
        bound = lessons(recipe.teach, plan.config, plan.teacher.config)
        trainee = Trainee(student, bound.heads.to(world.device))
        if world.shared:
            agree_on(trainee.state_dict().values())
        teacher = plan.teacher.model.to(world.device)
        guide = Guide(teacher, Bridge(plan.crops.preprocess, plan.teacher.preprocess))
        guide = replace(guide, amp=options.teacher_amp)
        optimiser = build_optimiser(trainee, recipe.optimiser)
        stepper = DistillStepper(trainee, guide, optimiser, recipe, bound, world, options.amp)
        if options.compile:
            compile_blocks(student)
            compile_blocks(teacher)
        rows = camera_rows(plan.crops.samples) if plan.config.cameras else None
        loader = BatchLoader(
            plan.crops,
            self._sampler(plan),
            recipe.augment,
            world,
            stepper.choices.slots,
            rows,
            self._workers(),
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

    def _sampler(self, plan: Plan) -> Sampler:
        batch, seed = plan.recipe.batch, self.options.seed
        if plan.labelled:
            return IdentitySampler(plan.crops.labels, batch.identities, batch.images, seed)
        return CropSampler(len(plan.crops.samples), plan.recipe.batch_size, seed)

    def _finish(self, plan: Plan, student: ReidVit, run: Run) -> DistillResult | None:
        if not self.world.leads:
            return None
        path = self.out / "model.safetensors"
        model, ranges = plain(student) if self.options.int8 else (student, None)
        provenance = self._provenance(plan, model)
        save_native(path, model, plan.start.preprocess, provenance, ranges)
        scores, skipped = self._scores(plan, student)
        recipe = plan.recipe
        result = DistillResult(
            model=str(path),
            teacher=plan.teacher.sentence,
            data=f"{plan.dataset.name} in {plan.dataset.root}",
            start=plan.start.sentence,
            recipe=recipe.title or self.options.recipe,
            lessons=run.stepper.names[1:],
            epochs=recipe.schedule.epochs,
            steps=run.position.step,
            training_crops=len(plan.crops.samples),
            identities=plan.crops.classes if plan.labelled else 0,
            seconds=round(run.seconds, 1),
            scores=scores,
            machine=runfile.machine(),
            command=command_line(),
            skipped_crops=(*plan.crops.bad, *skipped),
        )
        write_result(self.out, result)
        return result

    def _provenance(self, plan: Plan, student: ReidVit) -> Mapping[str, str]:
        recipe = plan.recipe
        facts = {
            **plan.start.provenance,
            "teacher": plan.teacher.ref,
            "teacher_lineage": plan.teacher.space.lineage,
            "recipe": recipe.title or self.options.recipe,
            "data": plan.dataset.name,
            "training_filter": recipe.input.train_filter,
            "seed": str(self.options.seed),
        }
        if plan.config.classes and plan.labelled:
            facts[IDENTITIES] = plan.crops.people
        return facts | sharing(student, plan.teacher.space) if recipe.teach.teacher_space else facts

    def _scores(self, plan: Plan, student: ReidVit) -> tuple[Comparison | None, list[str]]:
        dataset = plan.dataset
        if not self.options.evaluate:
            return None, []
        if not dataset.query or not dataset.gallery:
            self._say(f"{dataset.root} has no query and gallery, so nothing is evaluated")
            return None, []
        return compared(student, plan.start.preprocess, plan.teacher, dataset, self._reading())

    def _claim(self, plan: Plan) -> None:
        options = self.options
        facts: dict[str, Any] = {
            "start": f"{plan.start.sentence}; taught by {plan.teacher.name}",
            "recipe": plan.recipe.to_dict(),
            "seed": options.seed,
            "amp": f"{options.amp}{', int8' * options.int8}, teacher {options.teacher_amp}",
            "data": plan.crops.digest,
            "config": plan.config.to_dict(),
            "preprocess": plan.crops.preprocess.to_dict(),
            "processes": self.world.size,
            **runfile.circumstances(),
            "compile": options.compile,
        }
        if self.world.leads:
            for notice in runfile.claim(self.out, facts, options.resume):
                self._say(notice)
        self.world.wait()
