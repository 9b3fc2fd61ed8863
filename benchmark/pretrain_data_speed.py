"""`personvit-benchmark pretrain-data`: the pre-training loader, the step it feeds, and a peer.

Each contender runs in a process of its own, one after the other, round after round, on the same
crops with the same views. The peer is torchvision's DataLoader with DINO's transforms.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click

from ..core.command import option
from ..core.errors import EnvironmentMismatch
from ..core.machine import usable_cores
from .report import Report, Setting, Table, reproducing

COMMAND = "personvit-benchmark pretrain-data"
PEER = "torchvision"
VIEWS = {
    "height": 256,
    "width": 128,
    "local_height": 128,
    "local_width": 64,
    "local_count": 8,
    "global_scale": (0.4, 1.0),
    "local_scale": (0.1, 0.8),
    "ratio": (0.375, 2 / 3),
}
SPEED, THRIFT = "images_per_second", "images_per_processor_second"
PEOPLE = 40

Found = dict[str, float]


@dataclass(frozen=True)
class PretrainDataOptions:
    """Time loading and augmentation for pre-training: ours in both forms, torchvision, the step.

    2 global crops of 256x128 and 8 local ones of 128x64 of every image. Beside the clock stand
    the processors' seconds, which say more on a machine that others use too.

    Example: personvit-benchmark pretrain-data --pool /data/crops -o benchmark/results
    """

    pool: Path | None = option(None, "A folder of JPEG crops; else pedestrians are drawn.")
    batch: int = option(16, "Images per batch.", low=1)
    images: int = option(320, "Images per run.", low=32)
    steps: int = option(3, "Steps per run of the network; 0 leaves it out.", low=0)
    rounds: int = option(3, "How often each contender runs.", low=1)
    workers: int = option(0, "Threads or processes; 0 is one per processor.", low=0)
    out: Path | None = option(None, "A folder for the report.")


def pretrain_data_speed(options: PretrainDataOptions) -> Report:
    """Run the contenders in turn and report the ratios of each round."""
    setting = Setting()
    workers = options.workers or usable_cores()
    with tempfile.TemporaryDirectory() as folder:
        crops = options.pool or _drawn(Path(folder) / "people")
        contenders = _contenders(options, crops.resolve(), workers)
        found: dict[str, list[Found]] = {name: [] for name in contenders}
        turns = [name for _ in range(options.rounds) for name in contenders]
        with click.progressbar(turns, label="pre-training data", file=sys.stderr) as bar:
            for name in bar:
                found[name].append(contenders[name]())
    report = _report(options, setting, found, workers)
    if options.out is not None:
        report.write(options.out, "pretrain_data_speed")
    return report


def _drawn(out: Path) -> Path:
    from ..core.data.synth import SynthOptions, synth

    synth(SynthOptions(out=out, identities=PEOPLE, train_identities=PEOPLE - 1))
    return out / "bounding_box_train"


def _contenders(
    options: PretrainDataOptions, crops: Path, workers: int
) -> dict[str, Callable[[], Found]]:
    course = {"batch": options.batch, "images": options.images, "workers": workers}
    ours = "personvit.train.pretrain.loader_timer"
    few = max(options.images // 8, 3 * options.batch)  # it takes many times longer per image
    peer = "personvit.benchmark.pretrain_data_peer"

    def run(module: str, **words: Any) -> Callable[[], Found]:
        return lambda: _run(module, {**course, **words}, 1)

    contenders = {
        PEER: run(peer, folder=str(crops), **VIEWS),
        "ours": run(ours, pool=str(crops), set=_recipe()),
        "ours in batch": run(ours, pool=str(crops), set=_recipe(), on_device=True, images=few),
    }
    if options.steps:
        contenders |= {f"step {amp}": partial(_step, options, amp) for amp in ("off", "bf16")}
    return contenders


def _recipe() -> list[str]:
    """The same views as the peer's, whatever the recipe comes to say."""
    inputs = ("height", "width")
    changes = [f"input.{name}={VIEWS[name]}" for name in inputs]
    for name, value in VIEWS.items():
        text = f"[{value[0]}, {value[1]}]" if isinstance(value, tuple) else str(value)
        changes += [f"views.{name}={text}"] * (name not in inputs)
    return changes


def _step(options: PretrainDataOptions, amp: str) -> Found:
    """What the network takes: the first step is left out."""
    words = {"batch": options.batch, "steps": options.steps + 1, "amp": amp, "set": _recipe()}
    said = _run("personvit.train.pretrain.step_timer", words, usable_cores())
    return {
        SPEED: options.batch / median(said["seconds"][1:]),
        THRIFT: options.batch / median(said["processor_seconds"][1:]),
    }


def _run(module: str, words: dict[str, Any], threads: int) -> dict[str, Any]:
    command = [sys.executable, "-m", module, json.dumps(words)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise EnvironmentMismatch(
            f"this contender failed: {' '.join(command)}\n{done.stderr.strip()[-2000:]}"
        )
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def _report(
    options: PretrainDataOptions, setting: Setting, found: dict[str, list[Found]], workers: int
) -> Report:
    tables: list[Table] = []
    facts: dict[str, Any] = {}
    for measure, title in ((SPEED, "Images per second"), (THRIFT, "Images per processor second")):
        values = {name: [each[measure] for each in rounds] for name, rounds in found.items()}
        ratios = {
            name: [mine / its for mine, its in zip(each, values[PEER], strict=True)]
            for name, each in values.items()
        }
        facts |= {measure: values, f"{measure}_ratio_to_{PEER}": ratios}
        rows = tuple(
            (name, f"{median(each):.1f}", f"{median(ratios[name]):.2f}", _each(ratios[name]))
            for name, each in values.items()
        )
        columns = ("what", "images", f"ratio to {PEER}", "ratio of each round")
        tables.append(Table(f"{title}, {workers} workers", columns, rows))
    facts |= _margin(found)
    return Report(
        kind="pretrain-data-speed",
        title="Loading for pre-training: 2 crops of 256x128 and 8 of 128x64 per image, on a CPU",
        command=reproducing(COMMAND, options),
        setting=setting,
        facts={"workers": workers, "batch": options.batch, "images": options.images, **facts},
        tables=tuple(tables),
        notes=(
            "`ours` makes each view in the thread that read the image; `ours in batch` makes all "
            "views of a batch at once, as on a GPU, here on the processor.",
            "A step is one of ViT-S by the recipe `personvit-small`, without loading.",
        ),
    )


def _margin(found: dict[str, list[Found]]) -> dict[str, Any]:
    """How many times faster ours is, measured on its own, than what a step consumes."""
    steps = [name for name in found if name.startswith("step")]
    return {
        f"ours_by_{name.replace(' ', '_')}": [
            ours[SPEED] / step[SPEED] for ours, step in zip(found["ours"], found[name], strict=True)
        ]
        for name in steps
    }


def _each(values: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)
