"""The same six crops as every kind of pool, each as its users have it."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image

NAMES = (
    "00_00_0000_00000000",
    "00_00_0000_00000001",
    "00_01_0003_00000000",
    "01_00_0000_00000007",
    "01_00_0000_00000012",
    "01_02_0004_00000002",
)


def jpeg(seed: int, height: int = 24, width: int = 12) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG")
    return data.getvalue()


IMAGES = {name: jpeg(number) for number, name in enumerate(NAMES)}


def write_folder(root: Path) -> Path:
    for name, data in IMAGES.items():
        path = root / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "notes.txt").write_text("not an image")
    return root


def write_list(root: Path) -> Path:
    write_folder(root / "images")
    (root / "list.txt").write_text("".join(f"images/{name}.jpg\n" for name in NAMES))
    return root / "list.txt"


def write_lmdb(root: Path) -> Path:
    """As LUPerson's own script writes it: the key list lies beside the LMDB's folder."""
    place = root / "lup_lmdb"
    root.mkdir(parents=True, exist_ok=True)
    with lmdb.open(str(place), map_size=1 << 22) as store, store.begin(write=True) as change:
        for name, data in IMAGES.items():
            change.put(name.encode("ascii"), data)
    (root / "keys.pkl").write_bytes(pickle.dumps(list(NAMES)))
    return place


def write_shards(root: Path) -> Path:
    """Foreign ones: a picture, its JSON and a text for every sample, in two archives."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(2):
        with tarfile.open(root / f"part-{number}.tar", "w") as archive:
            for name in NAMES[3 * number : 3 * number + 3]:
                extra = {"json": json.dumps({"key": name}).encode(), "txt": b"a person"}
                for suffix, data in {"jpg": IMAGES[name], **extra}.items():
                    member = tarfile.TarInfo(f"{name}.{suffix}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    return root


WRITERS = {"folder": write_folder, "list": write_list, "lmdb": write_lmdb, "shards": write_shards}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def images() -> dict[str, bytes]:
    return dict(IMAGES)


@pytest.fixture
def write(tmp_path):
    """Write the six crops as this kind of pool."""

    def make(kind: str, folder: str = "pool") -> Path:
        return WRITERS[kind](tmp_path / folder)

    return make
