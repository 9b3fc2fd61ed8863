"""Calibration crops come from training images, spread over cameras and people, on record."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from personvit.core.data.base import ReidDataset, Sample
from personvit.core.errors import CalibrationError
from personvit.core.preprocess import Preprocess
from personvit.export.calibration import choose_crops


def dataset_with(root: Path, people: int, cameras: int, each: int) -> ReidDataset:
    train = []
    for person in range(people):
        for camera in range(cameras):
            for shot in range(each if camera else each * 5):
                name = f"{person:04d}_c{camera}_{shot}.jpg"
                (root / name).write_bytes(f"pixels of {name}".encode())
                train.append(Sample(name, person, camera))
    (root / "query.jpg").write_bytes(b"pixels of a query")
    return ReidDataset("made", root, tuple(train), query=(Sample("query.jpg", 1, 1),))


def test_crops_are_spread_over_cameras_and_people(tmp_path: Path) -> None:
    chosen = choose_crops(dataset_with(tmp_path, 20, 4, 2), 80, seed=0)
    per_camera = Counter(sample.camera for sample in chosen.samples)
    assert set(per_camera.values()) == {20}, "one camera took five times the pictures"
    assert len({(sample.camera, sample.identity) for sample in chosen.samples}) == 80


def test_the_choice_depends_on_the_seed_and_not_on_the_order(tmp_path: Path) -> None:
    dataset = dataset_with(tmp_path, 20, 3, 2)
    backwards = ReidDataset("made", tmp_path, dataset.train[::-1], dataset.query)
    first = choose_crops(dataset, 50, seed=1)
    assert first == choose_crops(backwards, 50, seed=1)
    assert first.samples != choose_crops(dataset, 50, seed=2).samples


def test_the_lock_lists_digests_and_no_names(tmp_path: Path) -> None:
    chosen = choose_crops(dataset_with(tmp_path, 20, 3, 2), 40, seed=0)
    text = chosen.lock(Preprocess())
    lock = json.loads(text)
    assert lock["crops"] == 40
    assert [row[0] for row in lock["sha256"]] == sorted(chosen.digests)
    assert ".jpg" not in text
    assert str(tmp_path) not in text


def test_a_test_image_among_the_training_images_is_refused(tmp_path: Path) -> None:
    dataset = dataset_with(tmp_path, 20, 2, 1)
    (tmp_path / "query.jpg").write_bytes((tmp_path / dataset.train[0].path).read_bytes())
    with pytest.raises(CalibrationError, match=r"query\.jpg"):
        choose_crops(dataset, len(dataset.train), seed=0)


@pytest.mark.parametrize(
    ("count", "says"), [(8, "at least 32"), (500, "lower --calibration-crops")]
)
def test_too_few_crops_are_refused(tmp_path: Path, count: int, says: str) -> None:
    with pytest.raises(CalibrationError, match=says):
        choose_crops(dataset_with(tmp_path, 5, 2, 1), count, seed=0)
