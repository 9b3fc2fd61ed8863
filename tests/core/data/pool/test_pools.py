"""What holds for every kind of pool."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from personvit.core.data.pool import open_pool
from personvit.core.data.pool.base import stem
from personvit.core.data.pool.catalogue import kinds
from personvit.core.errors import ConfigError, DataError

KINDS = [kind.name for kind in kinds()]


def test_every_kind_is_known_once():
    assert len(set(KINDS)) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pool_is_recognised_and_gives_every_image(kind, write, images):
    pool = open_pool(write(kind))
    assert pool.name == kind
    assert len(pool) == len(images)
    found = {stem(pool.key(number)).removeprefix("images/"): number for number in range(len(pool))}
    assert list(found) == list(images)  # in the same order, too
    with ThreadPoolExecutor(4) as threads:
        read = dict(zip(found, threads.map(pool.read, found.values()), strict=True))
    assert read == images
    assert [pool.size(number) for number in range(len(pool))] == [len(d) for d in images.values()]
    pool.close()


@pytest.mark.parametrize("kind", KINDS)
def test_opening_again_lists_nothing_again(kind, write, cache):
    where = write(kind)
    first = open_pool(where)
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.index")}
    again = open_pool(where)
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.index")} == before
    assert again.digest == first.digest


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_beyond_the_pool_is_refused(kind, write):
    pool = open_pool(write(kind))
    for number in (-1, len(pool)):
        with pytest.raises(IndexError):
            pool.key(number)


def test_folder_lmdb_and_shards_of_the_same_images_have_one_digest(write):
    digests = {open_pool(write(kind, kind)).digest for kind in ("folder", "lmdb", "shards")}
    assert len(digests) == 1


def test_a_changed_folder_is_listed_again(write):
    where = write("folder")
    before = open_pool(where)
    (where / "new").mkdir()
    shutil.copy(where / before.key(0), where / "new" / "another.jpg")
    after = open_pool(where)
    assert len(after) == len(before) + 1
    assert after.key(len(before)) == "new/another.jpg"
    assert after.digest != before.digest


def test_a_folder_is_listed_by_name_and_its_own_images_first(tmp_path, images):
    data = next(iter(images.values()))
    for name in ("b/2.jpg", "a.PNG", "c.jpg", "b/1.jpg", ".hidden/x.jpg", "b/._1.jpg", "b/t.db"):
        path = tmp_path / "pool" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "pool" / "b" / "up").symlink_to(tmp_path / "pool")
    pool = open_pool(tmp_path / "pool")
    assert [pool.key(n) for n in range(len(pool))] == ["a.PNG", "c.jpg", "b/1.jpg", "b/2.jpg"]


def test_an_lmdb_without_its_list_gives_all_its_keys(write, images):
    where = write("lmdb")
    (where.parent / "keys.pkl").unlink()
    pool = open_pool(where)
    assert [pool.key(number) for number in range(len(pool))] == list(images)


def test_an_lmdb_in_the_folder_lmdb_below_is_found(write, tmp_path, images):
    where = write("lmdb")
    where.rename(tmp_path / "pool" / "lmdb")
    assert len(open_pool(tmp_path / "pool")) == len(images)


def test_a_name_that_the_lmdb_lacks_is_told_when_it_is_read(write):
    where = write("lmdb")
    (where.parent / "keys.pkl").write_bytes(pickle.dumps(["99_99"]))
    with pytest.raises(DataError, match=r"no image '99_99'"):
        open_pool(where).read(0)


def test_a_missing_file_is_told_when_it_is_read(write):
    where = write("list")
    pool = open_pool(where)
    (where.parent / pool.key(2)).unlink()
    with pytest.raises(DataError, match="00_01_0003_00000000"):
        pool.read(2)
    assert pool.read(3)


def test_a_broken_lmdb_is_one_sentence(write):
    where = write("lmdb")
    (where.parent / "keys.pkl").unlink()
    (where / "data.mdb").write_bytes(os.urandom(8192))
    with pytest.raises(DataError, match="cannot be opened"):
        open_pool(where)


@pytest.mark.parametrize("wrong", ["nothing", "empty", "one.zip"])
def test_what_is_no_pool_is_told(wrong, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"no such|no images|no pool"):
        open_pool(tmp_path / wrong)


def test_a_single_archive_is_a_pool(write, images):
    first = sorted(write("shards").glob("*.tar"))[0]
    pool = open_pool(first)
    assert [pool.read(number) for number in range(len(pool))] == list(images.values())[:3]


def test_images_beside_an_archive_are_never_passed_over_in_silence(write):
    where = write("folder")
    shutil.copy(sorted(write("shards", "other").glob("*.tar"))[0], where)
    with pytest.raises(DataError, match="shards and single images"):
        open_pool(where)
    assert len(open_pool(where, kind="folder")) == 6
    assert len(open_pool(where, kind="shards")) == 3


def test_a_kind_that_does_not_fit_is_refused(write):
    with pytest.raises(DataError, match=r"data\.mdb"):
        open_pool(write("folder"), kind="lmdb")
    with pytest.raises(ConfigError, match="choose from folder"):
        open_pool(write("folder"), kind="zip")


def test_two_processes_that_open_at_once_agree(write):
    where = write("folder")
    children = []
    for _ in range(2):
        child = os.fork()
        if not child:
            os._exit(0 if len(open_pool(where)) == 6 else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]


def test_a_damaged_index_is_told_with_its_mend(write, cache):
    where = write("folder")
    open_pool(where)
    (index,) = cache.rglob("*.index")
    index.write_bytes(index.read_bytes()[:-5])
    with pytest.raises(DataError, match="remove it"):
        open_pool(where)


def test_an_lmdb_is_read_after_a_fork(write, images):
    pool = open_pool(write("lmdb"))
    pool.read(0)
    child = os.fork()
    if not child:
        os._exit(0 if pool.read(1) == list(images.values())[1] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_pool_on_a_relative_path_is_the_same_pool(write, cache, monkeypatch):
    where = write("folder")
    open_pool(where)
    monkeypatch.chdir(where.parent)
    assert len(open_pool(Path("pool"))) == 6
    assert len(list(cache.rglob("*.index"))) == 1


def test_one_lmdb_may_be_open_several_times(write, images):
    where = write("lmdb")
    first, second = open_pool(where), open_pool(where)
    first.close()
    assert second.read(0) == next(iter(images.values()))
    with pytest.raises(DataError, match="closed"):
        first.read(0)
    second.close()
    assert open_pool(where).read(0)


def test_a_pipe_or_a_device_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    listed = tmp_path / "list.txt"
    listed.write_text("pipe.jpg\n/dev/zero\na\0b.jpg\n")
    pool = open_pool(listed)
    for number, says in enumerate(("not a regular file", "not a regular file", "mend the list")):
        with pytest.raises(DataError, match=says):
            pool.read(number)


@pytest.mark.parametrize("wrong", [{"count": 10**9}, {"count": -5}, {"watched": [[1]]}, None])
def test_an_index_with_a_foot_that_lies_is_told(wrong, write, cache):
    where = write("shards")
    open_pool(where).close()
    path = next(cache.rglob("*.index"))
    whole = path.read_bytes()
    length = int.from_bytes(whole[-16:-8], "little")
    foot = json.loads(whole[-16 - length : -16])
    foot = {"count": foot["count"], "keys_end": 8} if wrong is None else foot | wrong
    said = json.dumps(foot).encode()
    path.write_bytes(whole[: -16 - length] + said + len(said).to_bytes(8, "little") + whole[-8:])
    with pytest.raises(DataError, match="not an index"):
        open_pool(where)


def test_an_lmdb_that_is_damaged_inside_is_one_sentence(write):
    where = write("lmdb")
    (where.parent / "keys.pkl").unlink()
    path = where / "data.mdb"
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + bytes(len(whole) - 8192))
    with pytest.raises(DataError, match=r"damaged.*copy it again"):
        open_pool(where)
