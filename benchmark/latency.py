"""How long several engines take for the same crops, timed in turns so that drift is shared.

A shared machine drifts by a third within hours, so only ratios within one round are compared. In
each round every contender is visited once; the order rotates, and the first call of a visit is not
counted, because it pays for the caches and the spinning threads of the contender before it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError
from ..core.machine import load_average
from .report import Setting

Call = Callable[[NDArray[Any]], object]
Clock = Callable[[], float]

ROUNDS = 40
CALLS = 3
WARM_UP = 5

_FEWEST_FOR_P99 = 100


@dataclass(frozen=True)
class Timing:
    """Milliseconds for one call of one contender with one batch of crops."""

    name: str
    batch: int
    median: float
    p90: float
    p99: float | None
    """None with fewer than 100 calls, which cannot show it."""
    cpu: float
    """Mean processor time per call, all threads together; threads that wait by spinning count."""
    calls: int

    @property
    def per_crop(self) -> float:
        return self.median / self.batch


@dataclass(frozen=True)
class Speedup:
    """How many times faster than the baseline, per round: median, 10th and 90th percentile."""

    name: str
    over: str
    batch: int
    median: float
    low: float
    high: float
    rounds: int


@dataclass(frozen=True)
class Latency:
    """One interleaved run."""

    timings: tuple[Timing, ...]
    speedups: tuple[Speedup, ...]
    baseline: str
    setting: Setting
    load_after: float | None

    def as_json(self) -> Mapping[str, Any]:
        return {
            "baseline": self.baseline,
            "milliseconds": [asdict(each) for each in self.timings],
            "speedups": [asdict(each) for each in self.speedups],
            "machine": self.setting.machine.as_json(),
            "load_average_before": self.setting.load,
            "load_average_after": self.load_after,
        }

    def as_text(self) -> str:
        lines = []
        faster = {
            (each.name, each.batch): each for each in self.speedups if each.over == self.baseline
        }
        for each in self.timings:
            line = f"{each.name}, batch {each.batch}: {each.per_crop:.2f} ms per crop"
            ratio = faster.get((each.name, each.batch))
            if ratio is not None:
                line += f", {ratio.median:.2f}x {ratio.over} [{ratio.low:.2f}, {ratio.high:.2f}]"
            lines.append(line)
        return "\n".join(lines)


@dataclass(frozen=True)
class _Visit:
    """The timed calls of one contender in one round."""

    wall: tuple[float, ...]
    cpu: float


def race(
    contenders: Mapping[str, Call],
    batches: Mapping[int, NDArray[Any]],
    *,
    baseline: str | None = None,
    pairs: Sequence[tuple[str, str]] = (),
    rounds: int = ROUNDS,
    calls: int = CALLS,
    wall: Clock = time.perf_counter,
    cpu: Clock = time.process_time,
) -> Latency:
    """Time every contender on every batch; `batches` maps a batch size to that many crops.

    Speedups are those over the baseline, and those of further `pairs` of (name, over).
    """
    over = baseline or next(iter(contenders), "")
    _check(contenders, batches, over, rounds, calls)
    setting = Setting()
    timings: list[Timing] = []
    speedups: list[Speedup] = []
    steps = rounds * len(contenders) * len(batches)
    with click.progressbar(length=steps, label="timing", file=sys.stderr) as bar:
        for size, crops in batches.items():
            visits: dict[str, list[_Visit]] = {name: [] for name in contenders}
            for call in contenders.values():
                _warm_up(call, crops)
            for name in _turns(list(contenders), rounds):
                visits[name].append(_visit(contenders[name], crops, calls, wall, cpu))
                bar.update(1)
            timings += [_timing(name, size, seen) for name, seen in visits.items()]
            others = ((name, over) for name in contenders if name != over)
            wanted = dict.fromkeys((*others, *pairs))
            speedups += [_speedup(name, slow, size, visits) for name, slow in wanted]
    return Latency(tuple(timings), tuple(speedups), over, setting, load_average())


def _turns(names: Sequence[str], rounds: int) -> Iterator[str]:
    for nth in range(rounds):
        first = nth % len(names)
        yield from (*names[first:], *names[:first])


def _warm_up(call: Call, crops: NDArray[Any]) -> None:
    for _ in range(WARM_UP):
        call(crops)


def _visit(call: Call, crops: NDArray[Any], calls: int, wall: Clock, cpu: Clock) -> _Visit:
    call(crops)
    spent = []
    worked = cpu()
    for _ in range(calls):
        began = wall()
        call(crops)
        spent.append(wall() - began)
    return _Visit(tuple(spent), (cpu() - worked) / calls)


def _timing(name: str, size: int, visits: list[_Visit]) -> Timing:
    spent = 1000 * np.array([seconds for visit in visits for seconds in visit.wall])
    return Timing(
        name=name,
        batch=size,
        median=float(np.median(spent)),
        p90=float(np.percentile(spent, 90)),
        p99=float(np.percentile(spent, 99)) if len(spent) >= _FEWEST_FOR_P99 else None,
        cpu=1000 * float(np.mean([visit.cpu for visit in visits])),
        calls=len(spent),
    )


def _speedup(name: str, over: str, size: int, visits: Mapping[str, list[_Visit]]) -> Speedup:
    pairs = zip(visits[over], visits[name], strict=True)
    ratios = [float(np.median(base.wall) / np.median(own.wall)) for base, own in pairs]
    low, middle, high = (float(np.percentile(ratios, level)) for level in (10, 50, 90))
    return Speedup(name, over, size, middle, low, high, len(ratios))


def _check(
    contenders: Mapping[str, Call],
    batches: Mapping[int, NDArray[Any]],
    over: str,
    rounds: int,
    calls: int,
) -> None:
    if over not in contenders:
        known = ", ".join(contenders) or "none"
        raise ConfigError(f"the baseline '{over}' is none of the contenders ({known})")
    if rounds < 1 or calls < 1:
        raise ConfigError(f"{rounds} rounds of {calls} calls cannot be timed; give 1 or more")
    wrong = [size for size, crops in batches.items() if size < 1 or len(crops) != size]
    if wrong:
        raise ConfigError(f"the batch of {wrong[0]} holds {len(batches[wrong[0]])} crops")
