"""Small random models as bundles with a graph for DeepStream, in several sizes and forms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from personvit.core.bundle import Bundle, write_bundle
from personvit.core.golden import array_bytes
from personvit.core.manifest import Bounds, Manifest, Model, Space, TensorSpec, Variant
from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import ReidVit, build
from personvit.core.preprocess import Preprocess
from personvit.export.graph import build_graph, serialise
from personvit.export.scales import LinearScale, layer_names
from personvit.export.variants import VARIANTS

BOUNDS = Bounds(0.98, 0.01)


def lively(config: ModelConfig) -> ReidVit:
    """Random, but not so small that every crop looks alike to it."""
    torch.manual_seed(0)
    model = build(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.requires_grad_(False)


def scales_of(model: ReidVit, pixels: torch.Tensor) -> dict[str, LinearScale]:
    modules = dict(model.backbone.named_modules())
    peaks: dict[str, float] = {}

    def hook(name):
        return lambda _, inputs: peaks.update({name: float(inputs[0].abs().max())})

    names = layer_names(model.config.depth)
    hooks = [modules[name].register_forward_pre_hook(hook(name)) for name in names]
    with torch.inference_mode():
        model.embed(pixels)
    for each in hooks:
        each.remove()
    return {
        name: LinearScale(peaks[name], modules[name].weight.abs().amax(dim=1).numpy())
        for name in names
    }


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory):
    """Candidates are made in the order given; the first is the bundle's default."""

    def make(
        *candidates: str, kinds=("deepstream",), preprocess: Preprocess | None = None, **settings
    ) -> Path:
        preprocess = preprocess or Preprocess(height=64, width=32)
        size = {"height_px": preprocess.height, "width_px": preprocess.width}
        model = lively(ModelConfig(**({"width": 32, "depth": 2, "heads": 2} | size | settings)))
        shape = (16, preprocess.height, preprocess.width, 3)
        crops = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        pixels = torch.from_numpy(replace(preprocess, layout="nchw").normalise(crops))
        with torch.inference_mode():
            golden = model.embed(pixels).numpy()
        members = {"golden/crops.npy": array_bytes(crops)}
        variants = []
        for candidate in candidates:
            for kind in kinds:
                first = candidate == candidates[0]
                name = kind if first else f"{kind}-{candidate}"
                int8 = layer_names(model.config.depth) if candidate == "int8" else ()
                spec = VARIANTS[kind].spec(model.config.neck_feature, frozenset(int8))
                graph = build_graph(model, preprocess, spec, scales_of(model, pixels))
                members[f"variants/{name}/model.onnx"] = serialise(graph)
                members[f"golden/{name}.npy"] = array_bytes(golden)
                planes = kind == "deepstream"
                size = (3, *shape[1:3]) if planes else shape[1:]
                inputs = (
                    TensorSpec(
                        "images", "float32" if planes else "uint8", ("batch", *size), "crops"
                    ),
                )
                outputs = (
                    TensorSpec("embedding", "float32", ("batch", golden.shape[1]), "embedding"),
                )
                variants.append(
                    Variant(name, kind, candidate, candidate, 20, inputs, outputs, BOUNDS)
                )
        manifest = Manifest(
            tool="0.1.0",
            name="small",
            model=Model("small", model.config.to_dict()),
            preprocess=preprocess,
            space=Space("ab" * 32, model.config.neck_feature, golden.shape[1]),
            variants=tuple(variants),
        )
        path = tmp_path_factory.mktemp("bundle") / "small.pvb"
        return write_bundle(path, manifest, members).path

    return make


@pytest.fixture(scope="session")
def bundle(make_bundle) -> Bundle:
    return Bundle.open(make_bundle("int8", "fp16"))
