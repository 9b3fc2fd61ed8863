"""Small random models as weights and as bundles, and pictures to show them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvit.core.models.native import save_native
from personvit.core.preprocess import Preprocess


@pytest.fixture(scope="session")
def write_model(tmp_path_factory, shared):
    def write(preprocess=None, **settings) -> tuple[Path, object]:
        model = shared("bundles.py").random_model(**settings)
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


@pytest.fixture(scope="session")
def bundle(small_bundle, tmp_path_factory) -> Path:
    """With a variant for every runtime."""
    path = tmp_path_factory.mktemp("bundle") / "small.pvb"
    return small_bundle.write(path, "int8", "fp32", also=("trt-decomposed", "trt-attention"))


@pytest.fixture(scope="session")
def source_of(weights, bundle):
    """What an engine of the catalogue opens, as it says itself."""
    return lambda spec: str(bundle if "bundle" in spec.takes else weights)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    """No test reads or leaves choices in the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"
