"""The three folders of Market-1501, which DukeMTMC-reID and Occluded-Duke took over.

`bounding_box_train`, `query` and `bounding_box_test` hold images whose names start with identity
and camera. Identity -1 is junk (a detection of too little of a person) and is dropped when loading;
identity 0 is a distractor and stays in the gallery, where it can only be wrong.
"""

from __future__ import annotations

import re
from pathlib import Path

from .base import UNKNOWN, LeftOut, ReidDataset, Sample
from .layout import listing, only_home

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
NAME = re.compile(r"(-?\d+)_c(\d+).*")
MARKET_NAME = re.compile(r"-?\d+_c\d+s\d+_.*")


def has_folders(home: Path) -> bool:
    return all((home / folder).is_dir() for folder in FOLDERS.values())


def has_market_names(home: Path) -> bool:
    """Market-1501 numbers its sequences (`c1s1`), DukeMTMC does not; one image tells."""
    for folder in FOLDERS.values():
        for name in listing(home / folder)[0]:
            if NAME.fullmatch(name):
                return MARKET_NAME.fullmatch(name) is not None
    return False


def find_boxes(root: Path, found: list[Path], title: str) -> Path:
    """Where nothing is recognised, the three folders will do: the user has named the format."""
    return only_home(found or [home for home in [root] if has_folders(home)], root, title)


def read_boxes(home: Path, name: str) -> ReidDataset:
    left_out: list[LeftOut] = []
    train, query, gallery = (
        _read_folder(home, FOLDERS[split], left_out) for split in ("train", "query", "gallery")
    )
    return ReidDataset(name, home, train, query, gallery, tuple(left_out))


def _read_folder(home: Path, folder: str, left_out: list[LeftOut]) -> tuple[Sample, ...]:
    images, others, _ = listing(home / folder)
    left_out += [LeftOut(f"{folder}/{other}", "not an image") for other in others]
    samples = []
    for image in images:
        path, match = f"{folder}/{image}", NAME.fullmatch(image)
        if match is None or int(match[1]) < UNKNOWN:
            left_out.append(LeftOut(path, "unknown name"))
        elif int(match[1]) == UNKNOWN:
            left_out.append(LeftOut(path, "junk"))
        else:
            samples.append(Sample(path, int(match[1]), int(match[2])))
    return tuple(samples)
