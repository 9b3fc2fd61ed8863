"""The energy of a run: the power that tegrastats told, integrated over the time it took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from ..core.errors import ConfigError, EnvironmentMismatch
from .power_rails import Total, total_of, watts_of
from .tegrastats import Sample, parse_lines

_CLOCK_FELL = 0.9
"""A GPU clock below this part of its highest is worth a note."""


@dataclass(frozen=True)
class Energy:
    """Over one run. `joules` is everything the rail gave, idle included."""

    joules: float
    watts: float
    seconds: float
    crops: int
    samples: int
    rail: str
    rail_means: str
    power_mode: str | None
    idle_watts: float | None = None
    """Before the run; None where that was not measured."""
    notes: tuple[str, ...] = ()

    @property
    def mj_per_crop(self) -> float | None:
        return 1000 * self.joules / self.crops if self.crops else None

    @property
    def joules_above_idle(self) -> float | None:
        """What the run added; idle is subtracted here and nowhere else."""
        if self.idle_watts is None:
            return None
        return self.joules - self.idle_watts * self.seconds

    @property
    def mj_per_crop_above_idle(self) -> float | None:
        added = self.joules_above_idle
        return None if added is None or not self.crops else 1000 * added / self.crops

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "mj_per_crop": self.mj_per_crop,
            "joules_above_idle": self.joules_above_idle,
            "mj_per_crop_above_idle": self.mj_per_crop_above_idle,
        }

    def as_text(self) -> str:
        per_crop, added = self.mj_per_crop, self.mj_per_crop_above_idle
        parts = [f"{self.watts:.2f} W over {self.seconds:.1f} s ({self.rail})"]
        if per_crop is not None:
            parts.append(f"{per_crop:.2f} mJ per crop")
        if added is not None:
            parts.append(f"{added:.2f} mJ above {self.idle_watts:.2f} W of idle")
        return "; ".join([", ".join(parts), *self.notes])


@dataclass(frozen=True)
class Reading:
    """A sample and when it came, in seconds of one clock."""

    at: float
    sample: Sample


def energy_of(
    readings: Sequence[Reading],
    start: float,
    stop: float,
    *,
    crops: int = 0,
    idle: tuple[float, float] | None = None,
    power_mode: str | None = None,
) -> Energy:
    """Between two moments of the readings' clock; `idle` is a time before with nothing to do."""
    if stop <= start:
        raise ConfigError("a run that takes no time has no energy; let it run longer")
    total = _total(readings)
    times, watts = _watts(readings, total)
    inside = [reading for reading in readings if start <= reading.at <= stop]
    if not inside:
        raise EnvironmentMismatch(
            f"tegrastats gave no line within the {stop - start:.2f} s of the run; let it run longer"
        )
    joules = integrate(times, watts, start, stop)
    lost = len(readings) - len(times)
    missed = (f"{lost} lines lacked a rail and were left out",) if lost else ()
    return Energy(
        joules=joules,
        watts=joules / (stop - start),
        seconds=stop - start,
        crops=crops,
        samples=len(inside),
        rail=total.name,
        rail_means=total.means,
        power_mode=power_mode,
        idle_watts=_mean(times, watts, idle),
        notes=(*missed, *_clock_notes([reading.sample for reading in inside])),
    )


def integrate(times: Sequence[float], watts: Sequence[float], start: float, stop: float) -> float:
    """Joules by trapezoids; before the first and after the last sample their values hold."""
    inner = [time for time in times if start < time < stop]
    marks = np.array([start, *inner, stop])
    heights = np.interp(marks, np.array(times), np.array(watts))
    return float(np.sum(np.diff(marks) * (heights[1:] + heights[:-1]) / 2))


def read_log(lines: Iterable[str]) -> tuple[Reading, ...]:
    """A saved log, timed by its own clock. That knows whole seconds, so the lines of one second
    are spread over it; lines without a clock cannot be timed."""
    samples = list(parse_lines(lines))
    stamps = [sample.stamp for sample in samples if sample.stamp is not None]
    if not samples or len(stamps) < len(samples):
        raise ConfigError(
            "this log of tegrastats has lines without a time, so its power cannot be integrated; "
            "record it with a release that prints the time (JetPack 5 or newer)"
        )
    times = _spread(stamps)
    return tuple(Reading(at, sample) for at, sample in zip(times, samples, strict=True))


def ratio(energy: Energy, over: Energy) -> float:
    """Joules per crop of one run over those of another, both as the rail gave them."""
    if energy.power_mode != over.power_mode or None in (energy.power_mode, over.power_mode):
        raise ConfigError(
            f"these runs cannot be compared: their power modes are "
            f"{energy.power_mode or 'unknown'} and {over.power_mode or 'unknown'}; set one mode "
            "(nvpmodel -m) and measure both again"
        )
    if energy.rail != over.rail:
        raise ConfigError(
            f"these runs cannot be compared: one was measured at {energy.rail} and the other at "
            f"{over.rail}; measure both on one module"
        )
    if not energy.crops or not over.crops:
        raise ConfigError("runs without a number of crops cannot be compared per crop")
    return (energy.joules / energy.crops) / (over.joules / over.crops)


def _total(readings: Sequence[Reading]) -> Total:
    seen = {name: power for reading in readings for name, power in reading.sample.rails.items()}
    total = total_of(seen)
    if total is None:
        listed = ", ".join(sorted(seen)) or "none"
        raise EnvironmentMismatch(
            f"the power of the whole module is not known from the rails that tegrastats printed "
            f"({listed}); run it as root, or add the module to benchmark/power_rails.py"
        )
    return total


def _watts(readings: Sequence[Reading], total: Total) -> tuple[list[float], list[float]]:
    pairs = ((each.at, watts_of(each.sample.rails, total)) for each in readings)
    known = [(at, watts) for at, watts in pairs if watts is not None]
    return [at for at, _ in known], [watts for _, watts in known]


def _mean(
    times: Sequence[float], watts: Sequence[float], phase: tuple[float, float] | None
) -> float | None:
    """From the samples within, for what comes after a phase is no part of it."""
    inside = [(at, value) for at, value in zip(times, watts, strict=True)
              if phase and phase[0] <= at <= phase[1]]  # fmt: skip
    if phase is None or not inside:
        return None
    own = [at for at, _ in inside], [value for _, value in inside]
    return integrate(*own, *phase) / (phase[1] - phase[0])


def _clock_notes(samples: Sequence[Sample]) -> tuple[str, ...]:
    """tegrastats says nothing of throttling; a clock that falls while working shows it."""
    clocks = [each.gpu_mhz for each in samples if each.gpu_mhz is not None]
    notes = []
    if clocks and min(clocks) < _CLOCK_FELL * max(clocks):
        notes.append(
            f"the GPU's clock moved between {min(clocks)} and {max(clocks)} MHz: lock it with "
            "jetson_clocks, or look for throttling"
        )
    hottest = max((_hottest(each) for each in samples), default=0.0)
    if hottest:
        notes.append(f"hottest sensor {hottest:.0f} C")
    return tuple(notes)


def _hottest(sample: Sample) -> float:
    """The power chip's sensor is left out: it reads a fixed 50 or 100 degrees."""
    known = (value for name, value in sample.temperatures.items() if name != "pmic")
    return max(known, default=0.0)


def _spread(stamps: Sequence[datetime]) -> list[float]:
    """Seconds since the first stamp; n lines of one second get n equal parts of it."""
    times: list[float] = []
    for place, stamp in enumerate(stamps):
        first = place
        while first and stamps[first - 1] == stamp:
            first -= 1
        last = place
        while last + 1 < len(stamps) and stamps[last + 1] == stamp:
            last += 1
        whole = (stamp - stamps[0]).total_seconds()
        times.append(whole + (place - first) / (last - first + 1))
    return times
