"""DukeMTMC-reID (Zheng et al., ICCV 2017): 1,404 people and 408 distractors, eight cameras.

Withdrawn by its authors; nothing is downloaded here.
"""

from __future__ import annotations

import re
from pathlib import Path

from .base import DatasetFormat, ReidDataset
from .boxes import find_boxes, has_folders, has_market_names, read_boxes
from .layout import homes
from .occluded_duke import FOLDER_NAME as OCCLUDED

FOLDER_NAME = re.compile(r"duke[-_ ]?mtmc([-_ ]?reid)?", re.IGNORECASE)


def _holds(home: Path) -> bool:
    return has_folders(home) and not OCCLUDED.fullmatch(home.name) and not has_market_names(home)


def _recognise(root: Path) -> bool:
    return bool(homes(root, FOLDER_NAME, _holds))


def _load(root: Path) -> ReidDataset:
    home = find_boxes(root, homes(root, FOLDER_NAME, _holds), "DukeMTMC-reID")
    return read_boxes(home, FORMAT.name)


FORMAT = DatasetFormat(
    name="dukemtmc",
    title="DukeMTMC-reID",
    recognise=_recognise,
    load=_load,
    layout="{bounding_box_train,query,bounding_box_test}/0005_c2_f0046985.jpg",
    published={
        "train_images": 16522,
        "train_identities": 702,
        "train_cameras": 8,
        "query_images": 2228,
        "query_identities": 702,
        "query_cameras": 8,
        "gallery_images": 17661,
        "gallery_identities": 1110,
        "gallery_cameras": 8,
    },
)
