"""`personvit-benchmark pretraining`: what pre-training is worth, on people who were not in it.

Synthetic pedestrians, several seeds. Every start (random numbers, DINO alone, PersonViT) is judged
twice: as it is, by its nearest neighbours, and after fine-tuning with the labels of few people.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ..core.command import option
from ..core.data.synth import SynthOptions
from ..core.errors import ConfigError
from ..core.files import refuse_unwritable, write_atomically
from .accuracy import EvaluateOptions, evaluate
from .few_labels import labelled_people, link_few
from .report import Report, Setting, Table, reproducing
from .seeds import interval_note, spread_text
from .trainings import drawn, going_on, train

COMMAND = "personvit-benchmark pretraining"
STARTS = ("random", "dino", "personvit")
LENGTHS = (5, 20)
"""Epochs of fine-tuning with few labels: cut short, and until little more is learnt."""
JUDGED = ("neighbours", *(f"{epochs} epochs" for epochs in LENGTHS))
ARCHITECTURE, HEIGHT, WIDTH = "vit_pico_16", 128, 64
IMAGES_PER_CAMERA = 2
DATA_SEED = 0
FEW_LABELS_RECIPE = "few-labels"
"""Its share of random numbers are those of the seed: for every start, the ones it began with."""
COLUMNS = ("nearest neighbours", *(f"fine-tuned for {epochs} epochs" for epochs in LENGTHS))
Scores = dict[tuple[str, str], list[float]]


@dataclass(frozen=True)
class PretrainingOptions:
    """Compare random numbers, DINO and PersonViT as the start of a model, over several seeds.

    Draws synthetic pedestrians, pre-trains on ten in eleven of them without labels, then scores
    the others: first by nearest neighbours of the pre-trained class token, then after fine-tuning
    with the labels of a tenth of the training people. Synthetic pedestrians are not people: this
    shows that the method works, not how well it does on a street.

    Example: personvit-benchmark pretraining --work /tmp/pretraining -o benchmark/results
    """

    work: Path | None = option(None, "a folder for data and runs; it is kept, and gone on with")
    out: Path | None = option(None, "a folder for the report")
    identities: int = option(1100, "people to draw, 10 in 11 of them to train on", low=40)
    domain: str = option("lobby", "of the pedestrians: personvit-data synth --domain")
    seeds: int = option(3, "how many seeds, from 1 on", low=1, high=10)
    recipe: str = option("demo", "the pre-training recipe")
    set: tuple[str, ...] = option((), "change one number of it: section.key=value")
    labelled_share: float = option(0.1, "share of the training people with labels", low=0, high=1)
    amp: str = option("off", "arithmetic of both trainings: off or bf16")


@dataclass(frozen=True)
class _Course:
    """Where everything lies, and how long it is trained."""

    options: PretrainingOptions
    work: Path

    @property
    def data(self) -> Path:
        return self.work / "data"

    @property
    def few(self) -> Path:
        return self.work / "few"

    @property
    def training_people(self) -> int:
        return self.options.identities * 10 // 11

    @property
    def labelled_people(self) -> int:
        return labelled_people(self.training_people, self.options.labelled_share)


def pretraining_value(options: PretrainingOptions) -> Report:
    """Every start with every seed; what an earlier, interrupted call finished is kept."""
    if options.work is None:
        raise ConfigError("say where data and runs go: --work FOLDER")
    if options.out is not None:
        refuse_unwritable(options.out / "pretraining.json")
    setting = Setting()
    course = _Course(options, options.work)
    _draw(course)
    scores: Scores = {(start, how): [] for start in STARTS for how in JUDGED}
    turns = [(seed, start) for seed in range(1, options.seeds + 1) for start in STARTS]
    for seed, start in turns:
        click.echo(f"seed {seed}: {start}", err=True)
        weights = _start(course, start, seed)
        tuned = [_fine_tuned(course, weights, f"{start}-{seed}", epochs) for epochs in LENGTHS]
        for how, path in zip(JUDGED, (weights, *tuned), strict=True):
            scores[start, how].append(_mean_ap(course, path))
    report = _report(options, setting, course, scores)
    if options.out is not None:
        report.write(options.out, "pretraining")
    return report


def _draw(course: _Course) -> None:
    drawn(
        SynthOptions(
            out=course.data,
            identities=course.options.identities,
            train_identities=course.training_people,
            images_per_camera=IMAGES_PER_CAMERA,
            domain=course.options.domain,
            height=HEIGHT,
            width=WIDTH,
            seed=DATA_SEED,
        )
    )
    link_few(course.data, course.few, course.labelled_people)


def _start(course: _Course, start: str, seed: int) -> Path:
    if start == "random":
        weights = course.work / f"random-{seed}.safetensors"
        if not weights.exists():
            size = f"{HEIGHT}x{WIDTH}"
            train("new", ARCHITECTURE, "--size", size, "--seed", seed, "-o", weights)
        return weights
    options = course.options
    out = course.work / f"{start}-{seed}"
    changes = [word for change in options.set for word in ("--set", change)]
    words = ("--method", start, "--recipe", options.recipe, "--seed", seed, "--amp", options.amp)
    pool = course.data / "bounding_box_train"
    train("pretrain", pool, *words, *changes, "-o", out, *going_on(out))
    return out / "model.safetensors"


def _fine_tuned(course: _Course, weights: Path, name: str, epochs: int) -> Path:
    out = course.work / f"{name}-fine-tuned-{epochs}"
    seed, length = name.rpartition("-")[2], f"schedule.epochs={epochs}"
    words = ("--recipe", FEW_LABELS_RECIPE, "--set", length, "--seed", seed)
    train(
        "finetune", weights, "--data", course.few, *words, "--amp", course.options.amp,
        "--no-evaluate", "-o", out, *going_on(out),
    )  # fmt: skip
    return out / "model.safetensors"


def _mean_ap(course: _Course, weights: Path) -> float:
    """Scored once: the file beside the weights remembers it."""
    kept = weights.with_suffix(".scores.json")
    if not kept.exists():
        report = evaluate(EvaluateOptions(weights=str(weights), data=course.data, batch=64))
        write_atomically(kept, json.dumps(report.facts["scores"]))
    return float(json.loads(kept.read_text(encoding="utf-8"))["mean_ap"])


def _report(
    options: PretrainingOptions, setting: Setting, course: _Course, scores: Scores
) -> Report:
    percent = {key: [100 * value for value in values] for key, values in scores.items()}
    return Report(
        kind="pretraining",
        title="What pre-training is worth on synthetic pedestrians",
        command=reproducing(COMMAND, options),
        setting=setting,
        facts={
            "training_people": course.training_people,
            "labelled_people": course.labelled_people,
            "seeds": list(range(1, options.seeds + 1)),
            "mean_ap": {f"{start}, {how}": values for (start, how), values in scores.items()},
        },
        tables=(_levels(percent), _gains(percent)),
        notes=(
            f"mAP on people who were in no training; {course.labelled_people} of "
            f"{course.training_people} training people have labels when fine-tuning",
            f"fine-tuning with the recipe {FEW_LABELS_RECIPE}, the same for every start",
            interval_note(options.seeds) + "; differences are paired",
            "synthetic pedestrians are not people",
        ),
    )


def _levels(percent: Scores) -> Table:
    rows = tuple((start, *(spread_text(percent[start, how]) for how in JUDGED)) for start in STARTS)
    return Table("mAP in percent", ("start", *COLUMNS), rows)


def _gains(percent: Scores) -> Table:
    pairs = (("dino", "random"), ("personvit", "random"), ("personvit", "dino"))
    rows = tuple(
        (f"{one} over {other}", *(_gain(percent[one, how], percent[other, how]) for how in JUDGED))
        for one, other in pairs
    )
    return Table("points of mAP gained", ("", *COLUMNS), rows)


def _gain(ours: Sequence[float], theirs: Sequence[float]) -> str:
    return spread_text([a - b for a, b in zip(ours, theirs, strict=True)])
