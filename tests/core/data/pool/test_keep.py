"""Filtered lists: what is kept, and what is said about names that nothing bears."""

from __future__ import annotations

import pickle

import pytest

from personvit.core.data.pool import open_pool
from personvit.core.errors import DataError


def keys(pool) -> list[str]:
    return [pool.key(number) for number in range(len(pool))]


@pytest.mark.parametrize("kind", ["folder", "list", "lmdb", "shards"])
def test_names_are_kept_whatever_the_pool_and_in_its_order(kind, write, tmp_path, images):
    names = list(images)
    keep = tmp_path / "CFS_list.pkl"
    keep.write_bytes(pickle.dumps([f"{names[4]}.jpg", names[1], "nowhere.jpg"]))
    pool = open_pool(write(kind), keep)
    assert [pool.read(number) for number in range(len(pool))] == [
        images[names[1]],
        images[names[4]],
    ]
    assert pool.index.notes == {"listed": 3, "missing": 1}
    assert pool.digest != open_pool(pool.where).digest


def test_paths_are_compared_as_paths_and_bare_names_in_any_folder(tmp_path, images):
    data = next(iter(images.values()))
    for name in ("a/1.jpg", "b/1.jpg", "b/2.jpg"):
        (tmp_path / "pool" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pool" / name).write_bytes(data)
    keep = tmp_path / "keep.txt"
    keep.write_text("./b/1.jpg\n")
    assert keys(open_pool(tmp_path / "pool", keep)) == ["b/1.jpg"]
    keep.write_text("1\n")
    assert keys(open_pool(tmp_path / "pool", keep)) == ["a/1.jpg", "b/1.jpg"]


def test_a_list_of_another_pool_is_told(write, tmp_path):
    keep = tmp_path / "keep.txt"
    keep.write_text("elsewhere/1.jpg\n")
    with pytest.raises(DataError, match=r"none of its 1 names .*elsewhere/1.jpg.*00_00_0000"):
        open_pool(write("folder"), keep)
    with pytest.raises(DataError, match="no such list"):
        open_pool(write("folder"), tmp_path / "nothing.txt")


def test_a_changed_list_is_used(write, tmp_path, images):
    keep = tmp_path / "keep.txt"
    where = write("folder")
    for name in list(images)[:2]:
        keep.write_text(name)
        assert keys(open_pool(where, keep)) == [f"{name}.jpg"]
