"""Batches ready for the network, prepared in threads while the network works on the last one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from .augment import augmented
from .crops import TrainingCrops
from .distributed import World
from .keyed import Purpose, generator
from .recipe import Augment
from .sampler import Batch, Sampler, share

AHEAD = 2


@dataclass(frozen=True)
class TrainBatch:
    """One process's crops, but the labels of the whole batch: the loss is global."""

    images: Tensor
    cameras: Tensor | None
    drop_path: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> TrainBatch:
        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        cameras = None if self.cameras is None else move(self.cameras)
        return TrainBatch(move(self.images), cameras, move(self.drop_path), move(self.labels))


@dataclass(frozen=True)
class BatchLoader:
    """All batches of a run; which, and how augmented, depends on (seed, epoch, place) alone."""

    crops: TrainingCrops
    sampler: Sampler
    augment: Augment
    world: World
    drop_path_slots: int = 0
    camera_index: Mapping[int, int] | None = None
    workers: int = 2
    _batches: dict[int, list[Batch]] = field(default_factory=dict)

    def batches(self, epoch: int) -> list[Batch]:
        if epoch not in self._batches:
            self._batches.clear()
            self._batches[epoch] = self.sampler.batches(epoch)
        return self._batches[epoch]

    def epoch(self, epoch: int, start: int = 0) -> Iterator[TrainBatch]:
        """The batches of one epoch from the given one on."""
        waiting: deque[tuple[list[Future[None]], TrainBatch]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="augment") as pool:
            try:
                for number in range(start, len(self.batches(epoch))):
                    waiting.append(self._begin(pool, epoch, number))
                    if len(waiting) > AHEAD:
                        yield _finished(*waiting.popleft())
                while waiting:
                    yield _finished(*waiting.popleft())
            finally:
                for futures, _ in waiting:
                    for future in futures:
                        future.cancel()

    def _begin(
        self, pool: ThreadPoolExecutor, epoch: int, number: int
    ) -> tuple[list[Future[None]], TrainBatch]:
        whole = self.batches(epoch)[number]
        mine = share(whole, self.world.rank, self.world.size)
        first = number * len(whole) + self.world.rank * len(mine)
        batch = self._empty(whole, mine)
        images, drops = batch.images.numpy(), batch.drop_path.numpy()

        def prepare(row: int) -> None:
            place = first + row
            rng = generator(self.sampler.seed, Purpose.AUGMENT, epoch, place)
            crop = self.crops.read(int(mine[row]))
            images[row] = augmented(crop, rng, self.augment, self.crops.preprocess)
            rng = generator(self.sampler.seed, Purpose.DROP_PATH, epoch, place)
            drops[row] = rng.random(self.drop_path_slots, dtype=np.float32)

        return [pool.submit(prepare, row) for row in range(len(mine))], batch

    def _empty(self, whole: Batch, mine: Batch) -> TrainBatch:
        pinned = self.world.device.type == "cuda"
        size = (self.crops.preprocess.height, self.crops.preprocess.width)
        return TrainBatch(
            images=torch.empty((len(mine), 3, *size), pin_memory=pinned),
            cameras=self._cameras(mine),
            drop_path=torch.empty((len(mine), self.drop_path_slots), pin_memory=pinned),
            labels=torch.from_numpy(self.crops.labels[whole]),
        )

    def _cameras(self, mine: Batch) -> Tensor | None:
        if self.camera_index is None:
            return None
        known = [self.camera_index[self.crops.samples[int(index)].camera] for index in mine]
        return torch.tensor(known)


def _finished(futures: list[Future[None]], batch: TrainBatch) -> TrainBatch:
    for future in futures:
        future.result()
    return batch
