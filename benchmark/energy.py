"""Runs tegrastats beside some work, so that the energy of that work can be told."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from types import TracebackType

from ..core.errors import ConfigError, EnvironmentMismatch
from ..engines.device_power import power_mode
from .energy_result import Energy, Reading, energy_of
from .tegrastats import parse_line

__all__ = ["Energy", "EnergyMeter"]

COMMAND = "tegrastats"
INTERVAL_MS = 100
PATIENCE_S = 5.0
"""How long its first line may take, and how long it may take to end."""


class EnergyMeter:
    """`with EnergyMeter() as meter: work()`, then `meter.energy(crops)`.

    Lines are timed by when they arrive, since their own clock knows whole seconds only.

    Where there is no tegrastats the block runs all the same; `usable()` tells beforehand. With
    `idle_s` the block is entered after that many seconds of measured idleness; `mode` names the
    power mode where nvpmodel is not to be asked.
    """

    def __init__(self, idle_s: float = 0.0, mode: str | None = None) -> None:
        self._idle_s = idle_s
        self._mode = mode
        self._readings: list[Reading] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._arrived = threading.Event()
        self._idle: tuple[float, float] | None = None
        self._start: float | None = None
        self._stop: float | None = None

    @staticmethod
    def usable() -> bool:
        return shutil.which(COMMAND) is not None

    def __enter__(self) -> EnergyMeter:
        if self.usable():
            try:
                self._begin()
            except BaseException:
                self._end()
                raise
        self._start = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop = time.monotonic()
        self._end()

    @property
    def samples(self) -> int:
        """Lines that told something so far."""
        return len(self._readings)

    def energy(self, crops: int = 0) -> Energy:
        """Of the block so far, or of the whole block once it was left."""
        if self._start is None:
            raise ConfigError("energy is of a `with` block; enter it before asking")
        if not self.usable():
            raise EnvironmentMismatch(
                "there is no tegrastats here, so energy cannot be measured; it comes with JetPack"
            )
        stop = time.monotonic() if self._stop is None else self._stop
        return energy_of(
            *(list(self._readings), self._start, stop),
            crops=crops,
            idle=self._idle,
            power_mode=self._mode or power_mode(),
        )

    def _begin(self) -> None:
        command = [COMMAND, "--interval", str(INTERVAL_MS)]
        self._process = subprocess.Popen(  # noqa: S603
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            # Its own group, so that a wrapper script ends together with what it started.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        self._arrived.wait(PATIENCE_S)
        if self._idle_s:
            began = time.monotonic()
            time.sleep(self._idle_s)
            self._idle = (began, time.monotonic())

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            sample = parse_line(line)
            if sample is not None:
                self._readings.append(Reading(time.monotonic(), sample))
                self._arrived.set()
        self._arrived.set()

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_S)
                break
        if self._reader is not None:
            self._reader.join(PATIENCE_S)
        if process.stdout is not None:
            process.stdout.close()
        self._process = None
