"""What a data set is, whatever folder layout it comes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
DISTRACTOR = 0


class Sample(NamedTuple):
    """One crop: its path below the data set's root (with '/'), whom it shows, and the camera.

    Identities count from 1, so that 0 is only ever a distractor; cameras are numbered as published
    (from 1). Whoever needs class or camera indices from 0 relabels.
    """

    path: str
    identity: int
    camera: int


class LeftOut(NamedTuple):
    """One file that was found and does not become a sample, and why."""

    path: str
    reason: Literal["junk", "not an image", "unknown name"]


@dataclass(frozen=True)
class ReidDataset:
    """Three splits in an order that depends on names only, never on the file system."""

    name: str
    root: Path
    train: tuple[Sample, ...]
    query: tuple[Sample, ...] = ()
    gallery: tuple[Sample, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def splits(self) -> Mapping[str, tuple[Sample, ...]]:
        return {"train": self.train, "query": self.query, "gallery": self.gallery}


@dataclass(frozen=True)
class DatasetFormat:
    """How one layout is recognised and read; a file of this package registers one as `FORMAT`."""

    name: str
    title: str
    recognise: Callable[[Path], bool]
    load: Callable[[Path], ReidDataset]
    layout: str
    published: Mapping[str, int] = field(default_factory=dict)
    """Counts a complete copy has, by keys of `catalogue.stats` such as `train_images`."""
    rank: int = 0
    """A layout of a higher rank is considered only where none of a lower rank is recognised."""


def identities(samples: tuple[Sample, ...]) -> NDArray[np.int64]:
    return np.array([sample.identity for sample in samples], dtype=np.int64)


def cameras(samples: tuple[Sample, ...]) -> NDArray[np.int64]:
    return np.array([sample.camera for sample in samples], dtype=np.int64)
