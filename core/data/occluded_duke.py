"""Occluded-Duke (Miao et al., ICCV 2019): DukeMTMC-reID sorted anew so that queries are occluded.

Its files have DukeMTMC's names in DukeMTMC's folders: only the name of the folder tells them apart.
"""

from __future__ import annotations

import re
from pathlib import Path

from .base import DatasetFormat, ReidDataset
from .boxes import find_boxes, has_folders, read_boxes
from .layout import homes

FOLDER_NAME = re.compile(r"occ(luded)?[-_ ]?duke([-_ ]?mtmc)?([-_ ]?reid)?", re.IGNORECASE)


def _holds(home: Path) -> bool:
    return has_folders(home) and FOLDER_NAME.fullmatch(home.name) is not None


def _recognise(root: Path) -> bool:
    return bool(homes(root, FOLDER_NAME, _holds))


def _load(root: Path) -> ReidDataset:
    home = find_boxes(root, homes(root, FOLDER_NAME, _holds), "Occluded-Duke")
    return read_boxes(home, FORMAT.name)


FORMAT = DatasetFormat(
    name="occluded-duke",
    title="Occluded-Duke",
    recognise=_recognise,
    load=_load,
    layout="Occluded_Duke/{bounding_box_train,query,bounding_box_test}/0005_c2_f0046985.jpg",
    published={
        "train_images": 15618,
        "train_identities": 702,
        "train_cameras": 8,
        "query_images": 2210,
        "query_identities": 519,
        "query_cameras": 8,
        "gallery_images": 17661,
        "gallery_identities": 1110,
        "gallery_cameras": 8,
    },
)
