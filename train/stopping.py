"""Stopping when asked: the step at hand is finished and saved first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ..core.errors import PersonvitError
from .distributed import World

LISTEN_EVERY = 5
"""Steps between two questions of processes that share a run, each of which waits for all."""


class StoppedError(PersonvitError):
    """Training was asked to stop (SIGTERM or Ctrl-C) and can be resumed."""

    exit_code = 130


class StopRequest:
    """Becomes true at the first signal; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.made = False

    def note(self, number: int, frame: FrameType | None) -> None:
        if self.made and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.made = True

    def heard(self, world: World, step: int) -> bool:
        """By this process, or by any that shares the run with it: all get the same answer."""
        if not world.shared:
            return self.made
        return step % LISTEN_EVERY == 0 and world.any(self.made)


@contextmanager
def watching() -> Iterator[StopRequest]:
    """Note signals while the block runs. Only the main thread may; elsewhere nothing is noted."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before: dict[signal.Signals, Any] = {
        number: signal.signal(number, request.note) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
