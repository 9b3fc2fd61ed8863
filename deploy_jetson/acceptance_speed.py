"""How fast an engine answers: once it is warm, over a long time, and after doing nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..benchmark.energy import Energy, EnergyMeter
from ..engines.device_facts import system_root

Call = Callable[[], object]

STEADY = 0.03
"""Two windows in a row whose medians differ by less are steady."""
WINDOWS = 10
IDLE_CALLS = 5


@dataclass(frozen=True)
class Percentiles:
    """Milliseconds of one call."""

    p50: float
    p95: float
    p99: float
    worst: float
    calls: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Percentiles:
        p50, p95, p99, worst = (
            round(1000 * float(value), 4) for value in np.percentile(seconds, (50, 95, 99, 100))
        )
        return cls(p50, p95, p99, worst, len(seconds))


@dataclass(frozen=True)
class Speed:
    """One batch size in one power mode, after warming up."""

    mode: str
    batch: int
    call: Percentiles
    warm_up_s: float
    steady: bool
    """Whether the time of a call had stopped falling before it was measured."""
    energy: Energy | None

    @property
    def crops_per_second(self) -> float:
        return 1000 * self.batch / self.call.p50

    def as_json(self) -> dict[str, Any]:
        energy = self.energy.as_json() if self.energy else None
        return {**asdict(self), "energy": energy, "crops_per_second": self.crops_per_second}


@dataclass(frozen=True)
class Window:
    """One part of the soak."""

    at_s: float
    call: Percentiles
    celsius: float | None


@dataclass(frozen=True)
class Gap:
    """Single calls, each after this long a pause: clocks that fell must rise again."""

    seconds: float
    call: Percentiles


def speed(
    call: Call,
    batch: int,
    mode: str,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    began = clock()
    steady = _warm_up(call, seconds, clock)
    warm = clock() - began
    if not EnergyMeter.usable():
        return Speed(mode, batch, _timed(call, seconds, clock), warm, steady, None)
    with EnergyMeter(mode=mode) as meter:
        found = _timed(call, seconds, clock)
    return Speed(mode, batch, found, warm, steady, meter.energy(batch * found.calls))


def soak(call: Call, seconds: float) -> tuple[Window, ...]:
    """Back to back for a long time; heat shows in the later windows."""
    began = time.perf_counter()
    windows = []
    for _ in range(WINDOWS):
        found = _timed(call, seconds / WINDOWS, time.perf_counter)
        windows.append(Window(round(time.perf_counter() - began, 1), found, hottest()))
    return tuple(windows)


def after_idling(call: Call, gaps: Sequence[float]) -> tuple[Gap, ...]:
    call()
    return tuple(
        Gap(gap, Percentiles.of([_after(call, gap) for _ in range(IDLE_CALLS)])) for gap in gaps
    )


def hottest(root: Path | None = None) -> float | None:
    """Degrees of the hottest zone that this system tells of."""
    zones = ((root or system_root()) / "sys/class/thermal").glob("thermal_zone*/temp")
    found = [degrees for degrees in map(_degrees, zones) if degrees is not None]
    return max(found, default=None)


def repeated(crops: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(crops[np.arange(count) % len(crops)])


def _warm_up(call: Call, seconds: float, clock: Callable[[], float]) -> bool:
    """Until calls no longer get faster or slower, for as long as is measured afterwards at most."""
    end = clock() + seconds
    before = float("inf")
    while clock() < end:
        median = _timed(call, seconds / WINDOWS, clock).p50
        if abs(median - before) <= STEADY * before < float("inf"):
            return True
        before = median
    return False


def _timed(call: Call, seconds: float, clock: Callable[[], float]) -> Percentiles:
    spent: list[float] = []
    end = clock() + seconds
    while not spent or clock() < end:
        began = clock()
        call()
        spent.append(clock() - began)
    return Percentiles.of(spent)


def _after(call: Call, gap: float) -> float:
    time.sleep(gap)
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _degrees(path: Path) -> float | None:
    try:
        return int(path.read_text()) / 1000
    except (OSError, ValueError):
        return None  # a zone whose sensor is off refuses to be read
