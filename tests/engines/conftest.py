"""Small random models as files, and pictures to show them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from personvit.core.models.config import ModelConfig
from personvit.core.models.native import save_native
from personvit.core.models.vit import ReidVit, build
from personvit.core.preprocess import Preprocess

SIZE = {"height_px": 64, "width_px": 32}


def random_model(**settings) -> ReidVit:
    torch.manual_seed(0)
    return build(ModelConfig(width=32, depth=2, heads=2, **SIZE, **settings)).eval()


@pytest.fixture(scope="session")
def write_model(tmp_path_factory):
    def write(preprocess=None, **settings) -> tuple[Path, ReidVit]:
        model = random_model(**settings)
        path = tmp_path_factory.mktemp("weights") / "model.safetensors"
        save_native(
            path, model, preprocess or Preprocess(height=64, width=32), {"made": "by a test"}
        )
        return path, model

    return write


@pytest.fixture(scope="session")
def weights(write_model) -> Path:
    return write_model()[0]


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 64, 32, 3), dtype=np.uint8)


@pytest.fixture
def pictures(tmp_path, crops) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, crop in enumerate(crops):
        Image.fromarray(crop).save(folder / f"{number}.png")
    return folder
