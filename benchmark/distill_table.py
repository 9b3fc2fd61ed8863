"""`personvit-benchmark distillation`: what a teacher is worth to a narrow student.

Synthetic pedestrians, one teacher, several seeds. The same student learns for the same steps four
times: from the labels of all crops, from those of a few people, from the teacher without labels,
and in the teacher's space.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..core.command import option
from ..core.data.synth import SynthOptions
from ..core.errors import ConfigError
from ..core.files import refuse_unwritable
from ..core.preprocess import parse_size
from .few_labels import labelled_people, link_few
from .report import Report, Setting, Table, reproducing
from .seeds import interval_note, spread_text
from .trainings import drawn, going_on, train

COMMAND = "personvit-benchmark distillation"
DATA_SEED, TEACHER_SEED = 0, 0
LESSONS = ("relation_kl", "relation_mse", "cross_kl", "logits", "embedding", "parts", "patches")
ALONE = ("loss.identity_weight=1", "loss.contrastive_weight=1", "loss.temperature=0.3")
SHARED = ("teach.cross_kl_weight=1",)
"""What being searched for in the teacher's gallery is trained with, besides the recipe."""
_ALONE = tuple(
    word
    for change in (*(f"teach.{name}_weight=0" for name in LESSONS), *ALONE)
    for word in ("--set", change)
)
FEW = "few labels"
WAYS: Mapping[str, tuple[str, ...]] = {
    "alone": _ALONE,
    FEW: _ALONE,
    "distilled": (),
    "in-space": ("--in-teacher-space", *(word for one in SHARED for word in ("--set", one))),
}
Scores = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class DistillationOptions:
    """Teach one student by labels, by few of them, by a teacher, and into the teacher's space.

    Draws synthetic pedestrians, fine-tunes a teacher (or takes --teacher), then runs
    `personvit-train distill` as a process for each way and seed, and reads its scores on people who
    were in no training. What an interrupted call finished is kept.

    Example: personvit-benchmark distillation --work /tmp/distillation -o benchmark/results
    """

    work: Path | None = option(None, "a folder for data and runs; it is kept, and gone on with")
    out: Path | None = option(None, "a folder for the report")
    identities: int = option(1100, "people to draw, 6 in 11 of them to train on", low=40)
    cameras: int = option(6, "how many cameras", low=2, high=9)
    domain: str = option("lobby", "of the pedestrians: personvit-data synth --domain")
    size: str = option("128x64", "image height x width, for both models")
    teacher: str | None = option(None, "weights to learn from, instead of training them here")
    teacher_architecture: str = option("vit_micro_16_ics", "of the teacher that is trained here")
    teacher_epochs: int = option(8, "of its fine-tuning", low=1)
    student: str = option("vit-nano", "a student's name, or weights to start from")
    recipe: str = option("distill-demo", "the distillation recipe")
    epochs: int = option(4, "of the student over all crops, whichever way it learns", low=1)
    labelled_share: float = option(
        0.1, "share of the training people with few labels", low=0.01, high=1
    )
    set: tuple[str, ...] = option((), "change one number of it, for every way: section.key=value")
    seeds: int = option(3, "how many seeds, from 1 on", low=1, high=10)
    amp: str = option("off", "arithmetic of both trainings: off or bf16")


@dataclass(frozen=True)
class _Course:
    """Where everything lies."""

    options: DistillationOptions
    work: Path

    @property
    def data(self) -> Path:
        return self.work / "data"

    @property
    def few(self) -> Path:
        return self.work / "few"

    @property
    def training_people(self) -> int:
        return self.options.identities * 6 // 11

    @property
    def labelled_people(self) -> int:
        return labelled_people(self.training_people, self.options.labelled_share)

    def epochs(self, way: str) -> int:
        """With few people's crops, as many more as make the same number of steps."""
        if way != FEW:
            return self.options.epochs
        return round(self.options.epochs * self.training_people / self.labelled_people)

    @property
    def sized(self) -> tuple[str, ...]:
        height, width = parse_size(self.options.size)
        changes = (f"input.height={height}", f"input.width={width}")
        return tuple(word for change in changes for word in ("--set", change))


def distillation(options: DistillationOptions) -> Report:
    """Every way with every seed, against one teacher."""
    if options.work is None:
        raise ConfigError("say where data and runs go: --work FOLDER")
    if options.out is not None:
        refuse_unwritable(options.out / "distillation.json")
    setting = Setting()
    course = _Course(options, options.work)
    _draw(course)
    teacher = _teacher(course)
    results: dict[str, list[Mapping[str, Any]]] = {way: [] for way in WAYS}
    for seed in range(1, options.seeds + 1):
        for way in WAYS:
            click.echo(f"seed {seed}: {way}", err=True)
            results[way].append(_student(course, teacher, way, seed))
    report = _report(options, setting, course, results)
    if options.out is not None:
        report.write(options.out, "distillation")
    return report


def _draw(course: _Course) -> None:
    height, width = parse_size(course.options.size)
    drawn(
        SynthOptions(
            out=course.data,
            identities=course.options.identities,
            train_identities=course.training_people,
            cameras=course.options.cameras,
            domain=course.options.domain,
            height=max(64, height),
            width=max(32, width),
            seed=DATA_SEED,
        )
    )
    link_few(course.data, course.few, course.labelled_people)


def _teacher(course: _Course) -> str:
    options, out = course.options, course.work / "teacher"
    if options.teacher is not None:
        return options.teacher
    length = ("--set", f"schedule.epochs={options.teacher_epochs}", "--seed", TEACHER_SEED)
    train(
        "finetune", options.teacher_architecture, "--data", course.data, "--recipe", "demo",
        *course.sized, *length, "--amp", options.amp, "--no-evaluate", "-o", out, *going_on(out),
    )  # fmt: skip
    return str(out / "model.safetensors")


def _student(course: _Course, teacher: str, way: str, seed: int) -> Mapping[str, Any]:
    options, out = course.options, course.work / f"{way.replace(' ', '-')}-{seed}"
    changes = [word for change in options.set for word in ("--set", change)]
    length = ("--set", f"schedule.epochs={course.epochs(way)}", "--seed", seed)
    data = course.few if way == FEW else course.data
    train(
        "distill", teacher, options.student, "--data", data, "--recipe", options.recipe,
        *course.sized, *changes, *length, "--amp", options.amp, *WAYS[way], "-o", out,
        *going_on(out),
    )  # fmt: skip
    result: Mapping[str, Any] = json.loads((out / "result.json").read_text(encoding="utf-8"))
    return result


def _report(
    options: DistillationOptions,
    setting: Setting,
    course: _Course,
    results: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Report:
    first = results["distilled"][0]
    teacher = first["scores"]["teacher"]["mean_ap"]
    scores = {
        way: [100 * one["scores"]["student"]["mean_ap"] for one in found]
        for way, found in results.items()
    }
    across = [100 * one["scores"]["across"]["mean_ap"] for one in results["in-space"]]
    return Report(
        kind="distillation",
        title="A narrow student with and without its teacher, on synthetic pedestrians",
        command=reproducing(COMMAND, options),
        setting=setting,
        facts={
            "teacher": first["teacher"],
            "teacher_mean_ap": teacher,
            "student": first["start"],
            "steps": first["steps"],
            "training_people": course.training_people,
            "labelled_people": course.labelled_people,
            "training_crops": first["training_crops"],
            "queries": first["scores"]["student"]["queries"],
            "seeds": list(range(1, options.seeds + 1)),
            "mean_ap": scores,
            "across_mean_ap": across,
            "seconds": {way: [one["seconds"] for one in found] for way, found in results.items()},
        },
        tables=(_levels(100 * teacher, scores, across),),
        notes=(
            f"one teacher; every student {first['steps']} steps of the same size; "
            "mAP on people who were in no training",
            f"distilled: the teacher's answers to {first['training_crops']} crops of "
            f"{course.training_people} people, no label",
            "alone: identity and contrastive losses on labels of the same crops, "
            f"as the recipe demo has them; {FEW}: of {course.labelled_people} of the people",
            "in-space: its own gallery; across: its queries in the teacher's gallery, whose "
            "difference is to the teacher's own queries",
            interval_note(options.seeds) + ", of the students only",
            "synthetic pedestrians are not people",
        ),
    )


def _levels(teacher: float, scores: Scores, across: Sequence[float]) -> Table:
    rows = [("teacher", f"{teacher:.1f}", "", "100 %")]
    for name, values in (*scores.items(), ("across", across)):
        changes = [value - teacher for value in values]
        kept = [100 * value / max(teacher, 1e-9) for value in values]
        rows.append((name, spread_text(values), spread_text(changes), f"{spread_text(kept)} %"))
    return Table("mAP in percent", ("", "mAP", "to the teacher", "kept"), tuple(rows))
