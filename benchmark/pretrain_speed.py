"""`personvit-benchmark pretrain`: a step of our pre-training against iBOT's published loop.

Each contender runs in a process of its own, one after the other, round after round: the same
network, crops of the same sizes, batch and threads. Loading is not part of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click

from ..core.command import option
from ..core.errors import ConfigError, EnvironmentMismatch
from ..core.machine import usable_cores
from .report import Report, Setting, Table, reproducing

COMMAND = "personvit-benchmark pretrain"
NEEDED = "main_ibot.py"
SHAPE = {"width": 384, "depth": 12, "global": [256, 128], "local": [128, 64]}
MIB = 1 << 20

Found = dict[str, Any]


@dataclass(frozen=True)
class PretrainSpeedOptions:
    """Time pre-training steps of ViT-S, 2 global crops of 256x128 and local ones of 128x64.

    Give the peer's checkout; without it only ours is timed. Pixels are random. The first step of
    every run is left out, and a round's ratio compares medians of that round only. Beside the
    clock stands the processors' time, which says more on a machine that others use too.

    Example: personvit-benchmark pretrain --peer ibot=/src/ibot -o benchmark/results
    """

    peer: str | None = option(None, "ibot=FOLDER: a checkout of bytedance/ibot.")
    batch: int = option(16, "Images per step.", low=1)
    locals: int = option(8, "Local crops of each image.", low=1)
    steps: int = option(2, "Timed steps per run.", low=1)
    rounds: int = option(3, "How often each contender runs.", low=1)
    threads: int = option(0, "Threads of PyTorch; 0 is one per processor.", low=0)
    compile: bool = option(False, "Run ours with --compile too.")
    out: Path | None = option(None, "A folder for the report.")


def pretrain_speed(options: PretrainSpeedOptions) -> Report:
    """Run the contenders in turn; report the ratios of each round and the memory."""
    setting = Setting()
    contenders = _contenders(options)
    threads = options.threads or usable_cores()
    found: dict[str, list[Found]] = {name: [] for name in contenders}
    turns = [name for _ in range(options.rounds) for name in contenders]
    with click.progressbar(turns, label="pre-training", file=sys.stderr) as bar:
        for name in bar:
            found[name].append(contenders[name](threads))
    report = _report(options, setting, found, threads)
    if options.out is not None:
        report.write(options.out, "pretrain_speed")
    return report


def _contenders(options: PretrainSpeedOptions) -> dict[str, Callable[[int], Found]]:
    ours: dict[str, dict[str, Any]] = {"ours float32": {"amp": "off"}, "ours bf16": {"amp": "bf16"}}
    if options.compile:
        ours |= {f"{name} compiled": {**words, "compile": True} for name, words in ours.items()}
    contenders: dict[str, Callable[[int], Found]] = {
        name: _ours(options, words) for name, words in ours.items()
    }
    if options.peer is None:
        return contenders
    name, equals, place = options.peer.partition("=")
    checkout = Path(place).resolve()
    if name != "ibot" or not equals:
        raise ConfigError(f"--peer takes ibot=FOLDER, not {options.peer!r}")
    if not (checkout / NEEDED).is_file():
        raise ConfigError(f"{checkout} is no checkout of bytedance/ibot: it lacks {NEEDED}")
    return {"iBOT float32": _peer(options, checkout), **contenders}


def _ours(options: PretrainSpeedOptions, words: dict[str, Any]) -> Callable[[int], Found]:
    course = {
        "recipe": "personvit-small",
        "set": [f"views.local_count={options.locals}"],
        "batch": options.batch,
        "steps": options.steps + 1,
        **words,
    }
    # By name: this room knows training only as a program that it starts.
    module = f"{__package__.rpartition('.')[0]}.train.pretrain.step_timer"
    return lambda threads: _run([module, json.dumps(course)], threads)


def _peer(options: PretrainSpeedOptions, checkout: Path) -> Callable[[int], Found]:
    course = {
        **SHAPE,
        "batch": options.batch,
        "locals": options.locals,
        "steps": options.steps + 1,
    }
    module = f"{__package__}.pretrain_peer"
    return lambda threads: _run([module, str(checkout), json.dumps(course)], threads)


def _run(words: Sequence[str], threads: int) -> Found:
    command = [sys.executable, "-W", "ignore", "-m", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise EnvironmentMismatch(
            f"this contender failed: {' '.join(command)}\n{done.stderr.strip()[-2000:]}"
        )
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def _report(
    options: PretrainSpeedOptions, setting: Setting, found: dict[str, list[Found]], threads: int
) -> Report:
    base = next(iter(found))
    clock = {name: _medians(runs, "seconds") for name, runs in found.items()}
    processor = {name: _medians(runs, "processor_seconds") for name, runs in found.items()}
    memory = {name: [run["bytes_at_most"] / MIB for run in runs] for name, runs in found.items()}
    faster = {name: _ratios(clock[base], values) for name, values in clock.items()}
    leaner = {name: _ratios(processor[base], values) for name, values in processor.items()}
    rows = tuple(
        (
            name,
            f"{median(clock[name]):.2f}",
            f"{median(faster[name]):.2f} ({_each(faster[name])})",
            f"{median(leaner[name]):.2f} ({_each(leaner[name])})",
            f"{max(memory[name]):.0f}",
        )
        for name in found
    )
    columns = ("loop", "seconds a step", "faster", "by processor time", "MiB at most")
    return Report(
        kind="pretrain-speed",
        title="A step of pre-training ViT-S/16 on a CPU",
        command=reproducing(COMMAND, options),
        setting=setting,
        facts={
            "threads": threads,
            "batch": options.batch,
            "runs": found,
            f"faster_than_{base}": faster,
            f"faster_than_{base}_by_processor_time": leaner,
            "mebibytes_at_most": memory,
        },
        tables=(Table(f"Against {base}, median and each round", columns, rows),),
        notes=(
            f"{options.batch} images a step, each as 2 global crops of 256x128 and "
            f"{options.locals} local ones of 128x64; loading is left out, and the first step too.",
            "Memory is the whole process's, the libraries included.",
        ),
    )


def _medians(runs: list[Found], name: str) -> list[float]:
    return [median(run[name][1:]) for run in runs]


def _ratios(base: list[float], own: list[float]) -> list[float]:
    return [its / mine for its, mine in zip(base, own, strict=True)]


def _each(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)
