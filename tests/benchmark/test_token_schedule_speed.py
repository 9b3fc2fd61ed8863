"""The comparison of two models says which is which, by both clocks, and holds to its target."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from personvit.benchmark.token_schedule_speed import (
    BATCHES,
    TARGET,
    ScheduleSpeedOptions,
    schedule_speed,
)
from personvit.core.errors import ConfigError
from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.export.graph import build_graph, serialise
from personvit.export.scales import LinearScale, layer_names
from personvit.export.variants import VARIANTS


def write(path: Path, height: int = 128, **settings) -> Path:
    torch.manual_seed(0)
    config = ModelConfig(width=64, depth=2, heads=1, height_px=height, width_px=64, **settings)
    model = build(config).eval()
    layers = layer_names(config.depth)
    weights = {name: model.backbone.get_submodule(name).weight.detach() for name in layers}
    scales = {
        name: LinearScale(4.0, np.asarray(each.abs().amax(dim=1))) for name, each in weights.items()
    }
    spec = VARIANTS["cpu"].spec("before", frozenset(layers))
    path.write_bytes(serialise(build_graph(model, Preprocess(height, 64), spec, scales)))
    return path


def test_two_clocks_two_batches_and_a_verdict_each(tmp_path):
    narrow = write(tmp_path / "narrow.onnx", token_schedule=((1, 8),))
    plain = write(tmp_path / "plain.onnx")
    options = ScheduleSpeedOptions(narrow, plain, threads=1, rounds=2, out=tmp_path)
    report = schedule_speed(options)
    rows = json.loads((tmp_path / "token_schedule.json").read_text())["ratios"]
    assert [(row["clock"], row["batch"]) for row in rows] == [
        (clock, batch) for clock in ("wall", "processor") for batch in BATCHES
    ]
    for row in rows:
        assert row["name"] == "token schedule"
        assert row["over"] == "all tokens"
        assert row["kept"] == (row["median"] >= TARGET)
    assert "speed only" in report.as_text()


def test_models_of_different_sizes_are_not_compared(tmp_path):
    small, large = write(tmp_path / "small.onnx"), write(tmp_path / "large.onnx", height=192)
    with pytest.raises(ConfigError, match="different sizes"):
        schedule_speed(ScheduleSpeedOptions(small, large, rounds=1))
