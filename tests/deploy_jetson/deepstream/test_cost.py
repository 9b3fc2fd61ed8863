"""What the resize costs is measured on training people, and every number is written down."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from personvit.core.data.catalogue import open_dataset
from personvit.core.data.synth import SynthOptions, synth
from personvit.core.errors import DataError
from personvit.core.images import read_image
from personvit.core.preprocess import Preprocess
from personvit.deploy_jetson.deepstream import DeepStreamOptions, deepstream
from personvit.deploy_jetson.deepstream_cost import measure, training_people
from personvit.deploy_jetson.deepstream_crops import CropPath, paths
from personvit.deploy_jetson.deepstream_engine import PlanarEngine


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data") / "people"
    synth(SynthOptions(root, identities=40, cameras=3, height=128, width=64))
    return root


def looking(crops: np.ndarray) -> np.ndarray:
    """A stand-in for a network: what stands where, coarsely."""
    blocks = crops.reshape(len(crops), 3, 8, -1, 4, crops.shape[3] // 4).mean(axis=(3, 5))
    vectors = (blocks - blocks.mean(axis=(2, 3), keepdims=True)).reshape(len(crops), -1)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


ENGINE = PlanarEngine("numpy", looking, 1.0, (0.0, 0.0, 0.0), 96)
SIZE = Preprocess(height=64, width=32)


def test_only_training_people_are_looked_at(people, tmp_path):
    """Without its query and gallery the data set gives the same numbers."""
    alone = tmp_path / "alone"
    shutil.copytree(people / "bounding_box_train", alone / "bounding_box_train")
    for split in ("query", "bounding_box_test"):
        (alone / split).mkdir()
    both = [measure(ENGINE, SIZE, root, "market1501", paths()) for root in (people, alone)]
    assert both[0].as_json()["paths"] == both[1].as_json()["paths"]
    chosen = training_people(open_dataset(people, "market1501"))
    assert all(sample.path.startswith("bounding_box_train/") for sample in chosen)
    assert len({sample.camera for sample in chosen}) == 3


def test_the_reference_path_costs_nothing_and_a_tiny_frame_much(people):
    class Reference(CropPath):
        def crop(self, image, height, width, corner=(0, 0)):
            return SIZE.resize(image)

    ways = (Reference("reference"), CropPath("whole"), CropPath("tiny", frame_scale=0.1))
    same, whole, tiny = measure(ENGINE, SIZE, people, "market1501", ways).paths
    assert same.cosine.smallest == pytest.approx(1)
    assert same.overlap == 1
    assert same.thresholds.candidate == same.thresholds.reference
    assert same.median >= whole.median > tiny.median
    assert tiny.cosine.smallest < 0.99
    assert tiny.thresholds.candidate != tiny.thresholds.reference


def test_the_command_writes_what_it_measured(make_bundle, people, tmp_path):
    bundle = make_bundle("int8")
    options = DeepStreamOptions(bundle, tmp_path / "out", data=people, kind="market1501")
    made = deepstream(options)
    written = json.loads((tmp_path / "out/thresholds.json").read_text())
    secondary, tracker = written["paths"]
    assert (secondary["path"], tracker["path"]) == ("secondary", "tracker")
    page = (tmp_path / "out/README.md").read_text()
    assert f"| secondary | {made.cost.paths[0].median:.4f} |" in page
    for row in secondary["thresholds"]["candidate"]:
        assert row["low"] <= row["threshold"] <= row["high"] if row["resolvable"] else True
        if row["resolvable"]:
            assert f"**{row['threshold']:.4f}**" in page
    assert any(row["resolvable"] for row in secondary["thresholds"]["candidate"])
    assert f"{tracker['cosine']['smallest']:.4f} worst" in made.as_text()
    assert written["synthetic"] is True
    assert "synthetic pedestrians, not people" in page
    assert "keeping the reference threshold" in page


def test_people_without_names_give_agreement_only(make_bundle, people, tmp_path):
    crops = tmp_path / "crops"
    crops.mkdir()
    for path in sorted((people / "bounding_box_train").glob("*.jpg"))[:40]:
        shutil.copy(path, crops / path.name)
    bundle = make_bundle("fp16")
    made = deepstream(
        DeepStreamOptions(bundle, tmp_path / "out", data=crops, kind="unlabelled-folder")
    )
    assert [path.thresholds for path in made.cost.paths] == [None, None]
    assert "no thresholds" in (tmp_path / "out/README.md").read_text()


def test_too_few_people_are_refused(people, tmp_path):
    (tmp_path / "bounding_box_train").mkdir()
    for split in ("query", "bounding_box_test"):
        shutil.copytree(people / split, tmp_path / split)
    for path in sorted((people / "bounding_box_train").glob("*.jpg"))[:8]:
        shutil.copy(path, tmp_path / "bounding_box_train")
    with pytest.raises(DataError, match="too few"):
        measure(ENGINE, SIZE, tmp_path, "market1501", paths())


def test_damaged_crops_are_named(people, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(people, broken)
    victim = sorted((broken / "bounding_box_train").glob("*.jpg"))[0]
    victim.write_bytes(victim.read_bytes()[:200])
    with pytest.raises(DataError, match=victim.name):
        measure(ENGINE, SIZE, broken, "market1501", paths())
    assert read_image(sorted((people / "query").glob("*.jpg"))[0]).shape == (128, 64, 3)
