"""Any folder of crops, at any depth, of people nobody named: all for training, identity unknown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError
from .base import UNKNOWN, DatasetFormat, LeftOut, ReidDataset, Sample
from .layout import listing


def _recognise(root: Path) -> bool:
    return root.is_dir() and any(images for _, images, _ in _walk(root))


def _load(root: Path) -> ReidDataset:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; check the path")
    train: list[Sample] = []
    left_out: list[LeftOut] = []
    for prefix, images, others in _walk(root):
        train += [Sample(prefix + name, UNKNOWN, UNKNOWN) for name in images]
        left_out += [LeftOut(prefix + name, "not an image") for name in others]
    return ReidDataset(FORMAT.name, root, tuple(sorted(train)), left_out=tuple(sorted(left_out)))


def _walk(
    folder: Path, prefix: str = "", above: frozenset[Path] = frozenset()
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each folder's images and other files. A link to a folder above is not followed."""
    place = folder.resolve()
    if place in above:
        return
    images, others, folders = listing(folder)
    yield prefix, images, others
    for name in folders:
        if not name.startswith("."):
            yield from _walk(folder / name, f"{prefix}{name}/", above | {place})


FORMAT = DatasetFormat(
    name="unlabelled-folder",
    title="unlabelled folder",
    recognise=_recognise,
    load=_load,
    layout="**/*.jpg",
    rank=2,
)
