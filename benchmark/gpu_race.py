"""Times calls on a GPU in turns: events on the device beside a clock that waits for it.

Work is queued, so a clock that does not wait measures nothing. Every call is therefore timed twice,
by events that the device sets and by the wall clock around call and wait; the wall clock can only
be the longer one, and a run where it is not is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..core.errors import InternalError

Run = Callable[[], object]
WARM_UP = 5
_EVENT_ERROR_MS = 0.05
"""Events count in half microseconds and are set a little before and after the work."""


@dataclass(frozen=True)
class Call:
    device_ms: float
    wall_ms: float


class Clock(Protocol):
    def call(self, run: Run) -> Call: ...

    def wait(self) -> None: ...


class CudaClock:
    """Events of torch on its current stream; work on other streams shows in the wall clock."""

    def __init__(self) -> None:
        import torch

        cuda: Any = torch.cuda
        self._cuda = cuda
        self._before, self._after = (cuda.Event(enable_timing=True) for _ in range(2))

    def call(self, run: Run) -> Call:
        self._cuda.synchronize()
        began = time.perf_counter()
        self._before.record()
        run()
        self._after.record()
        self._cuda.synchronize()
        wall = 1000 * (time.perf_counter() - began)
        return Call(self._before.elapsed_time(self._after), wall)

    def wait(self) -> None:
        self._cuda.synchronize()


class HostClock:
    """For a rehearsal on a processor, where a call returns when its work is done."""

    def call(self, run: Run) -> Call:
        began = time.perf_counter()
        run()
        wall = 1000 * (time.perf_counter() - began)
        return Call(wall, wall)

    def wait(self) -> None:
        pass


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one batch: of the device where inputs and outputs stay there, else of the
    wall clock."""

    p50: float
    p90: float
    p99: float
    wall_p50: float
    calls: int
    rounds: int


def race(
    entrants: Mapping[str, Run],
    clock: Clock,
    *,
    rounds: int,
    calls: int,
    deadline: float,
    host: Sequence[str] = (),
) -> dict[str, Timing]:
    """Visit each in turn; the first turn rotates. Rounds end early at the deadline, all alike."""
    seen: dict[str, list[Call]] = {name: [] for name in entrants}
    for name in entrants:
        for _ in range(WARM_UP):
            clock.call(entrants[name])
    done = 0
    for order in _orders(list(entrants), rounds):
        for name in order:
            clock.call(entrants[name])  # pays for the caches of whoever came before
            seen[name] += [clock.call(entrants[name]) for _ in range(calls)]
        done += 1
        if time.monotonic() > deadline:
            break
    _check(seen)
    return {name: _timing(found, done, name in host) for name, found in seen.items()}


def _orders(names: list[str], rounds: int) -> Iterator[list[str]]:
    for nth in range(rounds):
        first = nth % len(names) if names else 0
        yield names[first:] + names[:first]


def _check(seen: Mapping[str, list[Call]]) -> None:
    for name, found in seen.items():
        for call in found:
            if call.wall_ms + _EVENT_ERROR_MS < call.device_ms:
                raise InternalError(
                    f"{name}: the wall clock says {call.wall_ms:.3f} ms and the device "
                    f"{call.device_ms:.3f} ms; the call was not waited for"
                )


def _timing(found: list[Call], rounds: int, host: bool) -> Timing:
    wall = [call.wall_ms for call in found]
    spent = wall if host else [call.device_ms for call in found]
    p50, p90, p99 = (float(np.percentile(spent, level)) for level in (50, 90, 99))
    return Timing(p50, p90, p99, float(np.median(wall)), len(found), rounds)
