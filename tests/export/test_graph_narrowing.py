"""Graphs of models with a token schedule: faithful, smaller block by block, fused, INT8."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import ReidVit, build
from personvit.core.preprocess import Preprocess
from personvit.engines.tensorrt_build import BuildRequest, attempt
from personvit.export.fusion import prove
from personvit.export.graph import build_graph, serialise
from personvit.export.graph_checks import check_graph, simplifier_agrees
from personvit.export.graph_spec import GraphSpec
from personvit.export.parity import parity, torch_embeddings
from personvit.export.scales import LinearScale, Scales, layer_names
from personvit.export.variants import VARIANTS
from personvit.export.work import layer_work

SIZE = Preprocess(128, 64)
NARROW = ModelConfig(
    *(64, 3, 1, 128, 64),
    token_schedule=((1, 24), (2, 16)),
)
LAYERS = frozenset(layer_names(NARROW.depth))


def lively(config: ModelConfig) -> ReidVit:
    """Random weights whose attention is far from even, so that no patch is nearly another."""
    torch.manual_seed(0)
    model = build(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.add_(torch.randn_like(value) * (0.3 if "qkv" in name else 0.05))
    return model


def scales_of(model: ReidVit) -> Scales:
    weights = {name: model.backbone.get_submodule(name).weight.detach() for name in LAYERS}
    return {
        name: LinearScale(8.0, weight.abs().amax(dim=1).numpy()) for name, weight in weights.items()
    }


def crops(count: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 128, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("tokens", ["cls", "pass", "cls-drop-patch"])
@pytest.mark.parametrize("attention", ["decomposed", "native"])
def test_a_narrowing_graph_answers_as_pytorch_does(tokens, attention):
    model = lively(replace(NARROW, tokens=tokens, heads=2))
    spec = GraphSpec(attention=attention)
    graph = build_graph(model, SIZE, spec)
    check_graph(graph)
    assert parity(model, SIZE, serialise(graph), spec, crops()).cosine > 0.99999


def test_simplifier_agrees_with_a_narrowing_graph():
    assert simplifier_agrees(build_graph(lively(NARROW), SIZE, GraphSpec()))


def test_each_block_is_given_what_the_schedule_left():
    model = lively(NARROW)
    inferred = onnx.shape_inference.infer_shapes(build_graph(model, SIZE, GraphSpec()))
    rows = {
        value.name: value.type.tensor_type.shape.dim[1].dim_value
        for value in inferred.graph.value_info
        if value.name.endswith(".norm1")
    }
    assert rows == {"blocks.0.norm1": 33, "blocks.1.norm1": 25, "blocks.2.norm1": 17}
    work = layer_work(NARROW)
    whole = {"attn.qkv": 3 * 64 * 64 * 32, "mlp.fc1": 4 * 64 * 64 * 32}
    for part, shares in {"attn.qkv": [32, 24, 16], "mlp.fc1": [24, 16, 16]}.items():
        assert [work[f"blocks.{one}.{part}"] * 32 / whole[part] for one in range(3)] == shares


def test_openvino_answers_as_pytorch_does():
    import openvino

    model = lively(NARROW)
    core = openvino.Core()
    graph = core.read_model(serialise(build_graph(model, SIZE, VARIANTS["cpu"].spec("before"))))
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    found = core.compile_model(graph, "CPU", settings)([crops()])[0]
    wanted = torch_embeddings(model, SIZE, crops(), "before")
    assert (found * wanted).sum(axis=1).min() > 0.99999


def test_openvino_runs_the_linear_layers_of_a_narrowing_graph_in_int8():
    import openvino

    model = lively(NARROW)
    spec = VARIANTS["cpu"].spec("before", LAYERS)
    core = openvino.Core()
    graph = core.read_model(serialise(build_graph(model, SIZE, spec, scales_of(model))))
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled([crops()])[0]
    facts = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    products = [
        str(info["runtimePrecision"].value)
        for info in facts
        if str(info["layerType"].value) == "FullyConnected"
    ]
    # The last qkv is two products, and the patches are the one in float.
    assert sum(one in ("i8", "u8") for one in products) == len(LAYERS) + 1
    assert len(products) == len(LAYERS) + 2
    wanted = torch_embeddings(model, SIZE, crops(), "before")
    assert (found * wanted).sum(axis=1).mean() > 0.98


@pytest.mark.parametrize("int8", [False, True], ids=["fp16", "int8"])
def test_attention_of_every_width_is_fused(int8):
    model = lively(NARROW)
    spec = VARIANTS["trt-attention"].spec("before", LAYERS if int8 else frozenset())
    forms = [
        serialise(build_graph(model, SIZE, one, scales_of(model)))
        for one in (spec, replace(spec, precision="fp32"))
    ]
    proof = prove(forms[0], forms[1], NARROW.depth, ("8.6",))
    assert proof.proved, proof.as_text()


def test_older_compilers_form_is_accepted():
    model = lively(NARROW)
    spec = VARIANTS["trt-decomposed"].spec("before", LAYERS)
    made = attempt(
        serialise(build_graph(model, SIZE, spec, scales_of(model))), BuildRequest(("8.6",))
    )
    assert made.plan is not None, made.log
