"""What every folder layout needs: sorted listings, finding the folder, parsing names.

File systems list a folder in any order, so every listing here is sorted by name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from ..errors import DataError
from ..images import SUFFIXES


def is_image(name: str) -> bool:
    """By suffix, in any case. Names with a leading dot are an operating system's own files."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122


def listing(folder: Path) -> tuple[list[str], list[str], list[str]]:
    """Sorted names of the images, the other files and the folders directly in `folder`."""
    images: list[str] = []
    others: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            kept = folders if _is_folder(entry) else images if is_image(entry.name) else others
            kept.append(entry.name)
    return sorted(images), sorted(others), sorted(folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself: reading it says so, with its path
        return False


def homes(root: Path, names: re.Pattern[str], holds: Callable[[Path], bool]) -> list[Path]:
    """Where a layout lies: `root` itself, or the folders below it that bear its name."""
    if not root.is_dir():
        return []
    if holds(root):
        return [root]
    found = []
    for name in listing(root)[2]:
        if names.fullmatch(name):
            found += homes(root / name, names, holds)
    return found


def only_home(found: list[Path], root: Path, title: str) -> Path:
    if not found:
        raise DataError(f"{root}: no {title} folder here; see the layouts in docs/data.md")
    if len(found) > 1:
        places = ", ".join(str(place) for place in found)
        raise DataError(f"{root}: several {title} folders ({places}); give one of them")
    return found[0]
