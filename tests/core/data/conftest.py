"""Small true layouts of every data set format, written in an order that is not the names' order."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

MARKET = {
    "bounding_box_train": ["0002_c1s1_000451_03.jpg", "0002_c3s1_000551_00.jpg"],
    "query": ["0003_c1s1_000001_00.jpg", "0010_c6s2_000001_00.jpg"],
    "bounding_box_test": [
        "-1_c2s1_000451_03.jpg",
        "0000_c2s1_000452_03.jpg",
        "0003_c1s1_000002_00.jpg",
        "0003_c2s1_000003_00.JPG",
        "0010_c5s2_000004_00.jpg",
    ],
}
DUKE = {
    "bounding_box_train": ["0001_c2_f0046182.jpg", "0001_c8_f0046302.jpg"],
    "query": ["0005_c2_f0046985.jpg"],
    "bounding_box_test": ["0005_c5_f0000001.jpg", "0005_c2_f0000002.jpg", "0006_c1_f0000003.jpg"],
}
MSMT = {
    "list_train.txt": [
        "0001/0001_000_02_0303morning_0001_0.jpg 1",
        "0000/0000_000_01_0303morning_0008_0.jpg 0",
    ],
    "list_val.txt": ["0000/0000_001_14_0303noon_0009_0.jpg 0"],
    "list_query.txt": ["0000/0000_000_01_0303morning_0033_0.jpg 0"],
    "list_gallery.txt": [
        "0001/0001_000_03_0302afternoon_0001_0.jpg 1",
        "0000/0000_001_15_0302afternoon_0002_0.jpg 0",
    ],
}
LABELLED = {
    "anna": ["door_1.jpg", "door_2.jpg", "hall_1.jpg"],
    "ben": ["door_1.jpg", "hall_1.png"],
    "chloe": ["hall_1.jpg"],
    "dan": ["door_1.jpg", "hall_1.jpg"],
    "eve": ["hall_7.jpg", "door_9.jpg", "hall_5.jpg"],
}
UNLABELLED = {".": ["b.jpg"], "2024/may": ["a.jpg", "c.png"], "2024": ["z.jpg"]}


def write_images(folders: Mapping[str, list[str]], root: Path) -> Path:
    """In a shuffled order, so that a loader that trusts the file system shows itself."""
    names = [f"{folder}/{name}" for folder, inside in folders.items() for name in inside]
    random.Random(5).shuffle(names)  # noqa: S311
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        format = "PNG" if path.suffix == ".png" else "JPEG"
        Image.new("RGB", (8, 16 + number), (number, 90, 200)).save(path, format)
    return root


def write_msmt(root: Path, train: str = "train", test: str = "test") -> Path:
    images: dict[str, list[str]] = {train: [], test: []}
    for name, lines in MSMT.items():
        folder = train if name in ("list_train.txt", "list_val.txt") else test
        images[folder] += [line.split()[0] for line in lines]
    write_images(images, root)
    for name, lines in MSMT.items():
        (root / name).write_text("\n".join(lines) + "\n")
    return root


@dataclass(frozen=True)
class Layout:
    """How to make a format's folder, and what must come out: (path, identity, camera)."""

    build: Callable[[Path], Path]
    train: list[tuple[str, int, int]]
    query: list[tuple[str, int, int]]
    gallery: list[tuple[str, int, int]]


LAYOUTS = {
    "market1501": Layout(
        lambda root: write_images(MARKET, root / "Market-1501-v15.09.15"),
        [
            ("bounding_box_train/0002_c1s1_000451_03.jpg", 2, 1),
            ("bounding_box_train/0002_c3s1_000551_00.jpg", 2, 3),
        ],
        [("query/0003_c1s1_000001_00.jpg", 3, 1), ("query/0010_c6s2_000001_00.jpg", 10, 6)],
        [
            ("bounding_box_test/0000_c2s1_000452_03.jpg", 0, 2),
            ("bounding_box_test/0003_c1s1_000002_00.jpg", 3, 1),
            ("bounding_box_test/0003_c2s1_000003_00.JPG", 3, 2),
            ("bounding_box_test/0010_c5s2_000004_00.jpg", 10, 5),
        ],
    ),
    "dukemtmc": Layout(
        lambda root: write_images(DUKE, root / "DukeMTMC-reID"),
        [
            ("bounding_box_train/0001_c2_f0046182.jpg", 1, 2),
            ("bounding_box_train/0001_c8_f0046302.jpg", 1, 8),
        ],
        [("query/0005_c2_f0046985.jpg", 5, 2)],
        [
            ("bounding_box_test/0005_c2_f0000002.jpg", 5, 2),
            ("bounding_box_test/0005_c5_f0000001.jpg", 5, 5),
            ("bounding_box_test/0006_c1_f0000003.jpg", 6, 1),
        ],
    ),
    "msmt17": Layout(
        lambda root: write_msmt(root / "MSMT17_V1"),
        [
            ("train/0000/0000_000_01_0303morning_0008_0.jpg", 1, 1),
            ("train/0000/0000_001_14_0303noon_0009_0.jpg", 1, 14),
            ("train/0001/0001_000_02_0303morning_0001_0.jpg", 2, 2),
        ],
        [("test/0000/0000_000_01_0303morning_0033_0.jpg", 3, 1)],
        [
            ("test/0000/0000_001_15_0302afternoon_0002_0.jpg", 3, 15),
            ("test/0001/0001_000_03_0302afternoon_0001_0.jpg", 4, 3),
        ],
    ),
    "labelled-folder": Layout(
        lambda root: write_images(LABELLED, root / "people"),
        [
            ("anna/door_1.jpg", 1, 1),
            ("anna/door_2.jpg", 1, 1),
            ("anna/hall_1.jpg", 1, 2),
            ("ben/door_1.jpg", 2, 1),
            ("ben/hall_1.png", 2, 2),
        ],
        [("dan/door_1.jpg", 4, 1), ("eve/hall_5.jpg", 5, 2)],
        [
            ("chloe/hall_1.jpg", 3, 2),
            ("dan/hall_1.jpg", 4, 2),
            ("eve/door_9.jpg", 5, 1),
            ("eve/hall_7.jpg", 5, 2),
        ],
    ),
    "unlabelled-folder": Layout(
        lambda root: write_images(UNLABELLED, root / "crops"),
        [
            ("2024/may/a.jpg", -1, -1),
            ("2024/may/c.png", -1, -1),
            ("2024/z.jpg", -1, -1),
            ("b.jpg", -1, -1),
        ],
        [],
        [],
    ),
}
LAYOUTS["occluded-duke"] = Layout(
    lambda root: write_images(DUKE, root / "Occluded_Duke"),
    LAYOUTS["dukemtmc"].train,
    LAYOUTS["dukemtmc"].query,
    LAYOUTS["dukemtmc"].gallery,
)


@pytest.fixture(scope="session")
def layouts() -> Mapping[str, Layout]:
    return LAYOUTS


@pytest.fixture
def market(tmp_path: Path) -> Path:
    return LAYOUTS["market1501"].build(tmp_path)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return LAYOUTS["labelled-folder"].build(tmp_path)
