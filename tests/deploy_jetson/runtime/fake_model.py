"""The native runtime's `fake` engine in numpy, and bundles whose golden embeddings it gives.

The C++ side is deploy_jetson/runtime/src/engine/fake_backend.cpp; builds without tests lack it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from personvit.core.bundle import write_bundle
from personvit.core.golden import array_bytes
from personvit.core.manifest import Bounds, Manifest, Model, Space, TensorSpec, Variant
from personvit.core.preprocess import Preprocess

GRAPH = b"no graph at all: the fake engine takes its weights from these bytes"


def embed(crops: NDArray[np.uint8], dimension: int, graph: bytes = GRAPH) -> NDArray[np.float32]:
    """Value `at` of a crop, times its weight, adds to place `at % dimension`."""
    flat = crops.reshape(len(crops), -1).astype(np.int64)
    products = flat * _weights(flat.shape[1], graph)
    padding = -products.shape[1] % dimension
    sums = np.pad(products, ((0, 0), (0, padding))).reshape(len(crops), -1, dimension).sum(axis=1)
    return sums.astype(np.float32) / np.float32(1024)


def write(
    path: Path, preprocess: Preprocess, dimension: int, expected: NDArray[np.float32] | None = None
) -> Path:
    """A bundle that the fake engine opens; `expected` are other golden embeddings than its own."""
    size = (preprocess.height, preprocess.width, 3)
    crops = np.random.default_rng(2).integers(0, 256, (16, *size), dtype=np.uint8)
    variant = Variant(
        "cpu",
        "cpu",
        "int8",
        "int8",
        20,
        (TensorSpec("images", "uint8", ("batch", *size), "crops"),),
        (TensorSpec("embedding", "float32", ("batch", dimension), "embedding"),),
        Bounds(0.9999, 0.001),
    )
    manifest = Manifest(
        tool="0.1.0",
        name="fake",
        model=Model("fake", {"height_px": preprocess.height, "width_px": preprocess.width}),
        preprocess=preprocess,
        space=Space("ab" * 32, "before", dimension),
        variants=(variant,),
    )
    golden = embed(crops, dimension) if expected is None else expected
    members = {
        "golden/crops.npy": array_bytes(crops),
        variant.golden: array_bytes(golden),
        variant.member: GRAPH,
    }
    write_bundle(path, manifest, members)
    return path


def _weights(count: int, graph: bytes) -> NDArray[np.int64]:
    """-128 to 127, a hash of the place and of the graph's bytes."""
    seed = 0
    for byte in graph:
        seed = (seed * 31 + byte) % 2**32
    mixed = (np.arange(count, dtype=np.uint64) + seed) % 2**32 * 2654435761 % 2**32
    return ((mixed >> 16) & 255).astype(np.int64) - 128
