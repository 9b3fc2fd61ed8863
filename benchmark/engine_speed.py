"""`personvit-benchmark engines`: the CPU engines against plain runtimes, a peer and the floor."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.command import argument, option
from ..core.errors import ConfigError
from .engine_contenders import Case, Contender, contenders, int8_products, worst_cosines
from .engine_targets import ORT_FULL, Judged, judged, pairs_of
from .int8_floor import Product, counted
from .latency import Latency, race
from .report import Report, Setting, Table, reproducing

COMMAND = "personvit-benchmark engines"
BATCHES = (1, 8)


@dataclass(frozen=True)
class EngineSpeedOptions:
    """Time the CPU engines of one model in turns, at batch 1 and 8.

    INT8 and FP32 are bundles or ONNX files made of the same weights; random ones will do, for
    speed does not depend on them (docs/engines.md shows how to make both). NNCF quantises the FP32
    graph in its own interpreter, named by --peer, before the clock starts.

    Example: personvit-benchmark engines int8.pvb fp32.pvb --peer nncf=/venv/bin/python -o results
    """

    int8: Path = argument("our INT8 graph: a bundle, or an ONNX file")
    fp32: Path = argument("the FP32 graph of the same weights: a bundle, or an ONNX file")
    peer: str | None = option(None, "nncf=PYTHON: an interpreter that has NNCF.")
    calibration_crops: int = option(512, "Crops that the peer calibrates with.", low=1)
    threads: int = option(2, "Threads of each contender.", low=1)
    rounds: int = option(40, "Rounds, with three timed calls of each contender.", low=1)
    work: Path | None = option(None, "A folder that keeps NNCF's model for the next run.")
    out: Path | None = option(None, "A folder for the report.")


@dataclass(frozen=True)
class Run:
    """What was timed, and what came of it."""

    size: str
    contenders: Mapping[str, Contender]
    cosines: Mapping[str, float]
    products: Sequence[Product]
    latency: Latency

    @property
    def operations(self) -> int:
        return sum(product.operations for product in self.products)


def engine_speed(options: EngineSpeedOptions) -> Report:
    """Prepare everyone, time them in one interleaved run, and hold the ratios to the targets."""
    setting = Setting()
    nncf = interpreter(options.peer)
    with _folder(options.work) as folder:
        case = Case(
            *(options.int8, options.fp32, options.threads, BATCHES, folder),
            options.calibration_crops,
        )
        with contenders(case, nncf) as found:
            crops = case.crops(max(BATCHES))
            run = Run(
                size=f"crops of {crops.shape[1]}x{crops.shape[2]}",
                contenders=found,
                cosines=worst_cosines(found, crops, BATCHES),
                products=int8_products(case),
                latency=race(
                    {name: one.call for name, one in found.items()},
                    {size: crops[:size] for size in BATCHES},
                    baseline=ORT_FULL,
                    pairs=pairs_of(found),
                    rounds=options.rounds,
                ),
            )
            report = _report(options, setting, run)
    if options.out is not None:
        report.write(options.out, "engines")
    return report


def interpreter(peer: str | None) -> Path | None:
    """From nncf=PYTHON, the one peer there is."""
    if peer is None:
        return None
    name, _, place = peer.partition("=")
    if name != "nncf" or not place:
        raise ConfigError(f"--peer takes nncf=PYTHON, not {peer!r}")
    if not Path(place).is_file():
        raise ConfigError(
            f"--peer {peer}: there is no interpreter; make one with "
            "'python3 -m venv FOLDER' and 'FOLDER/bin/pip install nncf openvino onnx'"
        )
    # Not resolved: an interpreter knows its environment by the path it is called by.
    return Path(place).absolute()


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _report(options: EngineSpeedOptions, setting: Setting, run: Run) -> Report:
    targets = judged(run.latency)
    known = {
        name: {"how": one.how, "worst_cosine_to_fp32": run.cosines.get(name), **one.facts}
        for name, one in run.contenders.items()
    }
    times = run.latency.as_json()
    facts: dict[str, Any] = {
        "threads": options.threads,
        "rounds": options.rounds,
        "load_average_after": run.latency.load_after,
        "targets": [each.as_json() for each in targets],
        "floor": {
            "products_per_crop": counted(run.products),
            "operations_per_crop": run.operations,
        },
        "milliseconds": times["milliseconds"],
        "speedups": times["speedups"],
        "contenders": known,
    }
    return Report(
        kind="engine-speed",
        title=f"CPU engines, {run.size}",
        command=reproducing(COMMAND, options),
        setting=setting,
        facts=facts,
        tables=(_targets(targets), _times(run.latency, options.threads)),
        notes=_notes(run),
    )


def _notes(run: Run) -> tuple[str, ...]:
    return (
        *(f"{name}: {one.how}" for name, one in run.contenders.items()),
        f"the floor is {len(run.products)} products, {run.operations / 1e9:.2f} G operations per "
        "crop; benchmark/int8_floor.py defines it",
        "input of every contender: uint8 crops of noise, normalised in its graph",
        "a ratio is the median over the rounds, with the 10th and 90th percentile; the median "
        "meets or misses the target",
        "with random weights this shows speed only, never accuracy",
        f"load average after {run.latency.load_after}",
    )


def _targets(targets: Sequence[Judged]) -> Table:
    columns = ("ratio", "batch", "median", "10 % to 90 %", "target", "")
    return Table("Targets", columns, tuple(each.as_row() for each in targets))


def _times(latency: Latency, threads: int) -> Table:
    faster = {
        (each.name, each.batch): f"{each.median:.2f}"
        for each in latency.speedups
        if each.over == latency.baseline
    }
    rows = tuple(
        (
            *(each.name, str(each.batch), f"{each.per_crop:.2f}", f"{each.p90 / each.batch:.2f}"),
            f"{each.cpu / each.batch:.2f}",
            faster.get((each.name, each.batch), "1.00"),
        )
        for each in latency.timings
    )
    columns = ("engine", "batch", "ms per crop", "p90", "CPU ms", f"x {latency.baseline}")
    return Table(f"Times of one interleaved run, {threads} threads", columns, rows)
