"""A folder of your own with one folder per person: `<identity>/<camera>_*.jpg`.

The hash of a person's name says whether the person is for training or for testing, so new people
never move the others. Of a test person each camera with two or more images gives its first one (by
name) as a query and the rest to the gallery; where no camera has two, the first camera's image is
the query. A person seen by one camera only gives no query: it could have no match.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import DataError
from .base import DatasetFormat, LeftOut, ReidDataset, Sample
from .layout import listing

NAME = re.compile(r"([^_]+)_.+")
TRAIN_SHARE = 0.5


def is_train(identity: str) -> bool:
    """A fair, platform-independent coin per name."""
    coin = int.from_bytes(
        hashlib.sha256(identity.encode("utf-8", "surrogateescape")).digest()[:8], "big"
    )
    return coin < TRAIN_SHARE * 2**64


def _recognise(root: Path) -> bool:
    if not root.is_dir():
        return False
    images, _, folders = listing(root)
    people = [inside[0] for name in folders if (inside := listing(root / name))[0]]
    return not images and len(people) > 1 and all(NAME.fullmatch(names[0]) for names in people)


def _load(root: Path) -> ReidDataset:
    people, left_out = _read_people(root)
    camera_names = sorted({camera for found in people.values() for camera in found})
    cameras = {name: number for number, name in enumerate(camera_names, 1)}
    train: list[Sample] = []
    query: list[Sample] = []
    gallery: list[Sample] = []
    for number, (identity, found) in enumerate(people.items(), 1):
        chosen = set() if is_train(identity) else _queries(found)
        for camera, paths in found.items():
            for path in paths:
                split = train if is_train(identity) else query if path in chosen else gallery
                split.append(Sample(path, number, cameras[camera]))
    splits = [tuple(sorted(split)) for split in (train, query, gallery)]
    return ReidDataset(FORMAT.name, root, splits[0], splits[1], splits[2], tuple(left_out))


def _read_people(root: Path) -> tuple[dict[str, dict[str, list[str]]], list[LeftOut]]:
    """Paths per identity and camera, all in the order of their names."""
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; check the path")
    images, others, folders = listing(root)
    left_out = [LeftOut(name, "unknown name") for name in images]
    left_out += [LeftOut(name, "not an image") for name in others]
    people: dict[str, dict[str, list[str]]] = {}
    for identity in folders:
        images, others, _ = listing(root / identity)
        left_out += [LeftOut(f"{identity}/{name}", "not an image") for name in others]
        for name in images:
            if match := NAME.fullmatch(name):
                found = people.setdefault(identity, {})
                found.setdefault(match[1], []).append(f"{identity}/{name}")
            else:
                left_out.append(LeftOut(f"{identity}/{name}", "unknown name"))
    return people, left_out


def _queries(found: Mapping[str, list[str]]) -> set[str]:
    if len(found) < 2:
        return set()
    spare = {paths[0] for paths in found.values() if len(paths) > 1}
    return spare or {found[min(found)][0]}


FORMAT = DatasetFormat(
    name="labelled-folder",
    title="labelled folder",
    recognise=_recognise,
    load=_load,
    layout="<identity>/<camera>_*.jpg",
    rank=1,
)
