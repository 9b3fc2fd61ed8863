"""The crops to look at: files, or folders of files, with those that cannot be read told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.data.base import UNKNOWN, Sample
from ...core.data.crops import stream
from ...core.data.layout import listing
from ...core.errors import DataError
from ...core.preprocess import Preprocess


@dataclass(frozen=True)
class Crops:
    """Resized crops under their paths, why others are missing, and how many were left out."""

    paths: tuple[Path, ...]
    pixels: NDArray[np.uint8]
    bad: tuple[str, ...]
    beyond: int = 0


def gather(given: Sequence[Path], preprocess: Preprocess, limit: int) -> Crops:
    """At most `limit` crops, evenly from all that were given."""
    found = [path for one in given for path in _files(one)]
    if not found:
        raise DataError(
            f"no images in {', '.join(map(str, given))}; name image files or folders of them"
        )
    steps = np.linspace(0, len(found), min(limit, len(found)), endpoint=False).astype(int)
    chosen = [found[step] for step in steps]
    samples = [Sample(str(path.absolute()), UNKNOWN, 0) for path in chosen]
    crops = stream(Path(), samples, preprocess, len(samples), skip_bad=True)
    batches = list(crops)
    bad = tuple(one.reason for one in crops.bad)
    if not batches:
        raise DataError(f"none of the {len(bad)} images can be read; the first: {bad[0]}")
    indices, pixels = batches[0]
    good = tuple(chosen[index] for index in indices)
    return Crops(good, pixels, bad, len(found) - len(chosen))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    images, _, folders = listing(path)
    return [path / name for name in images] + [
        file for folder in folders for file in _files(path / folder)
    ]
