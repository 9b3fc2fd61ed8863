"""`personvit-benchmark native`: what pv-bench measured, in one table with Python's engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core import strict_json
from ..core.command import argument, option
from ..core.errors import DataError
from ..core.machine import Machine
from .latency import Speedup, Timing
from .report import SCHEMA, Report, Setting, Table, reproducing

COMMAND = "personvit-benchmark native"
RUNTIMES = {"native-speed": "C++", "engine-speed": "Python"}
"""The kinds of reports, and whose times they hold."""


@dataclass(frozen=True)
class NativeOptions:
    """Put reports of pv-bench, and of personvit-benchmark engines, into one table.

    Nothing is timed here. Give JSON files of one machine: what was not timed in one run may differ
    by the load alone.

    Example: personvit-benchmark native speed.json benchmark/results/engines.json -o results
    """

    reports: tuple[Path, ...] = argument("Reports: JSON of 'pv-bench -o' and of 'engines'.")
    out: Path | None = option(None, "A folder for the report.")


@dataclass(frozen=True)
class Start:
    """Milliseconds from the start of the process."""

    open: float
    to_first_embedding: float


@dataclass(frozen=True)
class Memory:
    """Bytes."""

    resident: int
    peak: int


@dataclass(frozen=True)
class Measured:
    """One report."""

    file: str
    kind: str
    title: str
    command: str
    setting: Setting
    load_after: float | None
    timings: tuple[Timing, ...]
    speedups: tuple[Speedup, ...]
    engine: str
    start: Start | None
    memory: Memory | None

    @property
    def runtime(self) -> str:
        return RUNTIMES[self.kind]


def native_speed(options: NativeOptions) -> Report:
    measured = [read_report(path) for path in options.reports]
    report = Report(
        kind="speed",
        title="Engines of Python and of the native runtime",
        command=reproducing(COMMAND, options),
        setting=measured[0].setting,
        facts={"reports": [_facts(each) for each in measured]},
        tables=(_times(measured), *_starts(measured)),
        notes=_notes(measured),
    )
    if options.out is not None:
        report.write(options.out, "native")
    return report


def read_report(path: Path) -> Measured:
    try:
        return _measured(path.name, strict_json.parse(path.read_bytes()))
    except OSError as problem:
        raise DataError(f"{path}: cannot be read ({problem.strerror}); check the path") from problem
    except strict_json.DocumentError as problem:
        raise DataError(
            f"{path}: {problem}; give a report of 'pv-bench -o FILE' or of 'personvit-benchmark "
            "engines'"
        ) from problem


def _measured(file: str, document: object) -> Measured:
    if not isinstance(document, dict):
        raise strict_json.DocumentError("", "expected an object")
    known: Mapping[str, Any] = document

    def field(kind: Any, name: str) -> Any:
        if name not in known:
            raise strict_json.DocumentError("", f"lacks {name}")
        return strict_json.build(kind, known[name], name)

    if (schema := known.get("schema")) != SCHEMA:
        raise strict_json.DocumentError("schema", f"is {schema!r}, not {SCHEMA}")
    if (kind := known.get("kind")) not in RUNTIMES:
        raise strict_json.DocumentError("kind", f"{kind!r} is none of {', '.join(RUNTIMES)}")
    native = kind == "native-speed"
    machine = dict(field(Mapping[str, Any], "machine"))
    machine.pop("instruction_class", None)
    machine["python"] = machine.get("python") or "none"  # where the native runtime ran alone
    return Measured(
        file,
        kind,
        title=field(str, "title"),
        command=field(str, "command"),
        setting=Setting(
            strict_json.build(Machine, machine, "machine"),
            field(float | None, "load_average_before"),
            field(str, "date"),
        ),
        load_after=field(float | None, "load_average_after"),
        timings=field(tuple[Timing, ...], "milliseconds"),
        speedups=field(tuple[Speedup, ...], "speedups"),
        engine=_engine(field(Mapping[str, Any], "engine")) if native else "",
        start=field(Start, "start_ms") if native else None,
        memory=field(Memory, "memory_bytes") if native else None,
    )


def _engine(known: Mapping[str, Any]) -> str:
    return " ".join(str(known[name]) for name in ("runtime", "precision") if known.get(name))


def _facts(one: Measured) -> dict[str, Any]:
    return {
        "file": one.file,
        "kind": one.kind,
        "runtime": one.runtime,
        "title": one.title,
        "command": one.command,
        "date": one.setting.date,
        "machine": one.setting.machine.as_json(),
        "load_average_before": one.setting.load,
        "load_average_after": one.load_after,
        "engine": one.engine,
        "milliseconds": [vars(each) for each in one.timings],
        "speedups": [vars(each) for each in one.speedups],
        "start_ms": vars(one.start) if one.start else None,
        "memory_bytes": vars(one.memory) if one.memory else None,
    }


def _times(measured: Sequence[Measured]) -> Table:
    columns = ("report", "runtime", "what", "batch", "ms per crop", "p90", "p99", "CPU ms", "ratio")
    rows = tuple(_row(one, each) for one in measured for each in one.timings)
    return Table("Times", columns, rows)


def _row(one: Measured, timing: Timing) -> tuple[str, ...]:
    ratios = [
        f"{each.median:.2f}x {each.over}"
        for each in one.speedups
        if (each.name, each.batch) == (timing.name, timing.batch)
    ]
    values = (timing.median, timing.p90, timing.p99, timing.cpu)
    spelled = ("" if value is None else f"{value / timing.batch:.2f}" for value in values)
    what = f"{timing.name} ({one.engine})" if one.engine else timing.name
    ratio = ratios[0] if ratios else ""
    return (Path(one.file).stem, one.runtime, what, str(timing.batch), *spelled, ratio)


def _starts(measured: Sequence[Measured]) -> tuple[Table, ...]:
    rows = tuple(
        (
            Path(one.file).stem,
            f"{one.start.open:.0f}",
            f"{one.start.to_first_embedding:.0f}",
            f"{one.memory.resident / 2**20:.0f}",
            f"{one.memory.peak / 2**20:.0f}",
        )
        for one in measured
        if one.start is not None and one.memory is not None
    )
    columns = ("report", "opening ms", "to the first embedding ms", "resident MB", "at most MB")
    return (Table("Start and memory of the native runtime", columns, rows),) if rows else ()


def _notes(measured: Sequence[Measured]) -> tuple[str, ...]:
    notes = [
        "a ratio is within one report's run; times of different reports were taken at different "
        "moments, and a shared machine drifts",
        *(
            f"{one.file}: {one.title}; {one.setting.date}; load average {one.setting.load} before, "
            f"{one.load_after} after; {one.command}"
            for one in measured
        ),
    ]
    machines = {(one.setting.machine.cpu, one.setting.machine.cores) for one in measured}
    if len(machines) > 1:
        told = "; ".join(f"{cpu}, {cores} cores" for cpu, cores in sorted(machines))
        notes.insert(0, f"these are different machines, so no time compares: {told}")
    return tuple(notes)
