"""Archives are read as tarfile reads them, and never in part."""

from __future__ import annotations

import gzip
import io
import tarfile
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personvit.core.data.pool import open_pool
from personvit.core.data.pool.tar_members import BLOCK, members
from personvit.core.errors import DataError

FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
PARTS = st.text(st.characters(codec="utf-8", exclude_characters="/\0\n"), min_size=1, max_size=90)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def archive_of(path, files, form):
    with tarfile.open(path, "w", format=form) as archive:
        archive.addfile(_folder("sub"))
        for name, size in files:
            member = tarfile.TarInfo(name)
            member.size, member.mtime = size, 1.5 if form == tarfile.PAX_FORMAT else 1
            archive.addfile(member, io.BytesIO(bytes(range(256)) * 8))


@pytest.fixture
def shards(write):
    where = write("shards")
    return where, sorted(where.glob("*.tar"))[-1]


def _folder(name):
    member = tarfile.TarInfo(name)
    member.type = tarfile.DIRTYPE
    return member


@settings(max_examples=60)
@given(
    files=st.lists(st.tuples(PATHS, st.integers(0, 2000)), max_size=6),
    form=st.sampled_from(FORMATS[1:]),
)
def test_members_are_those_of_tarfile(files, form, tmp_path_factory):
    path = tmp_path_factory.mktemp("tar") / "x.tar"
    archive_of(path, files, form)
    with tarfile.open(path) as archive:
        expected = [(m.name, m.offset_data, m.size) for m in archive if m.isfile()]
    found = [(m.name.rstrip("/"), m.offset, m.size) for m in members(path)]
    assert found == [(name.rstrip("/"), offset, size) for name, offset, size in expected]


@pytest.mark.parametrize("form", FORMATS)
def test_an_archive_that_is_cut_off_anywhere_is_told(form, tmp_path):
    path = tmp_path / "x.tar"
    archive_of(path, [("a.jpg", 700), ("b/" + "c" * 60 + ".jpg", 300), ("d.jpg", 0)], form)
    whole = path.read_bytes()
    with tarfile.open(path) as archive:
        end = max(m.offset_data + m.size + -m.size % BLOCK for m in archive)
    assert len(list(members(path))) == 3
    for length in range(0, end + 1, 128):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut off|empty"):
            list(members(path))


def test_damage_and_compression_are_told(tmp_path):
    path = tmp_path / "x.tar"
    archive_of(path, [("a.jpg", 700)], tarfile.USTAR_FORMAT)
    whole = path.read_bytes()
    path.write_bytes(whole[:5] + b"?" + whole[6:])
    with pytest.raises(DataError, match="damaged at byte 0"):
        list(members(path))
    path.write_bytes(gzip.compress(whole))
    with pytest.raises(DataError, match="unpack it"):
        list(members(path))


def test_a_shard_that_is_cut_off_is_an_error_of_the_pool(shards):
    where, last = shards
    last.write_bytes(last.read_bytes()[:3000])
    with pytest.raises(DataError, match=f"{last.name}.*cut off"):
        open_pool(where)


def test_a_shard_that_shrinks_while_it_is_read_is_told(shards):
    where, last = shards
    pool = open_pool(where)
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(DataError, match="cut off"):
        pool.read(len(pool) - 1)


def _with_record(path, record):
    """An archive whose only image has this pax record before it."""
    head = tarfile.TarInfo("pax")
    head.type, head.size = tarfile.XHDTYPE, len(record)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("a.jpg"), io.BytesIO())
        archive.addfile(head, io.BytesIO(record))
        archive.addfile(tarfile.TarInfo("b.jpg"), io.BytesIO())


@pytest.mark.parametrize(
    "record", [b"14 size=-1536\n", b"12 size=abc\n", b"x size=1\n", b"7", b"1 size=1\n"]
)
def test_a_record_that_makes_no_sense_is_damage(record, tmp_path):
    """A negative size once led back to what was read already, for ever."""
    path = tmp_path / "x.tar"
    _with_record(path, record)
    with pytest.raises(DataError, match="damaged at byte"):
        list(islice(members(path), 100))


def test_a_member_that_is_too_large_for_an_image_is_told(tmp_path):
    path, size = tmp_path / "x.tar", 5 << 30
    head = tarfile.TarInfo("a.jpg")
    head.size = size
    with path.open("wb") as file:
        file.write(head.tobuf(tarfile.GNU_FORMAT))
        file.truncate(BLOCK + size + 2 * BLOCK)  # a hole, which takes no room
    with pytest.raises(DataError, match="an image at most"):
        open_pool(path)
