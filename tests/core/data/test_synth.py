"""Synthetic data sets: layout, counts, same bytes for the same seed, options, interruption."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvit.core.data.catalogue import open_dataset
from personvit.core.data.synth import SynthOptions, synth
from personvit.core.data.synth.plan import Sizes, make_plan
from personvit.core.errors import ConfigError, DataError

SMALL = SynthOptions(
    out=Path(),
    identities=6,
    cameras=3,
    seed=5,
    images_per_camera=3,
    height=64,
    width=32,
    train_identities=2,
    distractors=0.5,
    workers=1,
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synth") / "set"
    synth(dataclasses.replace(SMALL, out=out))
    return out


def digest(root: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        whole.update(f"{path.relative_to(root).as_posix()}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def test_same_seed_gives_the_same_bytes_for_any_number_of_workers(
    drawn: Path, tmp_path: Path
) -> None:
    synth(dataclasses.replace(SMALL, out=tmp_path / "two", workers=2))
    assert digest(tmp_path / "two") == digest(drawn)


def test_another_seed_gives_other_people(drawn: Path, tmp_path: Path) -> None:
    synth(dataclasses.replace(SMALL, out=tmp_path / "other", seed=6))
    other = (tmp_path / "other" / "identities.csv").read_text()
    assert other != (drawn / "identities.csv").read_text()


def test_people_and_cameras_do_not_depend_on_how_many_there_are(
    drawn: Path, tmp_path: Path
) -> None:
    more = dataclasses.replace(SMALL, out=tmp_path / "more", identities=7, cameras=4)
    synth(more)
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "more").glob("*/0001_*.jpg")}
    before = {path.name: path.read_bytes() for path in drawn.glob("*/0001_*.jpg")}
    assert len(before) == 9 and before.items() <= pictures.items()


def test_market_layout_reads_back_with_the_recorded_counts(drawn: Path) -> None:
    data = open_dataset(drawn)
    assert data.name == "market1501"
    counts = json.loads((drawn / "synth.json").read_text())["counts"]
    assert counts["train_images"] == len(data.train) == 2 * 3 * 3
    assert counts["train_identities"] == len({s.identity for s in data.train}) == 2
    assert counts["query_images"] == len(data.query) == 4 * 3
    assert counts["query_identities"] == len({s.identity for s in data.query}) == 4
    assert counts["gallery_images"] == len(data.gallery) == 4 * 3 * 2 + 12
    sought = {s.identity for s in data.gallery} - {0}
    assert counts["gallery_identities"] == len(sought) == 4
    assert counts["cameras"] == len({s.camera for s in data.query}) == 3
    assert {s.identity for s in data.train}.isdisjoint(s.identity for s in data.query)


def test_gallery_has_distractors_and_junk(drawn: Path) -> None:
    names = [path.name for path in (drawn / "bounding_box_test").iterdir()]
    assert sum(name.startswith("0000_") for name in names) == 12
    assert sum(name.startswith("-1_") for name in names) == 4


def test_occluded_layout_reads_back_and_shares_bytes(drawn: Path) -> None:
    data = open_dataset(drawn / "occluded" / "Occluded_Duke")
    assert data.name == "occluded-duke"
    assert len(data.query) == 4 * 3
    assert {s.identity for s in data.query} <= {s.identity for s in data.gallery}
    assert 0 not in {s.identity for s in data.gallery}
    for path in (drawn / "bounding_box_train").iterdir():
        assert path.stat().st_nlink == 2


def test_every_query_has_a_match_under_another_camera(drawn: Path) -> None:
    data = open_dataset(drawn)
    places = {(s.identity, s.camera) for s in data.gallery}
    for query in data.query:
        assert any(who == query.identity and where != query.camera for who, where in places)


def test_pictures_have_the_asked_size_and_are_not_flat(drawn: Path) -> None:
    for path in drawn.rglob("*.jpg"):
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            assert image.size == (32, 64) and image.mode == "RGB"
            assert np.asarray(image).std() > 4, path


def test_every_picture_has_two_captions_and_a_row(drawn: Path) -> None:
    links = {path.name for path in drawn.glob("occluded/*/bounding_box_*/*.jpg")}
    pictures = {
        path.relative_to(drawn).as_posix()
        for path in drawn.rglob("*.jpg")
        if path.name not in links
    }
    captions = json.loads((drawn / "captions.json").read_text())
    with (drawn / "attributes.csv").open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert set(captions) == set(rows) == pictures
    assert all(len(pair) == 2 and all(s.endswith(".") for s in pair) for pair in captions.values())


def test_three_thousand_queries_can_be_had() -> None:
    sizes = Sizes(
        identities=200,
        train_identities=100,
        cameras=6,
        images_per_camera=9,
        queries_per_camera=5,
        distractors=0.0,
        seed=0,
    )
    shots = make_plan(sizes).shots
    assert sum(shot.path.startswith("query/") for shot in shots) == 3000
    assert len({shot.path for shot in shots}) == len(shots)


def test_names_stay_unique_in_a_large_plan() -> None:
    plan = make_plan(Sizes(1200, 600, 9, 12, 2, 0.5, 1))
    names = [shot.path for shot in plan.shots] + [name for _, name in plan.links]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"domain": "desert"}, "campus"),
        ({"train_identities": 6}, "--train-identities"),
        ({"train_identities": None, "train_fraction": 1.0}, "--train-fraction"),
        ({"queries_per_camera": 3}, "--images-per-camera"),
        ({"height": 64, "width": 128}, "256x128"),
        ({"identities": 1}, "--identities"),
        ({"cameras": 12}, "--cameras"),
        ({"workers": 0}, "--workers"),
        ({"seed": -1}, "--seed"),
        ({"identities": 10**21}, "--identities"),
    ],
)
def test_senseless_options_are_refused_with_the_mend(
    tmp_path: Path, change: dict[str, object], word: str
) -> None:
    options = dataclasses.replace(SMALL, out=tmp_path / "x", **change)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=word):
        synth(options)
    assert not (tmp_path / "x").exists()


def test_a_used_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        synth(dataclasses.replace(SMALL, out=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    synth(dataclasses.replace(SMALL, out=tmp_path / "set", identities=2, train_identities=1))
    assert (tmp_path / "set" / "synth.json").is_file()


def drawing(parent: Path, workers: int) -> subprocess.Popen[bytes]:
    """A long drawing in a process of its own, given once its first pictures exist."""
    words = ["synth", str(parent / "set"), "--identities", "2000", "--workers", str(workers)]
    # A script's & takes the interrupt away from all that is started below it.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; from personvit.core.cli import main; import sys; sys.exit(main.run({words!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not list(parent.glob(".set.*.part/*/*.jpg")):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_leaves_nothing(tmp_path: Path, workers: int) -> None:
    process = drawing(tmp_path, workers)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted" in complaint and b"Traceback" not in complaint
    assert list(tmp_path.iterdir()) == []


def test_a_kill_leaves_no_data_set_and_no_workers(tmp_path: Path) -> None:
    process = drawing(tmp_path, 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    workers = [int(pid) for pid in children.read_text().split()] if children.exists() else []
    process.kill()
    process.wait(timeout=60)
    assert not (tmp_path / "set").exists()
    until = time.monotonic() + 30
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < until
        time.sleep(0.1)


def alive(pid: int) -> bool:
    """A zombie that nobody has reaped yet no longer draws."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
