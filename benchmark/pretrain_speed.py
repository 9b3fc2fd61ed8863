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
from typing import Any, Literal

import click

from ..core.command import CommandGroup, option
from ..core.errors import ConfigError, EnvironmentMismatch
from ..core.machine import usable_cores
from .gpu_bench import device_here, slug
from .pretrain_speed_report import Course, Found, speed_report
from .report import Report, Setting, reproducing
from .utilisation import card_of

COMMAND = "personvit-benchmark pretrain"
NEEDED = "main_ibot.py"
SHAPE = {"width": 384, "depth": 12, "global": [256, 128], "local": [128, 64]}


@dataclass(frozen=True)
class PretrainSpeedOptions:
    """Time pre-training steps of ViT-S, 2 global crops of 256x128 and local ones of 128x64.

    Give the peer's checkout; without it only ours is timed. Pixels are random. The first step of
    every run is left out, and a round's ratio compares medians of that round only. On a CPU the
    processors' time stands beside the clock, which says more on a machine that others use too; on a
    GPU the images per second, and how much of the card's peak in half precision the step uses.

    Example: personvit-benchmark pretrain --peer ibot=/src/ibot -o benchmark/results
    """

    peer: str | None = option(None, "ibot=FOLDER: a checkout of bytedance/ibot.")
    batch: int = option(16, "Images per step.", low=1)
    locals: int = option(8, "Local crops of each image.", low=1)
    steps: int = option(2, "Timed steps per run.", low=1)
    rounds: int = option(3, "How often each contender runs.", low=1)
    threads: int = option(0, "Threads of PyTorch; 0 is one per processor.", low=0)
    compile: bool = option(False, "Run ours with --compile too.")
    device: Literal["cpu", "cuda"] = option("cpu", "Where to run.")
    peak: float = option(
        0.0, "T operations per second of the card, dense, in bfloat16; 0 is by its name.", low=0
    )
    out: Path | None = option(None, "A folder for the report.")


def pretrain_speed(options: PretrainSpeedOptions) -> Report:
    """Run the contenders in turn; report the ratios of each round and the memory."""
    setting = Setting()
    contenders = _contenders(options)
    card = None
    if options.device == "cuda":
        card = card_of(device_here(options.device), options.peak)
    threads = options.threads or usable_cores()
    found: dict[str, list[Found]] = {name: [] for name in contenders}
    turns = [name for _ in range(options.rounds) for name in contenders]
    with click.progressbar(turns, label="pre-training", file=sys.stderr) as bar:
        for name in bar:
            found[name].append(contenders[name](threads))
    report = speed_report(
        reproducing(COMMAND, options),
        setting,
        Course(options.batch, options.locals, threads),
        found,
        card,
    )
    if options.out is not None:
        name = "pretrain_speed" if card is None else f"pretrain_speed_{slug(card.name)}"
        report.write(options.out, name)
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
    peers = {"iBOT float32": _peer(options, checkout, fp16=False)}
    if options.device == "cuda":
        # As it was published to run; on a CPU it cannot.
        peers["iBOT fp16"] = _peer(options, checkout, fp16=True)
    return {**peers, **contenders}


def _ours(options: PretrainSpeedOptions, words: dict[str, Any]) -> Callable[[int], Found]:
    course = {
        "recipe": "personvit-small",
        "set": [f"views.local_count={options.locals}"],
        "batch": options.batch,
        "steps": options.steps + 1,
        "device": options.device,
        **words,
    }
    # By name: this room knows training only as a program that it starts.
    module = f"{__package__.rpartition('.')[0]}.train.pretrain.step_timer"
    return lambda threads: _run([module, json.dumps(course)], threads)


def _peer(options: PretrainSpeedOptions, checkout: Path, fp16: bool) -> Callable[[int], Found]:
    course = {
        **SHAPE,
        "batch": options.batch,
        "locals": options.locals,
        "steps": options.steps + 1,
        "device": options.device,
        "fp16": fp16,
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


if __name__ == "__main__":
    main = CommandGroup("pretrain-speed", "Time steps of pre-training.")
    main.command("pretrain", PretrainSpeedOptions, default=True)(pretrain_speed)
    main()
