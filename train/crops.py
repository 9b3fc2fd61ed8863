"""The training crops, decoded and resized once where memory allows, else when needed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ..core.data.base import ReidDataset, Sample, cameras
from ..core.data.crops import stream
from ..core.errors import DataError
from ..core.images import read_image
from ..core.preprocess import Preprocess

SHOWN = 5


@dataclass(frozen=True)
class Reading:
    """How crops are read: in how many threads, with how much memory, and whether some may fail."""

    workers: int = 2
    cache_bytes: int = 4 << 30
    skip_bad: bool = False


@dataclass(frozen=True)
class TrainingCrops:
    """The crops that can be read, their labels from 0 on, and their pixels if they were kept."""

    root: Path
    samples: tuple[Sample, ...]
    labels: NDArray[np.int64]
    preprocess: Preprocess
    pixels: NDArray[np.uint8] | None
    bad: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1

    @property
    def digest(self) -> str:
        """What the training list is, so that a resumed run can tell that it changed."""
        lines = (f"{sample.path}\t{sample.identity}\t{sample.camera}" for sample in self.samples)
        return sha256("\n".join(lines).encode()).hexdigest()

    @property
    def people(self) -> str:
        """A digest of whom the classes stand for, in their order."""
        known = sorted({sample.identity for sample in self.samples})
        return sha256(",".join(map(str, known)).encode()).hexdigest()

    def read(self, index: int) -> NDArray[np.uint8]:
        if self.pixels is not None:
            kept: NDArray[np.uint8] = self.pixels[index]
            return kept
        return resized(self.root, self.samples[index], self.preprocess)


def load_crops(
    dataset: ReidDataset, preprocess: Preprocess, reading: Reading, labelled: bool = True
) -> TrainingCrops:
    """Open the training split; unreadable crops are an error unless they may be skipped."""
    _check_labelled(dataset, labelled)
    keep = len(dataset.train) * preprocess.height * preprocess.width * 3 <= reading.cache_bytes
    samples, bad, pixels = dataset.train, tuple[str, ...](), None
    if keep or reading.skip_bad:
        good, bad, pixels = _decode_all(dataset, preprocess, reading, keep)
        if bad and not reading.skip_bad:
            raise DataError(_complaint(bad, len(dataset.train)))
        samples = tuple(dataset.train[index] for index in good)
    if not samples:
        raise DataError(
            f"none of the {len(dataset.train)} training crops in {dataset.root} can be read"
        )
    return TrainingCrops(dataset.root, samples, labels_of(samples), preprocess, pixels, bad)


def labels_of(samples: Iterable[Sample]) -> NDArray[np.int64]:
    """Class numbers from 0, in the order of the identities."""
    identities = np.array([sample.identity for sample in samples], dtype=np.int64)
    return np.unique(identities, return_inverse=True)[1].astype(np.int64)


def camera_rows(training: tuple[Sample, ...]) -> dict[int, int]:
    """Rows of a camera embedding, in the order of the training cameras' numbers."""
    return {int(camera): row for row, camera in enumerate(np.unique(cameras(training)))}


def resized(root: Path, sample: Sample, preprocess: Preprocess) -> NDArray[np.uint8]:
    return preprocess.resize(read_image(root / sample.path))


def _check_labelled(dataset: ReidDataset, labelled: bool) -> None:
    if not dataset.train:
        raise DataError(f"{dataset.root} ({dataset.name}) has no training crops")
    unknown = sum(sample.identity < 0 for sample in dataset.train)
    if unknown and labelled:
        raise DataError(
            f"{unknown} of {len(dataset.train)} training crops in {dataset.root} ({dataset.name}) "
            "do not say whom they show; fine-tuning needs identities"
        )


def _decode_all(
    dataset: ReidDataset, preprocess: Preprocess, reading: Reading, keep: bool
) -> tuple[list[int], tuple[str, ...], NDArray[np.uint8] | None]:
    """Read every crop once: which are good, why the others are not, and the pixels to keep."""
    total = len(dataset.train)
    shape = (total if keep else 0, preprocess.height, preprocess.width, 3)
    pixels = np.empty(shape, dtype=np.uint8)
    good: list[int] = []
    crops = stream(dataset.root, dataset.train, preprocess, 64, reading.workers, skip_bad=True)
    with click.progressbar(length=total, label="reading crops", file=sys.stderr) as bar:
        for indices, batch in crops:
            if keep:
                pixels[len(good) : len(good) + len(indices)] = batch
            good += indices.tolist()
            bar.update(len(indices))
    reasons = tuple(bad.reason for bad in crops.bad)
    return good, reasons, pixels[: len(good)] if keep else None


def _complaint(reasons: tuple[str, ...], total: int) -> str:
    shown = "; ".join(reasons[:SHOWN])
    more = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
    return (
        f"{len(reasons)} of {total} training crops cannot be read: {shown}{more}. "
        "Mend or remove them, or train without them with --skip-bad"
    )
