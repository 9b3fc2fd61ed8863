"""Pre-training batches, prepared in threads while the network works on the last ones.

What an image becomes depends on (seed, epoch, place in the epoch) and on the pool alone: not on
ranks, threads, accumulation or where a run was resumed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.data.pool.catalogue import Pool
from ...core.errors import ConfigError, DataError
from ..distributed import World
from ..keyed import Purpose, generator
from .batch import PretrainBatch
from .masks import Masker
from .order import Order
from .reading import BadImages, Reader, SkipPolicy
from .recipe import PretrainRecipe
from .view_batch import DeviceViews
from .view_image import HostViews
from .views import GLOBALS

AHEAD = 2
CHUNK = 8
"""Images per task: their views are planned at once, which costs a fifth of one by one."""


class PretrainLoader:
    """All steps of a run, each as `recipe.batch.accumulate` batches.

    `workers` and `on_device` change nothing of what it yields. With a `locality`, so many
    consecutive images of the pool are read soon after each other (order.py).
    """

    def __init__(
        self,
        pool: Pool,
        recipe: PretrainRecipe,
        world: World,
        drop_path_slots: int = 0,
        seed: int = 0,
        workers: int = 2,
        max_bad_share: float = SkipPolicy().share,
        *,
        locality: int = 0,
        on_device: bool | None = None,
    ) -> None:
        self._recipe, self._world, self._seed = recipe, world, seed
        self._slots, self._workers = drop_path_slots, workers
        self._rows = _share(recipe, world)
        self._order = Order(max(1, len(pool)), seed, locality)
        self.steps_per_epoch = len(pool) // recipe.batch.size
        if not self.steps_per_epoch:
            raise DataError(
                f"{pool.where}: {len(pool)} images are less than one batch of {recipe.batch.size}; "
                "lower batch.size, or bring more images"
            )
        self._reader = Reader(pool, recipe, SkipPolicy(share=max_bad_share))
        self._masker = Masker(recipe)
        if on_device is None:
            on_device = world.device.type == "cuda"
        self._views = (DeviceViews if on_device else HostViews)(recipe, world.device, seed)

    @property
    def bad(self) -> int:
        """How many different images this process could not use so far."""
        return self._reader.bad.count

    @property
    def bad_images(self) -> BadImages:
        """The same with the first of them by name."""
        return self._reader.bad

    def from_step(self, step: int = 0) -> Iterator[tuple[PretrainBatch, ...]]:
        """The parts of this step of the run (the first is 0) and of those after it, to the end."""
        count = self._recipe.batch.accumulate
        batches = self._batches(step * count)
        while parts := tuple(islice(batches, count)):
            yield parts

    def _batches(self, first: int) -> Iterator[PretrainBatch]:
        """Batch after batch; those of a step follow each other."""
        parts = self._recipe.batch.accumulate
        last = self.steps_per_epoch * self._recipe.schedule.epochs * parts
        with _threads(self._workers) as threads:
            waiting: deque[_Coming] = deque()
            try:
                for number in range(first, last):
                    waiting.append(self._begin(threads, *divmod(number, parts)))
                    if len(waiting) > AHEAD:
                        yield self._views.handed_over(waiting.popleft().batch.result())
                while waiting:
                    yield self._views.handed_over(waiting.popleft().batch.result())
            finally:
                for coming in waiting:
                    for task in coming.tasks:
                        task.cancel()

    def places(self, step: int, part: int) -> tuple[int, NDArray[np.int64]]:
        """The epoch (the first is 1) and this process's places in it."""
        epoch, within = divmod(step, self.steps_per_epoch)
        start = within * self._recipe.batch.size + self._rows * (
            part * self._world.size + self._world.rank
        )
        return epoch + 1, np.arange(start, start + self._rows)

    def _begin(self, threads: ThreadPoolExecutor, step: int, part: int) -> _Coming:
        epoch, places = self.places(step, part)
        indices = self._order.many(epoch, places)
        batch = self._empty()
        room, tasks = self._views.room(self._rows), list[Future[None]]()

        def prepare(rows: range) -> None:
            for row in rows:
                self._keyed(batch, row, epoch, int(places[row]))
            images = [self._reader.image(int(indices[row])) for row in rows]
            self._views.take(room, batch, rows, images, epoch, places)

        def finish() -> PretrainBatch:
            """The last in the queue: what it waits for is done or under way."""
            for task in tasks:
                task.result()
            return self._views.finished(room, batch, epoch, places)

        for first in range(0, self._rows, CHUNK):
            rows = range(first, min(first + CHUNK, self._rows))
            tasks.append(threads.submit(prepare, rows))
        return _Coming(tasks, threads.submit(finish))

    def _keyed(self, batch: PretrainBatch, row: int, epoch: int, place: int) -> None:
        """Masks and stochastic depth."""
        random = generator(self._seed, Purpose.MASKS, epoch, place)
        for view in range(GLOBALS):
            batch.masks[view, row] = torch.from_numpy(self._masker.draw(random, epoch))
        if self._slots:
            random = generator(self._seed, Purpose.DROP_PATH, epoch, place)
            numbers = random.random((len(batch.drop_path), self._slots), dtype=np.float32)
            batch.drop_path[:, row] = torch.from_numpy(numbers)

    def _empty(self) -> PretrainBatch:
        pinned = self._world.device.type == "cuda"
        crops, rows = GLOBALS + self._recipe.views.local_count, self._rows
        patches = self._masker.grid[0] * self._masker.grid[1]
        globals_, locals_ = self._views.empty(rows, pinned)
        return PretrainBatch(
            globals=globals_,
            locals=locals_,
            masks=torch.zeros((GLOBALS, rows, patches), dtype=torch.bool, pin_memory=pinned),
            drop_path=torch.empty((crops, rows, self._slots), pin_memory=pinned),
        )


@dataclass(frozen=True)
class _Coming:
    """A batch in the making."""

    tasks: list[Future[None]]
    batch: Future[PretrainBatch]


def _share(recipe: PretrainRecipe, world: World) -> int:
    rows, rest = divmod(recipe.batch.size, recipe.batch.accumulate * world.size)
    if rest:
        raise ConfigError(
            f"a batch of {recipe.batch.size} images cannot be shared evenly by {world.size} "
            f"processes in {recipe.batch.accumulate} parts; change batch.size, batch.accumulate "
            "or --nproc-per-node"
        )
    return rows


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads in which PyTorch starts no threads of its own.

    Resizing one crop is split over all processors else, and they wait for each other longer than
    it takes: 8 ms instead of 0.15 on two busy ones. A thread's setting becomes that of threads to
    come, so all start first, and then it is set back.
    """
    usual = torch.get_num_threads()
    started = threading.Barrier(count + 1)

    def alone() -> None:
        torch.set_num_threads(1)
        started.wait()

    with ThreadPoolExecutor(count, "views", initializer=alone) as pool:
        for _ in range(count):
            pool.submit(int)
        started.wait()
        torch.set_num_threads(usual)
        yield pool
