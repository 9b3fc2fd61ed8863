"""`personvit-data check` and `stats` as a user meets them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from personvit.core.cli import main
from personvit.core.data.catalogue import formats, open_dataset, stats
from personvit.core.data.check import CheckOptions, CheckReport, check, examine
from personvit.core.data.stats import StatsOptions
from personvit.core.data.stats import stats as show
from personvit.core.errors import DataError


def told(report: CheckReport) -> str:
    return "\n".join(problem.text + str(problem.items) for problem in report.problems)


def record(root: Path, counts: Mapping[str, object]) -> None:
    (root / "synth.json").write_text(json.dumps({"seed": 0, "counts": counts}))


def sound(market: Path) -> Path:
    """A synthetic set: its own counts stand in for the published ones."""
    record(market, stats(open_dataset(market)))
    return market


def test_the_published_counts_are_compared_and_the_difference_is_told(market: Path) -> None:
    report = examine(CheckOptions(market))
    assert report.compared_with == "the published ones"
    assert "train_images: 2 instead of 12936 (-12934)" in told(report)
    assert "junk_images: 1 instead of 3819" in told(report)


def test_a_synthetic_set_is_compared_with_what_it_says_of_itself(market: Path) -> None:
    report = check(CheckOptions(sound(market), deep=True))
    assert not report.problems
    assert "synthetic" in report.as_text()
    assert "nothing is wrong" in report.as_text()
    record(market, {"train_images": 3, "renderer": 7})
    assert "train_images: 2 instead of 3 (-1)" in told(examine(CheckOptions(market)))


def test_a_parent_speaks_for_the_parts_that_it_names(
    layouts: Mapping[str, Any], tmp_path: Path
) -> None:
    home = layouts["occluded-duke"].build(tmp_path / "occluded")
    record(tmp_path, {"train_images": 99, "occluded-duke": {"query_images": 5}})
    assert "query_images: 1 instead of 5" in told(examine(CheckOptions(home)))
    assert "99" not in told(examine(CheckOptions(home)))


def test_a_damaged_record_is_named(market: Path) -> None:
    (market / "synth.json").write_text("[1")
    with pytest.raises(DataError, match=r"synth\.json"):
        examine(CheckOptions(market))


def test_what_is_wrong_is_listed(market: Path) -> None:
    sound(market)
    train = market / "bounding_box_train"
    shutil.copy(train / "0002_c1s1_000451_03.jpg", market / "query" / "0002_c1s1_000451_03.jpg")
    shutil.copy(train / "0002_c1s1_000451_03.jpg", train / "0000_c1s1_000451_03.jpg")
    (market / "query" / "IMG_1.jpg").touch()
    (market / "query" / "Thumbs.db").touch()
    report = examine(CheckOptions(market))
    text = told(report)
    assert "1 identities are in train and in test('identity 2',)" in text
    assert "1 of 3 queries have no match" in text
    assert "query/0002_c1s1_000451_03.jpg" in text
    assert "query/IMG_1.jpg" in text
    assert "distractors belong in the gallery only" in text
    assert any("1 files that are not images" in note for note in report.notes)


def test_bad_images_are_found_by_deep_alone(market: Path) -> None:
    sound(market)
    bad = market / "query" / "0003_c1s1_000001_00.jpg"
    bad.write_bytes(bad.read_bytes()[:-200])
    assert not examine(CheckOptions(market)).problems
    report = examine(CheckOptions(market, deep=True))
    assert "1 images cannot be decoded" in told(report)
    assert str(bad) in told(report)


def test_listed_images_that_are_missing_or_listed_twice_are_found(
    layouts: Mapping[str, Any], tmp_path: Path
) -> None:
    home = layouts["msmt17"].build(tmp_path)
    lines = (home / "list_gallery.txt").read_text()
    (home / "list_gallery.txt").write_text(lines + lines.splitlines()[0])
    (home / open_dataset(home).query[0].path).unlink()
    text = told(examine(CheckOptions(home)))
    assert "1 listed images are missing" in text
    assert "1 images are listed twice" in text


def test_an_empty_split_is_wrong_where_one_is_published(market: Path) -> None:
    shutil.rmtree(market / "query")
    (market / "query").mkdir()
    assert "no images in a split('query',)" in told(examine(CheckOptions(market)))


@pytest.mark.parametrize("name", ["labelled-folder", "unlabelled-folder"])
def test_plain_folders_have_nothing_to_be_compared_with(
    name: str, layouts: Mapping[str, Any], tmp_path: Path
) -> None:
    report = check(CheckOptions(layouts[name].build(tmp_path), deep=True))
    assert report.compared_with.startswith("nothing")


@pytest.mark.parametrize("name", [format.name for format in formats()])
def test_stats_of_every_format(name: str, layouts: Mapping[str, Any], tmp_path: Path) -> None:
    layout = layouts[name]
    result = show(StatsOptions(layout.build(tmp_path)))
    assert result.counts["train_images"] == len(layout.train)
    assert result.width is not None
    assert result.width.median == 8
    assert result.height is not None
    assert 16 <= result.height.smallest <= result.height.largest < 16 + 20
    assert not result.unreadable
    assert json.loads(json.dumps(result.as_json()))["schema"] == 1


def test_stats_lists_what_it_cannot_read(market: Path) -> None:
    (market / "query" / "0003_c1s1_000001_00.jpg").write_bytes(b"no image")
    result = show(StatsOptions(market))
    assert len(result.unreadable) == 1
    assert "unreadable: " in result.as_text()
    assert show(StatsOptions(market, sizes=False)).height is None


def test_the_command_ends_with_1_and_the_list(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["check", str(market)]) == 1
    assert "train_images: 2 instead of 12936" in capsys.readouterr().err
    assert main.run(["check", str(sound(market)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []
    assert main.run(["stats", str(market), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["gallery_distractors"] == 1
    assert main.run(["stats", str(market / "absent")]) == 1
