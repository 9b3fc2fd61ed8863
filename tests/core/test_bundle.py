"""A bundle is the same file every time, and one that was touched is refused."""

from __future__ import annotations

import dataclasses
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from personvit.core import canonical_zip
from personvit.core.bundle import Bundle, verify, write_bundle
from personvit.core.errors import BundleError
from personvit.core.golden import array_bytes
from personvit.core.manifest import Manifest


def repack(path: Path, change) -> None:
    """Write a canonical container anew with changed members: a forger who knows the format."""
    opened = Bundle.open(path)
    members = {name: opened.read(name) for name in opened.entries}
    canonical_zip.write(path, change(members))


def test_what_is_written_is_read_back(tiny_bundle) -> None:
    bundle = Bundle.open(tiny_bundle.path)
    for name, data in tiny_bundle.contents().items():
        assert bundle.read(name) == data
    assert bundle.model(bundle.variant("cpu")) == b"not really a graph"
    assert bundle.json("accuracy.json") == {"mAP": 0.5}
    golden = bundle.golden()
    assert golden.crops.shape == (16, 2, 1, 3) and golden.crops.dtype == np.uint8
    assert golden.expected["cpu"].bounds.cosine_min == 0.99
    assert bundle.probe() is None


def test_two_writes_give_the_same_bytes_whatever_the_order(tiny_bundle, tmp_path) -> None:
    backwards = dict(reversed(tiny_bundle.contents().items()))
    again = tmp_path / "again.pvb"
    write_bundle(again, tiny_bundle.draft(), backwards)
    assert again.read_bytes() == tiny_bundle.path.read_bytes()


def test_members_may_be_streamed_from_files(tiny_bundle, tmp_path) -> None:
    onnx = tmp_path / "model.onnx"
    onnx.write_bytes(tiny_bundle.contents()["variants/cpu/model.onnx"])
    streamed = write_bundle(
        tmp_path / "streamed.pvb",
        tiny_bundle.draft(),
        {**tiny_bundle.contents(), "variants/cpu/model.onnx": onnx},
    )
    assert streamed.digest == verify(tiny_bundle.path).digest


def test_any_zip_tool_can_look_inside(tiny_bundle) -> None:
    with zipfile.ZipFile(tiny_bundle.path) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "manifest.json"
        assert archive.namelist()[1:] == sorted(tiny_bundle.contents())
        assert archive.read("README.md") == b"# A model card\n"
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())


def test_every_flipped_byte_is_found(tiny_bundle, tmp_path) -> None:
    whole = tiny_bundle.path.read_bytes()
    damaged = tmp_path / "damaged.pvb"
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << place % 8
        damaged.write_bytes(data)
        with pytest.raises(BundleError, match=r"damaged\.pvb"):
            verify(damaged)


def test_every_truncation_and_every_addition_is_found(tiny_bundle, tmp_path) -> None:
    whole = tiny_bundle.path.read_bytes()
    damaged = tmp_path / "damaged.pvb"
    changed = [whole[:end] for end in range(0, len(whole), 7)]
    changed += [whole + b"\0", b"\0" + whole, whole + whole]
    for data in changed:
        damaged.write_bytes(data)
        with pytest.raises(BundleError, match=r"damaged\.pvb"):
            verify(damaged)


@pytest.mark.parametrize("missing", [1, 6, 21])
def test_a_file_that_ends_in_its_last_record_is_cut_off(tiny_bundle, missing) -> None:
    data = tiny_bundle.path.read_bytes()
    tiny_bundle.path.write_bytes(data[:-missing])
    with pytest.raises(BundleError, match="the file is cut off before its end"):
        verify(tiny_bundle.path)


def test_a_comment_is_refused(tiny_bundle) -> None:
    with zipfile.ZipFile(tiny_bundle.path, "a") as archive:
        archive.comment = b"hello"
    with pytest.raises(BundleError, match="bytes too many"):
        verify(tiny_bundle.path)


def test_a_bundle_repacked_by_a_zip_tool_is_refused(tiny_bundle, tmp_path) -> None:
    repacked = tmp_path / "repacked.pvb"
    with zipfile.ZipFile(repacked, "w") as archive:
        for name, data in Bundle.open(tiny_bundle.path).entries.items():
            archive.writestr(name, Bundle.open(tiny_bundle.path).read(data.name))
    with pytest.raises(BundleError, match="repacked"):
        verify(repacked)


def test_a_compressed_bomb_is_refused_unopened(tmp_path) -> None:
    bomb = tmp_path / "bomb.pvb"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(50_000_000))
    with pytest.raises(BundleError, match="is compressed"):
        verify(bomb)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "a\\b", "C:x", "nul.txt"])
def test_a_name_that_points_elsewhere_is_refused(tmp_path, name) -> None:
    path = tmp_path / "evil.pvb"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"")
    with pytest.raises(BundleError, match="it was not unpacked"):
        verify(path)


def test_members_in_another_order_are_refused(tiny_bundle, monkeypatch) -> None:
    opened = Bundle.open(tiny_bundle.path)
    members = {name: opened.read(name) for name in opened.entries}
    with monkeypatch.context() as patched:
        patched.setattr(canonical_zip, "canonical_order", lambda names: sorted(names, reverse=True))
        canonical_zip.write(tiny_bundle.path, members)
    with pytest.raises(BundleError, match="not in their order"):
        verify(tiny_bundle.path)


def test_a_member_that_is_there_twice_is_refused(tmp_path) -> None:
    first = canonical_zip.Entry("a", 0, 0, 0)
    second = canonical_zip.Entry("a", 0, 0, first.end)
    central = first.central_record() + second.central_record()
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(central), second.end, 0)
    twice = tmp_path / "twice.pvb"
    twice.write_bytes(first.local_header() + second.local_header() + central + end)
    with pytest.raises(BundleError, match="'a' is there twice"):
        verify(twice)


@pytest.mark.parametrize(
    ("names", "reason"),
    [(("README.md", "readme.md"), "cannot stand beside"), (("a", "a/b"), "a file and a folder")],
)
def test_names_that_some_file_system_confuses_are_not_written(tmp_path, names, reason) -> None:
    with pytest.raises(BundleError, match=reason):
        canonical_zip.write(tmp_path / "x", dict.fromkeys(names, b""))


def test_missing_and_additional_members_are_named(tiny_bundle) -> None:
    repack(tiny_bundle.path, lambda members: {**members, "extra.bin": b"x"})
    with pytest.raises(BundleError, match=r"'extra.bin' is not listed"):
        verify(tiny_bundle.path)
    tiny_bundle.write()
    repack(tiny_bundle.path, lambda members: {k: v for k, v in members.items() if k != "README.md"})
    with pytest.raises(BundleError, match=r"'README.md' is missing"):
        verify(tiny_bundle.path)


def test_a_member_that_was_exchanged_is_named(tiny_bundle) -> None:
    repack(tiny_bundle.path, lambda members: {**members, "calib.lock": b"[]\n"})
    with pytest.raises(BundleError, match=r"'calib.lock' is not the one"):
        verify(tiny_bundle.path)


def test_a_newer_schema_asks_for_an_upgrade(tiny_bundle) -> None:
    def newer(members):
        document = {**json.loads(members["manifest.json"]), "schema": 2, "new": "field"}
        return {**members, "manifest.json": json.dumps(document).encode()}

    repack(tiny_bundle.path, newer)
    with pytest.raises(BundleError, match=r"schema 2.*upgrade personvit"):
        verify(tiny_bundle.path)


def test_an_edited_manifest_is_refused(tiny_bundle) -> None:
    repack(
        tiny_bundle.path,
        lambda members: {**members, "manifest.json": members["manifest.json"] + b" "},
    )
    with pytest.raises(BundleError, match="edited or written by another tool"):
        verify(tiny_bundle.path)


def test_a_failed_write_leaves_the_old_file(tiny_bundle) -> None:
    before = tiny_bundle.path.read_bytes()
    contents = {**tiny_bundle.contents(), "golden/cpu.npy": array_bytes(np.zeros((16, 3), "f4"))}
    with pytest.raises(BundleError, match="embeddings of shape"):
        write_bundle(tiny_bundle.path, tiny_bundle.draft(), contents)
    assert tiny_bundle.path.read_bytes() == before
    assert list(tiny_bundle.path.parent.iterdir()) == [tiny_bundle.path]


def test_a_bundle_exchanged_while_open_is_noticed(tiny_bundle) -> None:
    opened = Bundle.open(tiny_bundle.path)
    contents = {**tiny_bundle.contents(), "variants/cpu/model.onnx": b"quite another graph"}
    write_bundle(tiny_bundle.path, tiny_bundle.draft(), contents)
    with pytest.raises(BundleError, match="changed since"):
        opened.model(opened.variant("cpu"))


def test_too_much_for_the_format_is_refused_before_writing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(canonical_zip, "MAX_FILE", 100)
    with pytest.raises(BundleError, match="4 GiB"):
        canonical_zip.write(tmp_path / "big", {"manifest.json": bytes(200)})


def test_zip64_is_refused(tiny_bundle) -> None:
    whole = bytearray(tiny_bundle.path.read_bytes())
    record = whole.rfind(b"PK\1\2")
    whole[record + 20 : record + 28] = struct.pack("<2L", 0xFFFFFFFF, 0xFFFFFFFF)
    tiny_bundle.path.write_bytes(whole)
    with pytest.raises(BundleError, match="zip64"):
        verify(tiny_bundle.path)


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: None])
def test_what_is_no_file_or_empty_is_refused(tmp_path, make) -> None:
    make(tmp_path / "x.pvb")
    with pytest.raises(BundleError, match=r"x\.pvb"):
        verify(tmp_path / "x.pvb")


def test_probe_crops_come_back(tiny_bundle) -> None:
    crops = np.zeros((200, 2, 1, 3), np.uint8)
    vectors = np.ones((200, 2), np.float32)
    probe = {"probe/crops.npy": array_bytes(crops), "probe/embeddings.npy": array_bytes(vectors)}
    probe["probe/cpu.npy"] = array_bytes(2 * vectors)
    contents = {**tiny_bundle.contents(), **probe}
    bundle = write_bundle(tiny_bundle.path, tiny_bundle.draft(probe_source="synthetic"), contents)
    assert bundle.probe().embeddings.shape == (200, 2)
    np.testing.assert_array_equal(bundle.probe().expected["cpu"], 2 * vectors)


@pytest.mark.parametrize(
    ("names", "source", "match"),
    [
        (("crops", "embeddings"), "synthetic", r"lack probe/cpu\.npy"),
        (("cpu",), "synthetic", r"lack probe/crops\.npy, probe/embeddings\.npy"),
        (("crops", "embeddings", "cpu", "tpu"), "data", r"probe/tpu\.npy, which belongs to no"),
        (("crops", "embeddings", "cpu"), None, "must say where the probe crops are from"),
        ((), "synthetic", "must say where the probe crops are from"),
    ],
)
def test_half_a_probe_is_not_written(tiny_bundle, names, source, match) -> None:
    probe = {f"probe/{name}.npy": array_bytes(np.ones((200, 2), np.float32)) for name in names}
    draft = tiny_bundle.draft(probe_source=source)
    with pytest.raises(BundleError, match=match):
        write_bundle(tiny_bundle.path, draft, {**tiny_bundle.contents(), **probe})


def test_every_variant_answers_to_every_probe_crop(tiny_bundle) -> None:
    crops, vectors = np.zeros((200, 2, 1, 3), np.uint8), np.ones((200, 2), np.float32)
    probe = {"probe/crops.npy": array_bytes(crops), "probe/embeddings.npy": array_bytes(vectors)}
    draft = tiny_bundle.draft(probe_source="synthetic")
    for wrong in (vectors[:199], vectors * np.nan, vectors * 0):
        contents = {**tiny_bundle.contents(), **probe, "probe/cpu.npy": array_bytes(wrong)}
        with pytest.raises(BundleError, match=r"probe/cpu\.npy: expected finite, non-zero"):
            write_bundle(tiny_bundle.path, draft, contents)


def test_verification_says_what_was_verified(tiny_bundle) -> None:
    verification = verify(tiny_bundle.path)
    manifest = verification.manifest
    assert isinstance(manifest, Manifest)
    assert manifest.space.id in verification.as_text()
    assert verification.as_json()["sha256"] == verification.digest
    assert dataclasses.is_dataclass(verification)
