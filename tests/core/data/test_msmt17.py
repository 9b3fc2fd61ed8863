"""MSMT17: both versions, merged training lists, test people apart from training people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from personvit.core.data.catalogue import open_dataset
from personvit.core.errors import DataError


@pytest.fixture
def msmt(layouts: Mapping[str, Any], tmp_path: Path) -> Path:
    home: Path = layouts["msmt17"].build(tmp_path)
    return home


def test_version_2_differs_in_its_folders_only(msmt: Path) -> None:
    first = open_dataset(msmt)
    (msmt / "train").rename(msmt / "mask_train_v2")
    (msmt / "test").rename(msmt / "mask_test_v2")
    second = open_dataset(msmt)
    assert [sample.path for sample in second.query] == [
        sample.path.replace("test/", "mask_test_v2/") for sample in first.query
    ]
    assert [sample[1:] for sample in second.train] == [sample[1:] for sample in first.train]


def test_people_of_train_and_test_do_not_share_numbers(msmt: Path) -> None:
    """The lists number both from 0."""
    dataset = open_dataset(msmt)
    train = {sample.identity for sample in dataset.train}
    assert not train & {sample.identity for sample in (*dataset.query, *dataset.gallery)}
    assert {sample.identity for sample in dataset.query} <= {s.identity for s in dataset.gallery}


@pytest.mark.parametrize("line", ["0000/0000_000_01_a_0.jpg", "0000/0000_000_01_a_0.jpg one", "7"])
def test_a_broken_line_is_named(msmt: Path, line: str) -> None:
    (msmt / "list_query.txt").write_text(f"\n{line}\n")
    with pytest.raises(DataError, match=r"list_query\.txt, line 2"):
        open_dataset(msmt)


@pytest.mark.parametrize("name", ["0000/0000.jpg", "../secret/0000_000_01_a_0.jpg"])
def test_a_name_without_a_camera_or_out_of_the_folder_is_refused(msmt: Path, name: str) -> None:
    (msmt / "list_query.txt").write_text(f"{name} 0\n")
    with pytest.raises(DataError, match="do not have names"):
        open_dataset(msmt)


def test_a_missing_list_is_named(msmt: Path) -> None:
    (msmt / "list_val.txt").unlink()
    with pytest.raises(DataError, match=r"list_val\.txt"):
        open_dataset(msmt)
