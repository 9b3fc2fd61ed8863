"""OpenVINO, the embedded default, really runs the quantised layers of our graphs in INT8."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.export.graph import build_graph, serialise
from personvit.export.scales import PATCH_LAYER, LinearScale, layer_names
from personvit.export.variants import VARIANTS


@pytest.mark.parametrize("patch", [False, True], ids=["linear", "linear-and-patch"])
def test_every_listed_layer_runs_in_int8(patch):
    import openvino

    torch.manual_seed(0)
    model = build(ModelConfig(width=64, heads=1, depth=3, height_px=64, width_px=32)).eval()
    layers = [*layer_names(3), *([PATCH_LAYER] if patch else [])]
    weights = {name: model.backbone.get_submodule(name).weight.detach() for name in layers}
    scales = {
        name: LinearScale(4.0, weight.flatten(1).abs().amax(dim=1).numpy())
        for name, weight in weights.items()
    }
    spec = VARIANTS["cpu"].spec("before", frozenset(layers))
    graph = serialise(build_graph(model, Preprocess(64, 32), spec, scales))
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(graph), "CPU", settings)
    compiled.create_infer_request().infer([np.zeros((2, 64, 32, 3), dtype=np.uint8)])
    facts = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    products = [
        str(info["runtimePrecision"].value)
        for info in facts
        if str(info["layerType"].value) == "FullyConnected"
    ]
    in_int8 = sum(precision in ("i8", "u8") for precision in products)
    # The last qkv is two products: Q for the class token, K and V for all.
    assert in_int8 == len(layers) + 1
    assert len(products) - in_int8 == (0 if patch else 1)
