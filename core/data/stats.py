"""`personvit-data stats`: how many images, people and cameras, and how large the images are."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..command import argument, option
from ..errors import DataError
from ..images import image_size
from .base import DISTRACTOR, UNKNOWN, ReidDataset, Sample
from .catalogue import open_dataset
from .catalogue import stats as counts_of


@dataclass(frozen=True)
class StatsOptions:
    """Show a data set: images, identities and cameras per split, and the sizes of its images.

    Example: personvit-data stats /data/MSMT17_V1
    """

    root: Path = argument("The data set's folder, or the folder it lies in.")
    kind: str | None = option(None, "Its format, where it cannot be recognised.")
    sizes: bool = option(True, "Read the size of every image from its header.")


@dataclass(frozen=True)
class Spread:
    """Where the values of something lie."""

    smallest: float
    median: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        if not values:
            return None
        return cls(float(min(values)), float(np.median(values)), float(max(values)))

    def __str__(self) -> str:
        return f"{self.smallest:.4g} / {self.median:.4g} / {self.largest:.4g}"


@dataclass(frozen=True)
class DatasetStats:
    """A data set in numbers; spreads are smallest / median / largest."""

    format: str
    root: str
    counts: Mapping[str, int]
    images_per_identity: Mapping[str, Spread | None]
    height: Spread | None
    width: Spread | None
    height_by_width: Spread | None
    unreadable: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {"schema": 1, **asdict(self)}

    def as_text(self) -> str:
        lines = [
            f"{self.root}: {self.format}",
            f"{'split':<9}{'images':>9}{'identities':>12}{'cameras':>9}   images per identity",
        ]
        for split, spread in self.images_per_identity.items():
            images, people, cameras = (
                self.counts[f"{split}_{what}"] for what in ("images", "identities", "cameras")
            )
            row = f"{split:<9}{images:>9}{people:>12}{cameras:>9}"
            lines.append(row + (f"   {spread}" if spread else ""))
        for name in ("gallery_distractors", "junk_images", "other_files"):
            lines += [f"{name}: {self.counts[name]}"] * (self.counts[name] > 0)
        for name in ("height", "width", "height_by_width"):
            lines += [f"{name}: {getattr(self, name)}"] * (getattr(self, name) is not None)
        lines.append("spreads are smallest / median / largest")
        lines += [f"unreadable: {reason}" for reason in self.unreadable]
        return "\n".join(lines)


def stats(options: StatsOptions) -> DatasetStats:
    dataset = open_dataset(options.root, options.kind)
    sizes, unreadable = _sizes(dataset) if options.sizes else ([], ())
    return DatasetStats(
        format=dataset.name,
        root=str(dataset.root),
        counts=counts_of(dataset),
        images_per_identity={
            split: Spread.of(_per_identity(samples)) for split, samples in dataset.splits().items()
        },
        height=Spread.of([height for height, _ in sizes]),
        width=Spread.of([width for _, width in sizes]),
        height_by_width=Spread.of([height / width for height, width in sizes]),
        unreadable=unreadable,
    )


def _per_identity(samples: Sequence[Sample]) -> list[float]:
    counts = Counter(sample.identity for sample in samples)
    return [count for person, count in counts.items() if person not in (DISTRACTOR, UNKNOWN)]


def _sizes(dataset: ReidDataset) -> tuple[list[tuple[int, int]], tuple[str, ...]]:
    samples = [sample for split in dataset.splits().values() for sample in split]
    with click.progressbar(samples, label="reading sizes", file=sys.stderr) as bar:
        read = [_size(dataset.root / sample.path) for sample in bar]
    sizes = [size for size in read if not isinstance(size, str)]
    return sizes, tuple(reason for reason in read if isinstance(reason, str))


def _size(path: Path) -> tuple[int, int] | str:
    try:
        return image_size(path)
    except DataError as problem:
        return str(problem)
