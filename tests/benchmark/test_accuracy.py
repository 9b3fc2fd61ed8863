"""`personvit-benchmark evaluate` on a small data set of real files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from personvit.benchmark.cli import main
from personvit.core.data.base import cameras, identities
from personvit.core.data.catalogue import open_dataset
from personvit.core.data.crops import load_batch
from personvit.core.errors import UserError
from personvit.core.metrics.reranking import Reranking
from personvit.core.metrics.scores import evaluate
from personvit.core.models.config import ModelConfig
from personvit.core.models.native import save_native
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess

PREPROCESS = Preprocess(height=64, width=32)


def write_weights(path: Path, **settings) -> Path:
    torch.manual_seed(0)
    config = ModelConfig(width=32, depth=2, heads=2, height_px=64, width_px=32, **settings)
    save_native(path, build(config).eval(), PREPROCESS, {})
    return path


@pytest.fixture
def weights(tmp_path) -> Path:
    return write_weights(tmp_path / "model.safetensors")


@pytest.fixture
def data(tmp_path) -> Path:
    """Market-1501's layout: 3 people to train, 4 to test, one distractor."""
    root = tmp_path / "Market-1501-v15.09.15"
    rng = np.random.default_rng(0)
    names = [f"bounding_box_train/{i:04}_c{c}s1_000001_01" for i in (1, 2, 3) for c in (1, 2)]
    names += [f"query/{i:04}_c1s1_000001_00" for i in (4, 5, 6, 7)]
    names += [f"bounding_box_test/{i:04}_c{c}s1_000002_01" for i in (4, 5, 6) for c in (1, 2, 3)]
    names += ["bounding_box_test/0007_c1s1_000003_01", "bounding_box_test/0000_c2s1_000004_01"]
    for name in names:
        path = root / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (70, 30, 3), dtype=np.uint8)).save(path)
    return root


def expected_scores(root: Path, weights: Path, **changes):
    from personvit.engines.catalogue import open_engine

    dataset = open_dataset(root)
    with open_engine(str(weights)) as engine:
        query, gallery = (
            engine.embed(load_batch([dataset.root / sample.path for sample in split], PREPROCESS))
            for split in (dataset.query, dataset.gallery)
        )
    labels = [f(split) for f in (identities, cameras) for split in (dataset.query, dataset.gallery)]
    return evaluate(query, gallery, *labels, **changes)


def run(capsys, *words) -> dict:
    assert main.run(["evaluate", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_report_holds_the_scores_and_all_that_reproduces_them(capsys, weights, data, tmp_path):
    out = tmp_path / "results"
    told = run(capsys, weights, "--data", data, "-o", out, "--batch", 3)
    expected = expected_scores(data, weights)
    assert told["scores"]["mean_ap"] == pytest.approx(expected.mean_ap)
    assert (told["scores"]["n_queries"], told["scores"]["n_skipped"]) == (4, 1)
    assert told["data"]["counts"]["gallery_distractors"] == 1
    assert told["preprocess"]["digest"] == PREPROCESS.digest()
    assert len(told["weights"]["sha256"]) == 64
    assert "--batch 3" in told["command"]
    assert "| mAP |" in (out / "evaluation.md").read_text()
    kept = np.load(out / "evaluation.npz")
    np.testing.assert_allclose(kept["mean_ap"], expected.per_query["mean_ap"])
    assert kept["path"][0] == "query/0004_c1s1_000001_00.jpg"


def test_reranking_and_metric_reach_the_ranking(capsys, weights, data):
    told = run(capsys, weights, "--data", data, "--rerank", "--k1", 4, "--k2", 2)
    expected = expected_scores(data, weights, rerank=Reranking(4, 2))
    assert told["scores"]["mean_ap"] == pytest.approx(expected.mean_ap)
    assert told["reranking"] == {"k1": 4, "k2": 2, "weight": 0.3}
    told = run(capsys, weights, "--data", data, "--metric", "euclidean")
    assert told["metric"] == "euclidean"
    assert told["reranking"] is None


def test_another_split_can_ask(capsys, weights, data):
    told = run(capsys, weights, "--data", data, "--split", "train/train")
    assert told["scores"]["n_queries"] == 6
    assert told["scores"]["n_skipped"] == 0


def test_a_bad_image_stops_it_or_is_listed(capsys, weights, data):
    bad = data / "query/0004_c1s1_000001_00.jpg"
    bad.write_bytes(b"no picture")
    assert main.run(["evaluate", str(weights), "--data", str(data)]) == UserError.exit_code
    assert bad.name in capsys.readouterr().err
    told = run(capsys, weights, "--data", data, "--skip-bad")
    assert told["scores"]["n_queries"] == 3
    assert [image["path"] for image in told["data"]["skipped"]] == [str(bad)]
    assert "1 images could not be read" in " ".join(told["notes"])


def test_a_model_with_cameras_gets_those_of_its_training_split(capsys, data, tmp_path):
    weights = write_weights(tmp_path / "cameras.safetensors", cameras=2)
    assert main.run(["evaluate", str(weights), "--data", str(data)]) == UserError.exit_code
    assert "cannot embed an image of camera 3" in capsys.readouterr().err
    assert run(capsys, weights, "--data", data, "--split", "train/train")["scores"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "say which data set"),
        (["--data", "DATA", "--split", "query"], "give two of train, query, gallery"),
        (["--data", "DATA", "--split", "train/test"], "give two of train, query, gallery"),
        (["--data", "nowhere"], "nowhere"),
        (["--data", "DATA", "--precision", "int3"], "choose from fp32, bf16"),
    ],
)
def test_what_cannot_be_done_is_said(capsys, weights, data, words, reason):
    words = [str(data) if word == "DATA" else word for word in words]
    assert main.run(["evaluate", str(weights), *words]) == UserError.exit_code
    assert reason in capsys.readouterr().err
