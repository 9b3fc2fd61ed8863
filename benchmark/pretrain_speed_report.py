"""The report of a race of pre-training steps: ratios of each round, memory, and a card's use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from .report import Report, Setting, Table
from .utilisation import COLUMNS, Card, usage

MIB = 1 << 20

Found = dict[str, Any]
"""What one run of a loop printed."""
Runs = Mapping[str, list[Found]]


@dataclass(frozen=True)
class Course:
    """The step that all took."""

    batch: int
    locals: int
    threads: int


@dataclass(frozen=True)
class Aside:
    """What stands beside the clock, which differs between a processor and a card."""

    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, Any]
    notes: tuple[str, ...]


def speed_report(
    command: str, setting: Setting, course: Course, found: Runs, card: Card | None = None
) -> Report:
    """Ratios are to the first loop; the first step of every run is left out."""
    base = next(iter(found))
    clock = {name: _medians(runs, "seconds") for name, runs in found.items()}
    faster = {name: _ratios(clock[base], values) for name, values in clock.items()}
    memory = {name: [run["bytes_at_most"] / MIB for run in runs] for name, runs in found.items()}
    aside = _processors(found, base) if card is None else _card(card, course, clock, found)
    digits = 2 if card is None else 4
    rows = tuple(
        (
            name,
            f"{median(clock[name]):.{digits}f}",
            _shown(faster[name]),
            *aside.rows[name],
            f"{max(memory[name]):.0f}",
        )
        for name in found
    )
    columns = ("loop", "seconds a step", "faster", *aside.columns, "MiB at most")
    return Report(
        kind="pretrain-speed",
        title=f"A step of pre-training ViT-S/16 on {'a CPU' if card is None else card.name}",
        command=command,
        setting=setting,
        facts={
            "threads": course.threads,
            "batch": course.batch,
            "runs": found,
            f"faster_than_{base}": faster,
            **aside.facts,
            "mebibytes_at_most": memory,
        },
        tables=(Table(f"Against {base}, median and each round", columns, rows),),
        notes=(
            f"{course.batch} images a step, each as 2 global crops of 256x128 and "
            f"{course.locals} local ones of 128x64; loading is left out, and the first step too.",
            *aside.notes,
        ),
    )


def _processors(found: Runs, base: str) -> Aside:
    spent = {name: _medians(runs, "processor_seconds") for name, runs in found.items()}
    leaner = {name: _ratios(spent[base], values) for name, values in spent.items()}
    return Aside(
        ("by processor time",),
        {name: (_shown(ratios),) for name, ratios in leaner.items()},
        {f"faster_than_{base}_by_processor_time": leaner},
        ("Memory is the whole process's, the libraries included.",),
    )


def _card(card: Card, course: Course, clock: Mapping[str, list[float]], found: Runs) -> Aside:
    seconds = {name: median(values) for name, values in clock.items()}
    used = usage(card, course.batch, seconds, _flops(found))
    each = {name: one.as_json() for name, one in used.items()}
    return Aside(
        COLUMNS,
        {name: one.row for name, one in used.items()},
        {"card": card.name, "peak": card.peak, "usage": each},
        card.notes,
    )


def _flops(found: Runs) -> int:
    """What a step needs, as our own program counts it; all loops do the same step."""
    return next(int(run["flops"]) for runs in found.values() for run in runs if "flops" in run)


def _medians(runs: list[Found], name: str) -> list[float]:
    return [median(run[name][1:]) for run in runs]


def _ratios(base: list[float], own: list[float]) -> list[float]:
    return [its / mine for its, mine in zip(base, own, strict=True)]


def _shown(ratios: list[float]) -> str:
    return f"{median(ratios):.2f} ({', '.join(f'{value:.2f}' for value in ratios)})"
