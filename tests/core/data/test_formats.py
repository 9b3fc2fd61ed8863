"""Every data set format there is, walked: what it reads, whom it recognises, in which order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from personvit.core.data.base import DatasetFormat
from personvit.core.data.catalogue import formats, open_dataset, stats

NAMES = [format.name for format in formats()]


def named(name: str) -> DatasetFormat:
    return next(format for format in formats() if format.name == name)


def test_names_are_unique_and_every_format_says_its_layout() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(format.title and format.layout for format in formats())


@pytest.mark.parametrize("name", NAMES)
def test_a_true_layout_is_recognised_by_this_format_only(
    name: str, layouts: Mapping[str, Any], tmp_path: Path
) -> None:
    assert name in layouts, f"add a layout for {name} to tests/core/data/conftest.py"
    home = layouts[name].build(tmp_path)
    dataset = open_dataset(home)
    assert dataset.name == name
    assert dataset.root == home
    rivals = [f.name for f in formats() if f.rank == named(name).rank and f.recognise(home)]
    assert rivals == [name]


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_the_published_ones(
    name: str, layouts: Mapping[str, Any], tmp_path: Path
) -> None:
    layout = layouts[name]
    dataset = open_dataset(layout.build(tmp_path))
    assert list(dataset.train) == layout.train
    assert list(dataset.query) == layout.query
    assert list(dataset.gallery) == layout.gallery
    for samples in dataset.splits().values():
        assert all((dataset.root / sample.path).is_file() for sample in samples)


class Backwards:
    """`os.scandir` on a file system that lists in the opposite order."""

    def __init__(self, folder: Path) -> None:
        with REAL_SCANDIR(folder) as entries:
            self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

    def __enter__(self) -> Iterator[os.DirEntry[str]]:
        return iter(self.entries)

    def __exit__(self, *_: object) -> None:
        pass


REAL_SCANDIR = os.scandir


@pytest.mark.parametrize("name", NAMES)
def test_order_does_not_depend_on_the_file_system(
    name: str, layouts: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = layouts[name].build(tmp_path)
    before = named(name).load(home)
    monkeypatch.setattr(os, "scandir", Backwards)
    assert named(name).load(home) == before


@pytest.mark.parametrize("name", [name for name in NAMES if named(name).rank == 0])
def test_the_folder_above_will_do(name: str, layouts: Mapping[str, Any], tmp_path: Path) -> None:
    home = layouts[name].build(tmp_path)
    assert open_dataset(tmp_path).root == home
    assert open_dataset(tmp_path) == open_dataset(home)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "unlabelled-folder"])
def test_other_files_are_counted_and_never_samples(
    name: str, layouts: Mapping[str, Any], tmp_path: Path
) -> None:
    home = layouts[name].build(tmp_path)
    before = open_dataset(home)
    folder = home / Path(before.train[0].path).parent
    (folder / "Thumbs.db").write_bytes(b"\0")
    (folder / "._hidden.jpg").write_bytes(b"\0")
    after = open_dataset(home)
    assert after.splits() == before.splits()
    if name != "msmt17":
        assert stats(after)["other_files"] == 2


@pytest.mark.parametrize("name", NAMES)
def test_published_counts_are_counts_that_exist(
    name: str, layouts: Mapping[str, Any], tmp_path: Path
) -> None:
    """A misspelt key would never be compared."""
    assert set(named(name).published) <= set(stats(open_dataset(layouts[name].build(tmp_path))))


@pytest.mark.parametrize("name", NAMES)
def test_identity_0_is_a_distractor_and_nobody_else(
    name: str, layouts: Mapping[str, Any], tmp_path: Path
) -> None:
    dataset = open_dataset(layouts[name].build(tmp_path))
    assert all(sample.identity != 0 for sample in (*dataset.train, *dataset.query))
    assert stats(dataset)["gallery_distractors"] == (1 if name == "market1501" else 0)
