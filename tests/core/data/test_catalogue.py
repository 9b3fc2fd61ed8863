"""Opening a folder: what cannot be opened is explained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from personvit.core.data.catalogue import formats, open_dataset, stats
from personvit.core.errors import ConfigError, DataError


def test_junk_is_dropped_and_distractors_stay_in_the_gallery(market: Path) -> None:
    dataset = open_dataset(market)
    assert not any("/-1_" in sample.path for sample in dataset.gallery)
    counts = stats(dataset)
    assert counts["junk_images"] == 1
    assert counts["gallery_images"] == 4
    assert counts["gallery_identities"] == 2
    assert counts["gallery_distractors"] == 1


@pytest.mark.parametrize(
    "inside", ["market1501", "Market-1501", "market1501/Market-1501-v15.09.15", "MARKET1501"]
)
def test_market_is_found_under_its_usual_names(inside: str, market: Path, tmp_path: Path) -> None:
    home = tmp_path / "shelf" / inside
    home.parent.mkdir(parents=True)
    market.rename(home)
    assert open_dataset(tmp_path / "shelf").root == home


def test_a_folder_of_several_data_sets_needs_a_kind(
    layouts: Mapping[str, Any], tmp_path: Path
) -> None:
    for name in ("market1501", "dukemtmc", "occluded-duke", "msmt17"):
        layouts[name].build(tmp_path)
    with pytest.raises(DataError, match=r"market1501.*--kind"):
        open_dataset(tmp_path)
    for name in ("market1501", "dukemtmc", "occluded-duke", "msmt17"):
        assert open_dataset(tmp_path, name).name == name


def test_two_copies_of_one_data_set_are_not_guessed_between(
    layouts: Mapping[str, Any], tmp_path: Path
) -> None:
    layouts["msmt17"].build(tmp_path).rename(tmp_path / "MSMT17_V2")
    layouts["msmt17"].build(tmp_path)
    with pytest.raises(DataError, match="several MSMT17 folders"):
        open_dataset(tmp_path)


def test_a_renamed_folder_opens_when_its_kind_is_named(market: Path, tmp_path: Path) -> None:
    market.rename(tmp_path / "mine")
    assert open_dataset(tmp_path / "mine").name == "market1501"
    assert open_dataset(tmp_path / "mine", "occluded-duke").name == "occluded-duke"


def test_names_that_say_nothing_are_an_error(market: Path) -> None:
    (market / "query" / "IMG_2041.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"query/IMG_2041\.jpg.*personvit-data check"):
        open_dataset(market)


def test_what_is_no_data_set_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_dataset(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="a file, not a folder"):
        open_dataset(tmp_path / "file")
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path)
    assert all(format.layout in str(caught.value) for format in formats())
    with pytest.raises(DataError, match="no images"):
        open_dataset(tmp_path, "unlabelled-folder")
    for format in formats():
        if format.published:
            with pytest.raises(DataError, match=format.title):
                open_dataset(tmp_path, format.name)
    with pytest.raises(ConfigError, match=r"market-1501.*market1501"):
        open_dataset(tmp_path, "market-1501")


def test_a_data_set_of_a_known_layout_is_never_taken_for_a_plain_folder(market: Path) -> None:
    """Its folders would pass for identities named `query` and `bounding_box_test`."""
    for image in (market / "query").iterdir():
        image.unlink()
    assert open_dataset(market).name == "market1501"
