"""A file is whole under its final name or not there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from personvit.core.files import replacing, sha256, write_atomically


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
