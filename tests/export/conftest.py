"""Tiny models: one with lively random weights, and one trained for seconds on people to find."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from personvit.core.data.synth import SynthOptions, synth
from personvit.core.models.config import ModelConfig
from personvit.core.models.native import load_native, save_native
from personvit.core.models.vit import ReidVit, build
from personvit.core.preprocess import Preprocess
from personvit.train.finetune import FinetuneOptions, finetune
from personvit.train.initial import draw


@pytest.fixture(scope="session")
def tiny_model() -> ReidVit:
    torch.manual_seed(0)
    model = build(ModelConfig(width=64, heads=1, depth=3, height_px=64, width_px=32)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.requires_grad_(False)


@pytest.fixture(scope="session")
def tiny_crops() -> torch.Tensor:
    return torch.rand(96, 3, 64, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("people") / "data"
    sizes = {"height": 64, "width": 32, "cameras": 3, "queries_per_camera": 2}
    synth(SynthOptions(out, identities=110, train_identities=40, **sizes))
    return out


@pytest.fixture(scope="session")
def weights(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained for seconds, so that there is an accuracy to lose."""
    folder = tmp_path_factory.mktemp("weights")
    model = build(ModelConfig(width=64, heads=1, depth=3, height_px=64, width_px=32)).eval()
    draw(model, 0)
    start, run = folder / "start.safetensors", folder / "run"
    save_native(start, model, Preprocess(height=64, width=32), {"made_by": "a test"})
    sizes = ("input.height=64", "input.width=32", "schedule.epochs=16", "augment.pad=2")
    finetune(FinetuneOptions(str(start), people, recipe="demo", set=sizes, out=run, evaluate=False))
    return (run / "model.safetensors").rename(folder / "small.safetensors")


@pytest.fixture(scope="session")
def planted(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Equal in float, but one hidden unit is so loud that INT8 hears nothing else."""
    loaded = load_native(weights)
    mlp = loaded.model.backbone.blocks[0].mlp
    with torch.no_grad():
        mlp.fc1.bias[7] += 20000
        mlp.fc2.weight[:, 7] *= 0
    path = tmp_path_factory.mktemp("planted") / "planted.safetensors"
    save_native(path, loaded.model, loaded.preprocess, loaded.provenance)
    return path


@pytest.fixture(scope="session")
def words():
    """The words of a quick export."""

    def quick(weights: Path, data: Path, out: Path, *more: str) -> list[str]:
        common = ["--calibration-crops", "64", "--no-latency", "-o", str(out)]
        return [str(weights), "--data", str(data), *common, *more]

    return quick
