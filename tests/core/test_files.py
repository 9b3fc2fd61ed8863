"""A file is whole under its final name or not there."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from personvit.core.errors import UserError
from personvit.core.files import (
    refuse_unwritable,
    replacing,
    replacing_folder,
    sha256,
    write_atomically,
)


def test_a_failed_write_keeps_the_old_file_and_leaves_no_part(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    write_atomically(target, "old")
    with pytest.raises(RuntimeError), replacing(target) as part:
        part.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_good_write_replaces_and_makes_folders(tmp_path: Path) -> None:
    target = tmp_path / "new/folder/report.json"
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert sha256(target) == hashlib.sha256(b"new").hexdigest()


def test_only_a_file_is_replaced(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        write_atomically(tmp_path, "x")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="device or a pipe"):
        write_atomically(pipe, "x")
    assert pipe.is_fifo()


def test_a_place_below_a_file_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is no folder"):
        write_atomically(tmp_path / "file/below/report.json", "x")


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_writer_left_is_swept_and_a_living_one_is_let_be(
    folder: bool, tmp_path: Path
) -> None:
    target = tmp_path / "model.pvb"
    killed = tmp_path / ".model.pvb.abcd1234.part"
    other = tmp_path / ".model.pvb.json.abcd1234.part"
    killed.mkdir() if folder else killed.touch()
    other.touch()
    with replacing(target) as first:
        write_atomically(target, "second")
        assert first.exists()
    assert sorted(tmp_path.iterdir()) == sorted([other, target])


def test_a_long_name_has_a_temporary_neighbour_too(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 250)
    write_atomically(target, "x")
    assert target.read_text() == "x"


def test_a_refusal_names_the_file_that_was_wanted(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    with pytest.raises(OSError, match="No space left") as caught, replacing(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(target)


def test_a_library_that_stumbles_over_a_full_disk_is_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "model.pth"
    with pytest.raises(OSError, match="No space left"), replacing(target):
        monkeypatch.setattr(Path, "open", full)
        raise RuntimeError("unexpected pos 2006208 vs 2006096")


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "data"
    left = tmp_path / ".data.abcd1234.part"
    left.mkdir()
    with pytest.raises(RuntimeError), replacing_folder(target) as part:
        (part / "half").touch()
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with replacing_folder(target) as part:
        (part / "whole").touch()
    assert list(tmp_path.iterdir()) == [target]
    assert (target / "whole").exists()


@pytest.mark.parametrize("taken", ["full", "file"])
def test_a_taken_folder_is_told_before_the_work(taken: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/theirs").touch()
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match=f"{taken} is there already; name a new or empty folder"),
        replacing_folder(tmp_path / taken),
    ):
        pytest.fail("the work has begun")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


def test_an_unwritable_place_is_told_before_the_work_and_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is no folder"):
        refuse_unwritable(tmp_path / "file/report.json")
    with pytest.raises(UserError, match="is a folder"):
        refuse_unwritable(tmp_path)
    refuse_unwritable(tmp_path / "new/folder/report.json")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_the_system_refuses_early_has_the_wanted_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "/mnt/tmpx8dk2")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(OSError, match="Read-only") as caught:
        refuse_unwritable(tmp_path / "model.pvb")
    assert caught.value.filename == str(tmp_path / "model.pvb")
