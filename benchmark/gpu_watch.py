"""Power, clocks and throttling of an NVIDIA GPU while it works, as nvidia-smi tells them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from .energy_result import integrate

COMMAND = "nvidia-smi"
INTERVAL_MS = 50
PATIENCE_S = 5.0

# Drivers before 530 know neither; [N/A] and unknown fields are told apart below.
POWERS = ("power.draw.instant", "power.draw")
FIELDS = ("clocks.sm", "clocks.mem", "temperature.gpu", "clocks_throttle_reasons.active")
IDLE, APPLICATION_CLOCKS = 0x1, 0x2
REASONS = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "hot (software)",
    0x40: "hot (hardware)",
    0x80: "power brake",
}


@dataclass(frozen=True)
class Moment:
    at: float
    watts: float | None
    sm_mhz: int | None
    memory_mhz: int | None
    celsius: int | None
    reasons: int


@dataclass(frozen=True)
class Watched:
    """Over some seconds of work."""

    joules: float | None
    watts: float | None
    sm_mhz: tuple[int, int] | None
    """Lowest and highest clock."""
    celsius: int | None
    throttled: tuple[str, ...]
    samples: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class GpuWatch:
    """In a `with` block `since(began)` tells what was seen; without nvidia-smi, nothing."""

    def __init__(self) -> None:
        self._moments: list[Moment] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> GpuWatch:
        field = _power_field()
        if field is not None:
            command = [COMMAND, f"--query-gpu={','.join((field, *FIELDS))}", "--id=0"]
            command += ["--format=csv,noheader,nounits", f"--loop-ms={INTERVAL_MS}"]
            self._process = subprocess.Popen(  # noqa: S603
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
            self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE_S)
        if self._reader is not None:
            self._reader.join(PATIENCE_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def since(self, began: float) -> Watched | None:
        """What was seen from a moment of time.monotonic until now; None where nothing was."""
        return summary(list(self._moments), began, time.monotonic())

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            moment = parse_moment(line, time.monotonic())
            if moment is not None:
                self._moments.append(moment)


def parse_moment(line: str, at: float) -> Moment | None:
    """`104.21, 1980, 3201, 45, 0x0000000000000000`; [N/A] is nothing, and so is another line."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != len(FIELDS) + 1:
        return None
    watts, sm, memory, celsius = (_number(part) for part in parts[:4])
    reasons = 0
    with contextlib.suppress(ValueError):
        reasons = int(parts[4], 16)
    if watts is None and sm is None:
        return None
    return Moment(at, watts, _whole(sm), _whole(memory), _whole(celsius), reasons)


def summary(moments: Sequence[Moment], start: float, stop: float) -> Watched | None:
    inside = [moment for moment in moments if start <= moment.at <= stop]
    if not inside:
        return None
    known = [each for each in inside if each.watts is not None]
    times, watts = [each.at for each in known], [each.watts or 0.0 for each in known]
    joules = integrate(times, watts, start, stop) if known else None
    clocks = [each.sm_mhz for each in inside if each.sm_mhz is not None]
    heat = [each.celsius for each in inside if each.celsius is not None]
    bits = 0
    for each in inside:
        bits |= each.reasons
    return Watched(
        joules=joules,
        watts=None if joules is None else joules / (stop - start),
        sm_mhz=(min(clocks), max(clocks)) if clocks else None,
        celsius=max(heat) if heat else None,
        throttled=tuple(name for bit, name in REASONS.items() if bits & bit),
        samples=len(inside),
    )


def _power_field() -> str | None:
    """The first field for power that this nvidia-smi knows; None where it cannot be asked."""
    if shutil.which(COMMAND) is None:
        return None
    for field in POWERS:
        command = [COMMAND, f"--query-gpu={field}", "--format=csv,noheader,nounits"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=True)  # noqa: S603
            return field
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
