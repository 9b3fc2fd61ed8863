"""Crops from disk as uint8 batches: threads decode and resize ahead, order is kept.

At most `batch` + 16 * `workers` crops are in memory beside the batch being handed out.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, DataError
from ..images import read_image
from ..preprocess import Preprocess
from .base import Sample

Batch = tuple[NDArray[np.int64], NDArray[np.uint8]]

_CHUNK = 8
"""Crops per task: handing one to a thread costs as much as a tenth of decoding it."""


class BadImage(NamedTuple):
    path: str
    reason: str


@dataclass
class BadImages:
    """The images that were skipped, in order."""

    found: list[BadImage] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[BadImage]:
        return iter(self.found)

    def as_json(self) -> dict[str, Any]:
        return {"skipped": len(self.found), "images": [bad._asdict() for bad in self.found]}

    def as_text(self) -> str:
        if not self.found:
            return "no image was skipped"
        lines = "".join(f"\n  {bad.reason}" for bad in self.found)
        return f"skipped {len(self.found)} bad image{'s' * (len(self.found) > 1)}:{lines}"


class CropStream(Iterator[Batch]):
    """Batches of (indices into the samples, uint8 NHWC RGB); `bad` grows while it is read."""

    def __init__(self, batches: Generator[Batch, None, None], bad: BadImages) -> None:
        self._batches = batches
        self.bad = bad

    def __next__(self) -> Batch:
        return next(self._batches)

    def close(self) -> None:
        """Stop the threads; reading to the end or dropping the stream does so too."""
        self._batches.close()


def stream(
    root: Path,
    samples: Sequence[Sample],
    preprocess: Preprocess,
    batch: int,
    workers: int | None = None,
    skip_bad: bool = False,
) -> CropStream:
    """Read the samples in their order, resized. Only the last batch may be smaller than `batch`.

    An image that cannot be read raises DataError with its path, or, with `skip_bad`, is left out,
    listed in the stream's `bad`, and its place is taken by the next one.
    """
    threads = default_workers() if workers is None else workers
    if batch < 1 or threads < 1:
        raise ConfigError(f"batch ({batch}) and workers ({threads}) must be 1 or more")
    # Memory and threads are claimed ahead: never more than there is work for.
    batch, threads = min(batch, max(1, len(samples))), min(threads, max(1, len(samples)))
    bad = BadImages()
    paths = [root / sample.path for sample in samples]
    crops = _decoded(paths, preprocess, threads, ahead=-(-batch // _CHUNK) + 2 * threads)
    return CropStream(_batches(crops, paths, preprocess, batch, bad if skip_bad else None), bad)


def load_batch(
    paths: Sequence[Path], preprocess: Preprocess, workers: int | None = None
) -> NDArray[np.uint8]:
    """All of a few images as one NHWC array."""
    samples = [Sample(str(path), 0, 0) for path in paths]
    for _, crops in stream(Path(), samples, preprocess, max(1, len(paths)), workers):
        return crops
    return np.empty((0, preprocess.height, preprocess.width, 3), dtype=np.uint8)


def default_workers() -> int:
    """As many threads as this process may use processors."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_Read = NDArray[np.uint8] | DataError


def _read_chunk(paths: Sequence[Path], preprocess: Preprocess) -> list[_Read]:
    return [_read_one(path, preprocess) for path in paths]


def _read_one(path: Path, preprocess: Preprocess) -> _Read:
    try:
        return preprocess.resize(read_image(path))
    except DataError as problem:
        return problem


def _decoded(
    paths: Sequence[Path], preprocess: Preprocess, workers: int, ahead: int
) -> Generator[_Read, None, None]:
    """Every path's pixels or problem, in order, with at most `ahead` chunks under way."""
    waiting: deque[Future[list[_Read]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="crops")
    try:
        for start in range(0, len(paths), _CHUNK):
            waiting.append(pool.submit(_read_chunk, paths[start : start + _CHUNK], preprocess))
            if len(waiting) >= ahead:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _batches(
    crops: Generator[_Read, None, None],
    paths: Sequence[Path],
    preprocess: Preprocess,
    batch: int,
    bad: BadImages | None,
) -> Generator[Batch, None, None]:
    pixels = np.empty((0,), dtype=np.uint8)
    indices: list[int] = []
    try:
        for index, crop in enumerate(crops):
            if isinstance(crop, DataError):
                if bad is None:
                    raise crop
                bad.found.append(BadImage(str(paths[index]), str(crop)))
                continue
            if not indices:
                pixels = np.empty((batch, preprocess.height, preprocess.width, 3), dtype=np.uint8)
            pixels[len(indices)] = crop
            indices.append(index)
            if len(indices) == batch:
                yield np.array(indices, dtype=np.int64), pixels
                indices = []
        if indices:
            yield np.array(indices, dtype=np.int64), pixels[: len(indices)]
    finally:
        crops.close()
