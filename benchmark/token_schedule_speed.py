"""`personvit-benchmark schedule`: what dropping patches on the way saves in the CPU engine."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..core.command import argument, option
from ..core.errors import ConfigError
from ..engines.base import Engine, EngineOptions
from ..engines.catalogue import open_engine
from .latency import Latency, race
from .report import Report, Setting, Table, reproducing

COMMAND = "personvit-benchmark schedule"
BATCHES = (1, 8)
PLAIN, NARROW = "all tokens", "token schedule"
TARGET = 1.2


@dataclass(frozen=True)
class ScheduleSpeedOptions:
    """Time two INT8 models of one width and depth in turns: with a token schedule, and without.

    Both are bundles or ONNX files. Random weights will do (docs/token-schedule.md shows how to
    make both): speed does not depend on them. Each is timed by the clock on the wall and by
    processor time, which other processes on the machine disturb less.

    Example: personvit-benchmark schedule narrow.onnx plain.onnx -o results
    """

    narrow: Path = argument("the model with a token schedule: a bundle, or an ONNX file")
    plain: Path = argument("the model that keeps all tokens: a bundle, or an ONNX file")
    runtime: str = option("openvino", "the engine")
    threads: int = option(2, "threads of each", low=1)
    rounds: int = option(40, "rounds, with three timed calls of each", low=1)
    out: Path | None = option(None, "A folder for the report.")


def schedule_speed(options: ScheduleSpeedOptions) -> Report:
    """Open both, time them in one interleaved run for each clock, hold the ratio to the target."""
    setting = Setting()
    with ExitStack() as stack:
        engines = {
            name: stack.enter_context(_opened(path, options))
            for name, path in ((PLAIN, options.plain), (NARROW, options.narrow))
        }
        crops = _crops(engines, max(BATCHES))
        calls = {name: engine.embed for name, engine in engines.items()}
        batches = {size: crops[:size] for size in BATCHES}
        found = {
            "wall": race(calls, batches, baseline=PLAIN, rounds=options.rounds),
            "processor": race(
                calls, batches, baseline=PLAIN, rounds=options.rounds, wall=time.process_time
            ),
        }
        how = {name: engine.info().as_text() for name, engine in engines.items()}
    report = _report(options, setting, found, how)
    if options.out is not None:
        report.write(options.out, "token_schedule")
    return report


def _opened(path: Path, options: ScheduleSpeedOptions) -> Engine:
    settings = EngineOptions(precision="int8", threads=options.threads, batch=max(BATCHES))
    return open_engine(str(path), options.runtime, settings)


def _crops(
    engines: dict[str, Engine], count: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    sizes = {(one.preprocess.height, one.preprocess.width) for one in engines.values()}
    if len(sizes) != 1:
        raise ConfigError(f"the two models take crops of different sizes: {sorted(sizes)}")
    shape = (count, *sizes.pop(), 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _report(
    options: ScheduleSpeedOptions,
    setting: Setting,
    found: dict[str, Latency],
    how: dict[str, str],
) -> Report:
    ratios = [
        {"clock": clock, **asdict(each), "target": TARGET, "kept": each.median >= TARGET}
        for clock, latency in found.items()
        for each in latency.speedups
    ]
    rows = tuple(
        (
            *(str(row["clock"]), str(row["batch"]), f"{row['median']:.2f}"),
            f"{row['low']:.2f} to {row['high']:.2f}",
            f">= {TARGET}",
            "kept" if row["kept"] else "missed",
        )
        for row in ratios
    )
    columns = ("clock", "batch", "times faster", "10 % to 90 %", "target", "")
    times = {clock: latency.as_json()["milliseconds"] for clock, latency in found.items()}
    return Report(
        kind="token-schedule-speed",
        title=f"Token schedule in {options.runtime}, INT8",
        command=reproducing(COMMAND, options),
        setting=setting,
        facts={"threads": options.threads, "ratios": ratios, "milliseconds": times, "how": how},
        tables=(Table(f"{NARROW} over {PLAIN}, {options.threads} threads", columns, rows),),
        notes=(
            *(f"{name}: {text}" for name, text in how.items()),
            "a ratio is the median over the rounds; with random weights this is speed only",
            f"load average after {found['processor'].load_after}",
        ),
    )
