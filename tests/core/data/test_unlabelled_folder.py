"""Crops of nobody known, however deep they lie."""

from __future__ import annotations

from pathlib import Path

from personvit.core.data.catalogue import open_dataset


def test_a_link_that_goes_in_circles_ends(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.jpg").touch()
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert [sample.path for sample in open_dataset(tmp_path).train] == ["a/one.jpg"]


def test_an_image_that_is_a_link_to_itself_is_listed_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("a.jpg")
    (tmp_path / "b.jpg").touch()
    assert [sample.path for sample in open_dataset(tmp_path).train] == ["a.jpg", "b.jpg"]


def test_hidden_folders_and_other_files_are_no_crops(tmp_path: Path) -> None:
    for name in ("one.JPEG", "notes.txt", ".cache/two.jpg", "deep/er/three.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    dataset = open_dataset(tmp_path)
    assert [sample.path for sample in dataset.train] == ["deep/er/three.webp", "one.JPEG"]
    assert [left.path for left in dataset.left_out] == ["notes.txt"]
