"""Crops come in order, resized as the reference does; bad ones are never left out in silence."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvit.core.data import crops
from personvit.core.data.base import Sample
from personvit.core.data.crops import load_batch, stream
from personvit.core.errors import ConfigError, DataError
from personvit.core.images import read_image
from personvit.core.preprocess import Preprocess

SMALL = Preprocess(height=16, width=8)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    noise = np.random.default_rng(0)
    for number in range(30):
        pixels = noise.integers(0, 256, (20 + number, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number:02d}.jpg")
    return [Sample(f"{number:02d}.jpg", number, 1) for number in range(30)]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("batch", [1, 7, 30, 100])
def test_batches_are_the_reference_in_order(
    tmp_path: Path, samples: list[Sample], batch: int, workers: int
) -> None:
    parts = list(stream(tmp_path, samples, SMALL, batch, workers))
    assert [len(indices) for indices, _ in parts[:-1]] == [batch] * (len(parts) - 1)
    assert np.concatenate([indices for indices, _ in parts]).tolist() == list(range(30))
    seen = np.concatenate([pixels for _, pixels in parts])
    wanted = [SMALL.resize(read_image(tmp_path / sample.path)) for sample in samples]
    assert seen.dtype == np.uint8
    assert np.array_equal(seen, np.stack(wanted))
    assert np.array_equal(load_batch([tmp_path / s.path for s in samples], SMALL, workers), seen)


def test_batches_do_not_share_pixels(tmp_path: Path, samples: list[Sample]) -> None:
    first, second, *_ = (pixels for _, pixels in stream(tmp_path, samples, SMALL, 10))
    assert not np.shares_memory(first, second)


def test_a_bad_image_stops_the_stream_with_its_path(tmp_path: Path, samples: list[Sample]) -> None:
    (tmp_path / "11.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"11\.jpg"):
        list(stream(tmp_path, samples, SMALL, 4))


def test_skipping_counts_lists_and_fills_the_batch(tmp_path: Path, samples: list[Sample]) -> None:
    (tmp_path / "03.jpg").write_bytes(b"")
    (tmp_path / "29.jpg").unlink()
    batches = stream(tmp_path, samples, SMALL, 4, skip_bad=True)
    parts = list(batches)
    kept = [number for number in range(30) if number not in (3, 29)]
    assert np.concatenate([indices for indices, _ in parts]).tolist() == kept
    assert {len(indices) for indices, _ in parts} == {4}
    assert [Path(bad.path).name for bad in batches.bad] == ["03.jpg", "29.jpg"]
    assert batches.bad.as_json()["skipped"] == 2
    assert "skipped 2 bad images" in batches.bad.as_text()
    assert "empty" in batches.bad.as_text()


def test_nothing_good_gives_no_batch(tmp_path: Path) -> None:
    batches = stream(tmp_path, [Sample("absent.jpg", 1, 1)], SMALL, 4, skip_bad=True)
    assert list(batches) == []
    assert len(batches.bad) == 1
    assert list(stream(tmp_path, [], SMALL, 4)) == []
    assert load_batch([], SMALL).shape == (0, 16, 8, 3)


def test_memory_is_bounded_however_long_the_list(
    tmp_path: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    monkeypatch.setattr(crops, "read_image", lambda path: read.append(path) or read_image(path))
    batches = stream(tmp_path, samples * 50, SMALL, 8, workers=2)
    next(batches)
    for thread in [t for t in threading.enumerate() if t.name.startswith("crops")]:
        thread.join(0.2)
    assert len(read) <= 2 * 8 + 16 * 2
    batches.close()


def test_a_batch_beyond_the_list_claims_no_memory(tmp_path: Path, samples: list[Sample]) -> None:
    batches = list(stream(tmp_path, samples, SMALL, batch=10**12, workers=10**6))
    assert [len(indices) for indices, _ in batches] == [len(samples)]


def test_leaving_early_ends_the_threads(tmp_path: Path, samples: list[Sample]) -> None:
    for _ in stream(tmp_path, samples, SMALL, 2, workers=2):
        break
    assert not [t for t in threading.enumerate() if t.name.startswith("crops")]


@pytest.mark.parametrize(("batch", "workers"), [(0, 1), (4, 0)])
def test_senseless_sizes_are_refused(tmp_path: Path, batch: int, workers: int) -> None:
    with pytest.raises(ConfigError, match="must be 1 or more"):
        stream(tmp_path, [], SMALL, batch, workers)
