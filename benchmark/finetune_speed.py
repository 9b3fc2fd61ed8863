"""`personvit-benchmark finetune`: our fine-tuning loop against the official one, step by step.

Each contender runs in a process of its own, one after the other, round after round, on the same
crops, model, batch and number of threads. A step is what passes between two batches.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import click

from ..core.command import option
from ..core.errors import ConfigError, EnvironmentMismatch
from ..core.machine import usable_cores
from .report import Report, Setting, Table, reproducing

COMMAND = "personvit-benchmark finetune"
PEER_CONFIG = "configs/market/vit_small.yml"
CAMERAS, SHOTS, CROPS_PER_GROUP = 6, 4, 4
Seconds = list[float]


@dataclass(frozen=True)
class FinetuneSpeedOptions:
    """Time fine-tuning steps of ViT-S at 256x128: ours in float32 and bf16, and the official loop.

    Give the peer's checkout; without it only ours is timed. Data is synthetic. The first step of
    every run is left out, and a round's ratio compares medians of that round only.

    Example: personvit-benchmark finetune --peer personvit=/src/PersonViT -o benchmark/results
    """

    peer: str | None = option(None, "personvit=FOLDER: a checkout of hustvl/PersonViT.")
    batch: int = option(64, "Crops per step, 4 of each identity.", low=8)
    steps: int = option(5, "Timed steps per run.", low=2)
    rounds: int = option(2, "How often each contender runs.", low=1)
    threads: int = option(0, "Threads of PyTorch; 0 is one per processor.", low=0)
    out: Path | None = option(None, "A folder for the report.")


@dataclass(frozen=True)
class Course:
    """What every contender runs over."""

    root: Path
    batch: int
    steps: int
    threads: int

    @property
    def data(self) -> Path:
        return self.root / "market1501"  # the folder name that the peer insists on


def finetune_speed(options: FinetuneSpeedOptions) -> Report:
    """Run the contenders in turn and report crops per second and the ratios of each round."""
    setting = Setting()
    if options.batch % CROPS_PER_GROUP:
        raise ConfigError(f"--batch must be a multiple of {CROPS_PER_GROUP}, not {options.batch}")
    contenders = _contenders(options.peer)
    with tempfile.TemporaryDirectory() as folder:
        threads = options.threads or usable_cores()
        course = Course(Path(folder), options.batch, options.steps + 1, threads)
        _draw(course)
        timed: dict[str, list[Seconds]] = {name: [] for name in contenders}
        turns = [(name, number) for number in range(options.rounds) for name in contenders]
        with click.progressbar(turns, label="fine-tuning", file=sys.stderr) as bar:
            for name, _ in bar:
                timed[name].append(contenders[name](course)[1:])
    report = _report(options, setting, timed, threads)
    if options.out is not None:
        report.write(options.out, "finetune_speed")
    return report


def _contenders(peer: str | None) -> dict[str, Callable[[Course], Seconds]]:
    ours: dict[str, Callable[[Course], Seconds]] = {
        "ours float32": lambda course: _ours(course, "off"),
        "ours bf16": lambda course: _ours(course, "bf16"),
    }
    if peer is None:
        return ours
    name, equals, place = peer.partition("=")
    checkout = Path(place)
    if name != "personvit" or not equals:
        raise ConfigError(f"--peer takes personvit=FOLDER, not {peer!r}")
    if not (checkout / "transreid_pytorch" / PEER_CONFIG).is_file():
        raise ConfigError(f"{checkout} is no checkout of hustvl/PersonViT: it lacks {PEER_CONFIG}")
    return {"PersonViT float32": lambda course: _peer(course, checkout.resolve()), **ours}


def _draw(course: Course) -> None:
    """As many crops as make `steps` full batches for identity sampling."""
    from ..core.data.synth import SynthOptions, synth

    people = course.batch // CROPS_PER_GROUP
    groups = CAMERAS * SHOTS // CROPS_PER_GROUP
    training = people * -(-course.steps // groups)
    synth(
        SynthOptions(
            out=course.data,
            identities=training + 2,
            train_identities=training,
            cameras=CAMERAS,
            images_per_camera=SHOTS,
        )
    )


def _ours(course: Course, amp: str) -> Seconds:
    out = course.root / f"ours-{amp}"
    people = course.batch // CROPS_PER_GROUP
    changes = [f"batch.identities={people}", f"batch.images={CROPS_PER_GROUP}"]
    changes += ["schedule.epochs=1", "schedule.warmup_epochs=1"]
    words = ["finetune", "vit_small_16", "--data", str(course.data), "--recipe", "personvit"]
    words += [word for change in changes for word in ("--set", change)]
    words += ["-o", str(out), "--amp", amp, "--device", "cpu", "--log-every", "1", "--no-evaluate"]
    _run([str(Path(sys.executable).with_name("personvit-train")), *words], course)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    ends = [0.0] + [line["seconds"] for line in lines if "seconds" in line]
    for path in sorted(out.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    out.rmdir()
    return [after - before for before, after in pairwise(ends)][: course.steps]


def _peer(course: Course, checkout: Path) -> Seconds:
    words = ["MODEL.PRETRAIN_CHOICE", "none", "SOLVER.IMS_PER_BATCH", str(course.batch)]
    words += ["SOLVER.MAX_EPOCHS", "1", "SOLVER.EVAL_PERIOD", "2", "SOLVER.CHECKPOINT_PERIOD", "2"]
    # Its own 8 loading processes would crowd a small machine: it gets as many as there are cores.
    words += ["DATALOADER.NUM_WORKERS", str(course.threads)]
    module = f"{__package__}.finetune_peer"
    fixed = [str(checkout), str(course.root), PEER_CONFIG, str(course.steps)]
    said = _run([sys.executable, "-m", module, *fixed, *words], course)
    seconds: Seconds = json.loads(said.splitlines()[-1])["seconds"]
    return seconds


def _run(words: list[str], course: Course) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": str(course.threads)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise EnvironmentMismatch(
            f"this contender failed: {' '.join(words)}\n{done.stderr.strip()[-2000:]}"
        )
    return done.stdout


def _report(
    options: FinetuneSpeedOptions, setting: Setting, timed: dict[str, list[Seconds]], threads: int
) -> Report:
    speeds = {
        name: [options.batch / median(seconds) for seconds in rounds]
        for name, rounds in timed.items()
    }
    base = next(iter(speeds))
    ratios = {
        name: [mine / its for mine, its in zip(values, speeds[base], strict=True)]
        for name, values in speeds.items()
    }
    rows = tuple(
        (name, f"{median(speeds[name]):.2f}", f"{median(ratios[name]):.3f}", _each(ratios[name]))
        for name in speeds
    )
    return Report(
        kind="finetune-speed",
        title="Fine-tuning ViT-S/16 at 256x128 on a CPU",
        command=reproducing(COMMAND, options),
        setting=setting,
        facts={
            "threads": threads,
            "batch": options.batch,
            "step_seconds": timed,
            "crops_per_second": speeds,
            f"ratio_to_{base}": ratios,
        },
        tables=(
            Table(
                f"Crops per second and ratio to {base}",
                ("loop", "crops/s", "ratio", "ratio of each round"),
                rows,
            ),
        ),
        notes=("Steps include loading and augmentation; the first step of a run is left out.",),
    )


def _each(values: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)
