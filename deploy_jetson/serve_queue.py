"""The line before the engine: bounded, and cut into batches of what waits there together."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .serve_http import Refusal
from .serve_model import Model

T = TypeVar("T")


class EngineThread:
    """Runs one call after another. It is a daemon: an engine that hangs cannot keep the process
    from ending, as a pool's thread would."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def ask(self, model: Model, work: Callable[[Model], T]) -> asyncio.Future[T]:
        """The model is held until the call has ended, however long that takes."""
        model.take()
        loop = asyncio.get_running_loop()

        def run() -> T:
            try:
                return work(model)
            finally:
                with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                    loop.call_soon_threadsafe(model.let_go)

        return self.call(run)

    def call(self, work: Callable[[], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def tell(result: T | None, problem: BaseException | None) -> None:
            if answer.done():
                return  # whoever asked has given up
            if problem is not None:
                answer.set_exception(problem)
            else:
                answer.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result, problem = None, None
            try:
                result = work()
            except Exception as raised:
                problem = raised
            with contextlib.suppress(RuntimeError):  # as above
                loop.call_soon_threadsafe(tell, result, problem)

        self._calls.put(run)
        return answer

    def _work(self) -> None:
        while True:
            self._calls.get()()


@dataclass
class _Job:
    model: Model
    crops: NDArray[np.uint8]
    rows: asyncio.Future[NDArray[np.float32]]


@dataclass
class Tally:
    batches: int = 0
    crops: int = 0
    seconds: float = 0.0


class Batcher:
    """Crops of several requests go through the engine together, never those of two models."""

    def __init__(self, thread: EngineThread, longest: int, window_s: float) -> None:
        self.longest = longest
        """Crops that may wait or be in work; more are refused."""
        self.waiting = 0
        self.tally = Tally()
        self._thread = thread
        self._window_s = window_s
        self._jobs: deque[_Job] = deque()
        self._arrived = asyncio.Event()

    def require_room(self, crops: int) -> None:
        if self.waiting + crops > self.longest:
            raise Refusal(
                503,
                f"{self.waiting} crops are waiting and there is room for {self.longest}; try again",
                {"Retry-After": "1"},
            )

    async def embed(self, model: Model, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.require_room(len(crops))
        job = _Job(model, crops, asyncio.get_running_loop().create_future())
        self.waiting += len(crops)
        self._jobs.append(job)
        self._arrived.set()
        try:
            return await job.rows
        finally:
            self.waiting -= len(crops)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._arrived.wait()
            if sum(len(job.crops) for job in self._jobs) < self._jobs[0].model.largest:
                await asyncio.sleep(self._window_s)
            jobs = self._take()
            if jobs:
                await self._embed(jobs)

    def _take(self) -> list[_Job]:
        """The oldest jobs of one model that fit in one batch, at least one of them."""
        taken: list[_Job] = []
        room = 0
        while self._jobs:
            job = self._jobs[0]
            if job.rows.done():  # its client has given up
                self._jobs.popleft()
                continue
            if taken and (job.model is not taken[0].model or len(job.crops) > room):
                break
            room = (room if taken else job.model.largest) - len(job.crops)
            taken.append(self._jobs.popleft())
        if not self._jobs:
            self._arrived.clear()
        return taken

    async def _embed(self, jobs: list[_Job]) -> None:
        model = jobs[0].model
        crops = np.concatenate([job.crops for job in jobs])
        clock = asyncio.get_running_loop().time
        began = clock()
        found: Any
        try:
            found = await self._thread.ask(model, lambda held: held.engine.embed(crops))
        except Exception as problem:
            for job in jobs:
                if not job.rows.done():
                    job.rows.set_exception(problem)
            return
        self.tally.batches += 1
        self.tally.crops += len(crops)
        self.tally.seconds += clock() - began
        start = 0
        for job in jobs:
            if not job.rows.done():
                job.rows.set_result(found[start : start + len(job.crops)])
            start += len(job.crops)
