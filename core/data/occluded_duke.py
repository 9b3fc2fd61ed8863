"""Occluded-Duke (Miao et al., ICCV 2019): DukeMTMC-reID sorted anew so that queries are occluded.

Its files have DukeMTMC's names in DukeMTMC's folders: only the name of the folder tells them apart.
"""

from __future__ import annotations

import re
from pathlib import Path

from .base import DatasetFormat, ReidDataset
from .boxes import has_folders, read_boxes
from .layout import homes, only_home

FOLDER_NAME = re.compile(r"occ(luded)?[-_ ]?duke([-_ ]?mtmc)?([-_ ]?reid)?", re.IGNORECASE)


def _holds(home: Path) -> bool:
    return has_folders(home) and FOLDER_NAME.fullmatch(home.name) is not None


def _recognise(root: Path) -> bool:
    return bool(homes(root, FOLDER_NAME, _holds))


def _load(root: Path) -> ReidDataset:
    """A folder of another name is taken too: whoever names the format knows what it is."""
    found = homes(root, FOLDER_NAME, _holds) or [home for home in [root] if has_folders(home)]
    return read_boxes(only_home(found, root, "Occluded-Duke"), FORMAT.name)


FORMAT = DatasetFormat(
    name="occluded-duke",
    title="Occluded-Duke",
    recognise=_recognise,
    load=_load,
    layout="Occluded_Duke/{bounding_box_train,query,bounding_box_test}/0005_c2_f0046985.jpg",
    published={
        "train_images": 15618,
        "train_identities": 702,
        "query_images": 2210,
        "query_identities": 519,
        "gallery_images": 17661,
        "gallery_identities": 1110,
    },
)
