"""MSMT17 (Wei et al., CVPR 2018): 4,101 people, 15 cameras; V1, and V2 with masked faces.

Training is `list_train` and `list_val` together, as everyone reports it. The lists number test
people from 0 again; here they go on after the training people, so that a number is one person.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import DataError
from .base import DatasetFormat, LeftOut, ReidDataset, Sample
from .layout import homes, only_home

FOLDER_NAME = re.compile(r"msmt17([-_ ]?v[12])?", re.IGNORECASE)
FOLDERS = (("train", "test"), ("mask_train_v2", "mask_test_v2"))
LISTS = ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt")
IMAGE = re.compile(r"(?:[^/]+/)*[^_/]+_[^_/]+_(\d+)_[^/]+")


def _folders(home: Path) -> tuple[str, str] | None:
    return next((pair for pair in FOLDERS if all((home / name).is_dir() for name in pair)), None)


def _holds(home: Path) -> bool:
    return _folders(home) is not None and (home / LISTS[0]).is_file()


def _recognise(root: Path) -> bool:
    return bool(homes(root, FOLDER_NAME, _holds))


def _load(root: Path) -> ReidDataset:
    home = only_home(homes(root, FOLDER_NAME, _holds), root, "MSMT17")
    pair = _folders(home)
    if pair is None:
        raise DataError(f"{home}: neither of the folder pairs {FOLDERS} is here; unpack it again")
    left_out: list[LeftOut] = []
    train, val, query, gallery = (
        _read_list(home / name, pair[0 if position < 2 else 1], left_out)
        for position, name in enumerate(LISTS)
    )
    train = sorted(train + val)
    after = max((sample.identity for sample in train), default=0)
    query, gallery = (
        sorted(sample._replace(identity=sample.identity + after) for sample in split)
        for split in (query, gallery)
    )
    return ReidDataset(
        FORMAT.name, home, tuple(train), tuple(query), tuple(gallery), tuple(left_out)
    )


def _read_list(path: Path, folder: str, left_out: list[LeftOut]) -> list[Sample]:
    """Lines such as `0000/0000_000_01_0303morning_0008_0.jpg 0`: a path and a person from 0."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise DataError(
            f"{path}: cannot be read ({problem}); unpack the data set again"
        ) from problem
    samples = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, person = line.strip().rpartition(" ")
        if not name or not person.isdecimal():
            raise DataError(f"{path}, line {number}: expected '<image> <identity>', found {line!r}")
        match = IMAGE.fullmatch(name)
        if match is None or ".." in name.split("/"):
            left_out.append(LeftOut(f"{folder}/{name}", "unknown name"))
        else:
            samples.append(Sample(f"{folder}/{name}", int(person) + 1, int(match[1])))
    return samples


FORMAT = DatasetFormat(
    name="msmt17",
    title="MSMT17",
    recognise=_recognise,
    load=_load,
    layout="{train,test}/<identity>/0000_000_01_0303morning_0008_0.jpg and list_*.txt "
    "(V2: {mask_train_v2,mask_test_v2})",
    published={
        "train_images": 32621,
        "train_identities": 1041,
        "train_cameras": 15,
        "query_images": 11659,
        "query_identities": 3060,
        "query_cameras": 15,
        "gallery_images": 82161,
        "gallery_identities": 3060,
        "gallery_cameras": 15,
    },
)
