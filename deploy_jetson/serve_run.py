"""The life of the service: started, watched, reloaded, drained."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from .serve_http import HttpServer, Limits
from .serve_model import Model
from .serve_notify import Notifier
from .serve_service import EmbeddingService

PINGS_PER_WATCHDOG = 3
"""A self-test may fail to be in time twice before the service manager gives up."""


@dataclass(frozen=True)
class Settings:
    limits: Limits = field(default_factory=Limits)
    queue: int = 256
    """Crops that may wait; one request may not hold more."""
    window_s: float = 0.002
    """How long the first crop of a batch waits for company."""
    test_every_s: float = 20.0
    look_every_s: float = 1.0
    """How often `current` is looked at."""
    drain_s: float = 15.0


@dataclass(frozen=True)
class Source:
    """Where models come from; `install` names the one that should serve now."""

    open: Callable[[], Model]
    install: Callable[[], str]


async def run(
    source: Source,
    model: Model,
    bound: socket.socket,
    settings: Settings,
    notifier: Notifier,
    say: Callable[[str], None],
) -> tuple[int, bool]:
    """Serve until SIGTERM or SIGINT; the requests answered, and whether none was dropped."""
    life = _Life(source, model, settings, notifier, say)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, life.asked.set)
    server = HttpServer(life.service.handle, settings.limits)
    await server.listen(sock=bound)
    notifier.ready(life.service.status())
    say(f"serving {life.service.status()}")
    tasks = [asyncio.ensure_future(each) for each in life.duties()]
    ended = asyncio.ensure_future(stop.wait())
    await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
    broken = [task.exception() for task in tasks if task.done()]
    notifier.stopping()
    life.service.stopping = True
    whole = await server.drain(settings.drain_s) and await life.service.quiet(settings.drain_s)
    for task in (ended, *tasks):
        task.cancel()
    await asyncio.gather(ended, *tasks, return_exceptions=True)
    if whole:  # an engine that hangs would hang in closing, too
        life.service.close()
    for problem in broken:
        raise problem or RuntimeError("a duty of the service ended by itself")
    return life.service.answered, whole


class _Life:
    """What goes on beside the requests."""

    def __init__(
        self,
        source: Source,
        model: Model,
        settings: Settings,
        notifier: Notifier,
        say: Callable[[str], None],
    ) -> None:
        self._source = source
        self._settings = settings
        self._notifier = notifier
        self._say = say
        self._install = model.facts["install"]
        self.asked = asyncio.Event()
        self.service = EmbeddingService(model, source.open, settings.queue, settings.window_s)

    def duties(self) -> tuple[Coroutine[Any, Any, None], ...]:
        return self.service.batcher.run(), self._test(), self._follow()

    async def _test(self) -> None:
        """The watchdog is told of every self-test that passed, and of nothing else."""
        seconds = self._settings.test_every_s
        if self._notifier.watchdog_s is not None:
            seconds = min(seconds, self._notifier.watchdog_s / PINGS_PER_WATCHDOG)
        was_sound = True
        while True:
            await asyncio.sleep(seconds)
            sound = await self.service.test(seconds)
            if sound:
                self._notifier.alive()
            if sound != was_sound:
                self._notifier.status(self.service.status())
                self._say(self.service.status())
            was_sound = sound

    async def _follow(self) -> None:
        """Reload on SIGHUP, and once for each install that `current` comes to lead to."""
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.asked.wait(), self._settings.look_every_s)
            install = self._source.install()
            if self.asked.is_set() or install not in ("", self._install):
                self.asked.clear()
                await self._reload(install)

    async def _reload(self, install: str) -> None:
        self._notifier.reloading()
        taken = await self.service.reload()
        self._install = install or self._install
        self._notifier.ready(self.service.status())
        self._say(f"{'reloaded' if taken else 'NOT reloaded'}: {self.service.status()}")
