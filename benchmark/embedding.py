"""A split of a data set, embedded by an engine while the next crops are being read."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ..core.data.base import Sample, cameras, identities
from ..core.data.crops import BadImages, stream
from ..core.errors import DataError
from ..engines.base import Engine


@dataclass(frozen=True)
class EmbeddedSplit:
    """Embeddings of the samples that could be read, in the order of the data set."""

    vectors: NDArray[np.float32]
    samples: tuple[Sample, ...]
    bad: BadImages
    seconds: float

    @property
    def identities(self) -> NDArray[np.int64]:
        return identities(self.samples)

    @property
    def cameras(self) -> NDArray[np.int64]:
        return cameras(self.samples)


@dataclass(frozen=True)
class Reading:
    """How the crops are read."""

    batch: int = 32
    workers: int | None = None
    skip_bad: bool = False


def embed_split(
    engine: Engine,
    root: Path,
    samples: Sequence[Sample],
    reading: Reading,
    *,
    label: str = "embedding",
    camera_index: Mapping[int, int] | None = None,
) -> EmbeddedSplit:
    """`camera_index` says where the model's table has each camera, for models that take one."""
    crops = stream(
        root, samples, engine.preprocess, reading.batch, reading.workers, reading.skip_bad
    )
    width = next(spec.shape[1] for spec in engine.outputs if spec.meaning == "embedding")
    vectors = np.empty((len(samples), width or 0), dtype=np.float32)
    takes_camera = any(spec.meaning == "camera" for spec in engine.inputs)
    seen: list[Sample] = []
    began = time.perf_counter()
    with click.progressbar(length=len(samples), label=label, file=sys.stderr) as bar:
        for indices, pixels in crops:
            batch = [samples[index] for index in indices]
            rows = _camera_rows(batch, camera_index) if takes_camera else None
            engine.embed(pixels, vectors[len(seen) : len(seen) + len(batch)], rows)
            seen += batch
            bar.update(len(batch))
    seconds = time.perf_counter() - began
    return EmbeddedSplit(vectors[: len(seen)], tuple(seen), crops.bad, seconds)


def _camera_rows(
    batch: Sequence[Sample], camera_index: Mapping[int, int] | None
) -> NDArray[np.int64]:
    known = camera_index or {}
    strangers = sorted({sample.camera for sample in batch} - set(known))
    if strangers:
        raise DataError(
            f"this model knows the cameras {sorted(known)} of its training split and cannot embed "
            f"an image of camera {strangers[0]}; evaluate it on the data set it was trained on"
        )
    return np.array([known[sample.camera] for sample in batch], dtype=np.int64)
