"""`personvit-benchmark gpu`: our models on this machine's GPU, by everyone who can run here."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..core.command import CommandGroup, option
from ..core.errors import ConfigError, EnvironmentMismatch
from ..engines.device_facts import read_device
from .gpu_entrants import BASELINE, ENTRANTS, Case, Entrant, Opened
from .gpu_race import Clock, CudaClock, HostClock, Run, Timing, race
from .gpu_report import Energies, Measured, gpu_report
from .gpu_watch import GpuWatch, Watched
from .report import Report, Setting, reproducing

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMMAND = "personvit-benchmark gpu"
NO_GPU = (
    "no CUDA device answers to torch here; run this on a machine with an NVIDIA GPU, or rehearse "
    "with --device cpu"
)
ROUNDS, CALLS = 20, 3
PREPARING = 0.6
"""The part of a model's time after which nothing more is opened or compiled."""


@dataclass(frozen=True)
class GpuBenchOptions:
    """Time torch, ONNX Runtime, TensorRT and TensorRT-RTX in turns on the GPU of this machine.

    Weights are random: this shows speed, and nothing of accuracy. Whoever cannot run is listed with
    the reason. --device cpu rehearses the same run on a processor.

    Example: personvit-benchmark gpu -o benchmark/results --graphs graphs
    """

    out: Path | None = option(None, "A folder for the report, which is named after the GPU.")
    graphs: Path | None = option(None, "What export.speed_graphs wrote, for the ONNX runtimes.")
    models: str = option("vit_small_16,vit_base_16", "Architectures, by commas.")
    batches: str = option("1,8,32,128,256", "Batch sizes, by commas.")
    device: Literal["cuda", "cpu"] = option("cuda", "Where to run.")
    only: str | None = option(None, "Leave out whose name holds none of these words, by commas.")
    rounds: int = option(ROUNDS, "Rounds, with three timed calls of each.", low=1)
    minutes: float = option(8.0, "The time for everything; what does not fit is listed.", low=0.05)
    steady: float = option(1.0, "Seconds of steady work for energy and clocks; 0 for none.", low=0)


@dataclass
class Field:
    """Everyone for one model, and why some are not there."""

    case: Case
    opened: dict[str, Opened] = field(default_factory=dict)
    runs: dict[tuple[str, int], Run] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    answers: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    """To the crops of the smallest batch."""
    memory: dict[str, int] = field(default_factory=dict)

    def cosines(self) -> dict[str, float]:
        """Worst to FP32 of the same crops: a wrong graph would be fast for nothing."""
        reference = self.answers.get(BASELINE)
        if reference is None:
            return {}
        return {name: _worst_cosine(reference, made) for name, made in self.answers.items()}


def gpu_bench(options: GpuBenchOptions) -> Report:
    """Open everyone, time them in turns at each batch size, and say what the device did."""
    from ..core.models.registry import config_of

    batches = _whole_numbers(options.batches)
    models = [name.strip() for name in options.models.split(",") if name.strip()]
    configs = {name: config_of(name) for name in models}
    if not configs:
        raise ConfigError("no model is named; say --models vit_small_16")
    device = device_here(options.device)
    setting = Setting()
    measured: list[Measured] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, GpuWatch() as watch:
        for place, (model, config) in enumerate(configs.items(), 1):
            until = began + 60 * options.minutes * place / len(configs)
            case = Case(model, config, options.device, batches, options.graphs, Path(name))
            measured.append(_measure(case, options, until, watch))
    report = gpu_report(reproducing(COMMAND, options), setting, device, measured)
    if options.out is not None:
        report.write(options.out, slug(device["name"]))
    return report


def _measure(case: Case, options: GpuBenchOptions, until: float, watch: GpuWatch) -> Measured:
    with _entered(case, options.only, until) as found:
        clock: Clock = CudaClock() if case.device == "cuda" else HostClock()
        host = [each.name for each in ENTRANTS if each.scope == "host"]
        timings: dict[tuple[str, int], Timing] = {}
        left = _shares_of_time(until, len(case.batches))
        for batch, deadline in zip(case.batches, left, strict=True):
            runs = {name: run for (name, size), run in found.runs.items() if size == batch}
            timed = race(
                runs, clock, rounds=options.rounds, calls=CALLS, deadline=deadline, host=host
            )
            timings.update({(name, batch): timing for name, timing in timed.items()})
        energies = _energies(found, clock, options.steady, watch)
        how = {name: one.how for name, one in found.opened.items()}
        return Measured(
            case.model, case.config, timings, energies, found.absent, how, found.cosines(),
            found.memory,
        )  # fmt: skip


@contextmanager
def _entered(case: Case, only: str | None, until: float) -> Iterator[Field]:
    found = Field(case)
    words = [word.strip() for word in (only or "").split(",") if word.strip()]
    late = time.monotonic() + PREPARING * (until - time.monotonic())
    with ExitStack() as stack:
        for entrant in ENTRANTS:
            if words and not any(word in entrant.name for word in words):
                found.absent[entrant.name] = f"left out by --only {only}"
            elif time.monotonic() > late:
                found.absent[entrant.name] = "no time was left; give more with --minutes"
            else:
                _enter(entrant, found, stack, late)
        yield found


def _enter(entrant: Entrant, found: Field, stack: ExitStack, late: float) -> None:
    """Whatever a foreign library raises while it opens or first runs is why it takes no part."""
    name, before = entrant.name, _used_memory(found.case)
    try:
        opened = entrant.open(found.case)
        stack.callback(opened.close)
        found.answers[name] = opened.answer(min(found.case.batches))
    except Exception as problem:
        found.absent[name] = _reason(problem)
        return
    found.opened[name] = opened
    for batch in found.case.batches:
        try:
            if time.monotonic() > late:
                raise EnvironmentMismatch("no time was left; give more with --minutes")
            run = opened.prepare(batch)
            run()
        except Exception as problem:
            found.absent[f"{name}, batch {batch} and more"] = _reason(problem)
            break
        found.runs[name, batch] = run
    found.memory[name] = max(0, _used_memory(found.case) - before)


def _worst_cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    first, second = (each.astype(np.float64) for each in (one, other))
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float((np.einsum("nd,nd->n", first, second) / lengths).min())


def _energies(found: Field, clock: Clock, seconds: float, watch: GpuWatch) -> Energies:
    """Of steady work at the smallest and the largest batch; races are too short to see power."""
    energies: dict[tuple[str, int], tuple[Watched, int]] = {}
    if not seconds:
        return energies
    ends = {min(found.case.batches), max(found.case.batches)}
    for (name, batch), run in found.runs.items():
        if batch in ends:
            began, calls = time.monotonic(), 0
            while time.monotonic() < began + seconds:
                run()
                clock.wait()
                calls += 1
            seen = watch.since(began)
            if seen is not None:
                energies[name, batch] = (seen, calls * batch)
    return energies


def _shares_of_time(until: float, parts: int) -> list[float]:
    now = time.monotonic()
    left = max(until - now, 0.0)
    return [now + left * (place + 1) / parts for place in range(parts)]


def _used_memory(case: Case) -> int:
    if case.device != "cuda":
        return 0
    import torch

    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    return int(total - free)


def device_here(kind: str) -> dict[str, Any]:
    """The first GPU's facts, or an EnvironmentMismatch that there is none."""
    import torch

    if kind == "cpu":
        return {"name": "cpu", "kind": "cpu", "torch": torch.__version__}
    if not torch.cuda.is_available():
        raise EnvironmentMismatch(NO_GPU)
    facts, around = torch.cuda.get_device_properties(0), read_device()
    return {
        # Every Orin calls its GPU "Orin"; the module says which it is.
        "name": around.module or facts.name,
        "kind": "cuda",
        "capability": [facts.major, facts.minor],
        "memory": facts.total_memory,
        "multiprocessors": facts.multi_processor_count,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "driver": around.driver,
        "power_mode": around.power_mode,
    }


def _reason(problem: Exception) -> str:
    lines = str(problem).strip().splitlines() or [""]
    name = "" if isinstance(problem, EnvironmentMismatch) else f"{type(problem).__name__}: "
    return f"{name}{lines[0][:300]}"


def _whole_numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdigit() and int(part) for part in parts):
        raise ConfigError(f"batch sizes {text!r} are not whole numbers with commas, such as 1,8,32")
    return tuple(sorted({int(part) for part in parts}))


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


if __name__ == "__main__":
    main = CommandGroup("gpu-bench", "Time our models on the GPU of this machine.")
    main.command("gpu", GpuBenchOptions, default=True)(gpu_bench)
    main()
