"""`personvit-data shard` and `pool`: whole shards or none, the same bytes after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from personvit.core.cli import main
from personvit.core.data.pool import open_pool
from personvit.core.data.pool.describe import PoolOptions, describe
from personvit.core.data.pool.shard import ShardOptions, shard
from personvit.core.errors import DataError


def contents(pool) -> dict[str, bytes]:
    return {pool.key(number): pool.read(number) for number in range(len(pool))}


@pytest.mark.parametrize("kind", ["folder", "list", "lmdb", "shards"])
def test_shards_hold_what_the_pool_holds_under_its_names(kind, write, tmp_path):
    source = open_pool(write(kind))
    report = shard(ShardOptions(source.where, tmp_path / "out", images_per_shard=4))
    copy = open_pool(tmp_path / "out")
    assert (report.images, report.shards, copy.name) == (6, 2, "shards")
    assert contents(copy) == contents(source)
    assert copy.digest == source.digest == report.digest


def test_other_readers_see_images_by_their_suffix(write, tmp_path):
    shard(ShardOptions(write("lmdb"), tmp_path / "out"))
    listed = subprocess.run(
        ["tar", "tf", tmp_path / "out" / "shard-000000.tar"], capture_output=True, text=True
    ).stdout.split()
    assert len(listed) == 6
    assert all(name.endswith(".jpg") for name in listed)


def test_a_copied_folder_of_shards_needs_no_listing(write, tmp_path, cache):
    shard(ShardOptions(write("folder"), tmp_path / "out", images_per_shard=4))
    before = set(cache.rglob("*.index"))
    (tmp_path / "out").rename(tmp_path / "moved")
    for path in (tmp_path / "moved").iterdir():
        os.utime(path, (1, 1))
    assert len(open_pool(tmp_path / "moved")) == 6
    assert set(cache.rglob("*.index")) == before
    (tmp_path / "moved" / "shard-000001.tar").unlink()
    with pytest.raises(DataError, match=r"shard-000001\.tar: missing"):
        open_pool(tmp_path / "moved")


def test_a_seed_shuffles_and_a_keep_list_filters(write, tmp_path, images):
    keep = tmp_path / "keep.txt"
    keep.write_text("\n".join(list(images)[:5]))
    where = write("folder")
    shard(ShardOptions(where, tmp_path / "out", keep=keep, seed=3))
    copy, source = open_pool(tmp_path / "out"), open_pool(where, keep)
    assert contents(copy) == contents(source)
    assert list(contents(copy)) != list(contents(source))


def test_damaged_images_are_left_out_and_named(write, tmp_path):
    where = write("folder")
    names = sorted(where.glob("*.jpg"))
    names[1].write_bytes(names[1].read_bytes()[:300])
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"more than 1 %.*\n.*00_00_0000_00000001"):
        shard(ShardOptions(where, out, check=True))
    (out / "unfinished.json").unlink()
    report = shard(ShardOptions(where, out, check=True, max_bad_share=0.2, images_per_shard=2))
    assert (report.images, report.unreadable) == (5, 1)
    assert "00_00_0000_00000001" in report.reasons[0]
    assert names[1].name not in contents(open_pool(out))


def test_names_that_lead_out_of_a_folder_stay_inside_the_archive(write, tmp_path, images):
    where = write("folder")
    (tmp_path / "lists").mkdir()
    listed = tmp_path / "lists" / "list.txt"
    first = sorted(where.glob("*.jpg"))[0]
    listed.write_text(f"../pool/{first.name}\n{first}\n")
    shard(ShardOptions(listed, tmp_path / "out"))
    pool = open_pool(tmp_path / "out")
    assert [pool.read(0), pool.read(1)] == [first.read_bytes()] * 2
    tar = ["tar", "tf", tmp_path / "out" / "shard-000000.tar"]
    names = subprocess.run(tar, capture_output=True, text=True).stdout.split()
    assert not any(name.startswith("/") or ".." in name for name in names)


def test_a_killed_run_leaves_whole_shards_and_goes_on(write, tmp_path):
    """A pipe in place of the fifth image holds the run where it is killed."""
    listed = write("list")
    order = listed.read_text().split()
    held = listed.parent / order[4]
    data = held.read_bytes()
    held.unlink()
    os.mkfifo(held)
    out = tmp_path / "out"
    words = ["shard", str(listed), str(out), "--images-per-shard", "2", "--workers", "1"]
    command = [sys.executable, "-c", "from personvit.core.cli import main; main()", *words]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _wait_for(out / "shard-000001.tar", running)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert sorted(path.name for path in out.glob("*.tar")) == [
        "shard-000000.tar",
        "shard-000001.tar",
    ]
    with pytest.raises(DataError, match="did not finish"):
        open_pool(out)
    kept = (out / "shard-000000.tar").stat().st_mtime_ns
    held.unlink()
    held.write_bytes(data)
    with pytest.raises(DataError, match="other options"):
        shard(ShardOptions(listed, out, images_per_shard=3))
    assert main.run(words) == 0
    assert (out / "shard-000000.tar").stat().st_mtime_ns == kept
    shard(ShardOptions(listed, tmp_path / "undisturbed", images_per_shard=2))
    for path in (tmp_path / "undisturbed").iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes(), path.name
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == {
        path.name for path in (tmp_path / "undisturbed").iterdir()
    }


def _wait_for(path: Path, running: subprocess.Popen) -> None:
    while not path.exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.01)


def test_a_finished_run_is_not_done_again_and_a_used_folder_is_refused(write, tmp_path):
    where = write("folder")
    out = tmp_path / "out"
    first = shard(ShardOptions(where, out))
    before = (out / "pool.index").stat().st_mtime_ns
    assert shard(ShardOptions(where, out)) == first
    assert (out / "pool.index").stat().st_mtime_ns == before
    with pytest.raises(DataError, match="not empty"):
        shard(ShardOptions(where, out, seed=1))


def test_the_description_counts_and_with_check_names_what_is_damaged(write, capsys, images):
    where = write("folder")
    names = sorted(where.glob("*.jpg"))
    names[3].write_bytes(b"\xff\xd8\xff" + bytes(50))
    assert main.run(["pool", str(where), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["images"], report["unreadable"]) == (6, 0)
    assert report["bytes"] == sum(path.stat().st_size for path in names)
    assert report["first"] == [path.name for path in names[:5]]
    checked = describe(PoolOptions(where, check=True))
    assert checked.unreadable == 1
    assert names[3].name in checked.reasons[0]
    assert "1 of 6 images cannot be read" in checked.as_text()


def test_the_description_tells_of_missing_files_and_names(write, tmp_path, images):
    listed = write("list")
    next((listed.parent / "images").glob("*.jpg")).unlink()
    keep = tmp_path / "keep.txt"
    keep.write_text("\n".join([*images, "another"]))
    text = describe(PoolOptions(write("lmdb", "b"), keep=keep)).as_text()
    assert "1 of 7 names of the list are not here" in text
    assert "1 of 6 images are not there" in describe(PoolOptions(listed)).as_text()
