"""Market-1501 (Zheng et al., ICCV 2015): 1,501 people, six cameras on a campus."""

from __future__ import annotations

import re
from pathlib import Path

from .base import DatasetFormat, ReidDataset
from .boxes import find_boxes, has_folders, has_market_names, read_boxes
from .layout import homes
from .occluded_duke import FOLDER_NAME as OCCLUDED

FOLDER_NAME = re.compile(r"market[-_ ]?1501([-_ ]v[\d.]+)?", re.IGNORECASE)


def _holds(home: Path) -> bool:
    return has_folders(home) and not OCCLUDED.fullmatch(home.name) and has_market_names(home)


def _recognise(root: Path) -> bool:
    return bool(homes(root, FOLDER_NAME, _holds))


def _load(root: Path) -> ReidDataset:
    home = find_boxes(root, homes(root, FOLDER_NAME, _holds), "Market-1501")
    return read_boxes(home, FORMAT.name)


FORMAT = DatasetFormat(
    name="market1501",
    title="Market-1501",
    recognise=_recognise,
    load=_load,
    layout="{bounding_box_train,query,bounding_box_test}/0002_c1s1_000451_03.jpg",
    published={
        "train_images": 12936,
        "train_identities": 751,
        "train_cameras": 6,
        "query_images": 3368,
        "query_identities": 750,
        "query_cameras": 6,
        "gallery_images": 15913,
        "gallery_identities": 750,
        "gallery_cameras": 6,
        "junk_images": 3819,
    },
)
