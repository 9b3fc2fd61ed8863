"""A small, complete bundle to break in every way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from personvit.core.bundle import Bundle, write_bundle
from personvit.core.golden import array_bytes
from personvit.core.manifest import Bounds, Manifest, Model, Space, TensorSpec, Variant
from personvit.core.preprocess import Preprocess

DIMENSION = 2


class TinyBundle:
    """The parts of a bundle of one variant, and the file made of them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **changes) -> Bundle:
        return write_bundle(self.path, self.draft(**changes), self.contents())

    def draft(self, **changes) -> Manifest:
        values = {
            "tool": "0.1.0",
            "name": "tiny",
            "model": Model("vit_tiny_16", {"height_px": 2, "width_px": 1, "width": DIMENSION}),
            "preprocess": Preprocess(height=2, width=1),
            "space": Space("ab" * 32, "before", DIMENSION),
            "variants": (self.variant(),),
            "calibration": "calib.lock",
        }
        return Manifest(**{**values, **changes})

    def variant(self, **changes) -> Variant:
        output = TensorSpec("embedding", "float32", ("batch", DIMENSION), "embedding")
        values = {
            "name": "cpu",
            "kind": "cpu",
            "candidate": "int8",
            "precision": "int8",
            "opset": 20,
            "inputs": (TensorSpec("images", "uint8", ("batch", 2, 1, 3), "crops"),),
            "outputs": (output,),
            "bounds": Bounds(0.99, 0.01),
            "recipe": "recipe.toml",
        }
        return Variant(**{**values, **changes})

    def contents(self) -> dict[str, bytes]:
        rng = np.random.default_rng(0)
        crops = rng.integers(0, 256, (16, 2, 1, 3), dtype=np.uint8)
        vectors = rng.normal(size=(16, DIMENSION)).astype(np.float32)
        return {
            "variants/cpu/model.onnx": b"not really a graph",
            "golden/crops.npy": array_bytes(crops),
            "golden/cpu.npy": array_bytes(vectors),
            "recipe.toml": b"[linear]\n",
            "calib.lock": b"{}\n",
            "README.md": b"# A model card\n",
            "accuracy.json": b'{"mAP": 0.5}\n',
        }


@pytest.fixture
def tiny_bundle(tmp_path: Path) -> TinyBundle:
    bundle = TinyBundle(tmp_path / "tiny.pvb")
    bundle.write()
    return bundle
