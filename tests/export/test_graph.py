"""The ONNX graphs: valid, faithful to PyTorch, small, and the same bytes every time."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from personvit.core.errors import CalibrationError, ConfigError
from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import ReidVit, build
from personvit.core.preprocess import Preprocess
from personvit.export.graph import GraphSpec, build_graph, serialise
from personvit.export.graph_checks import check_graph, count_nodes, simplifier_agrees
from personvit.export.parity import parity
from personvit.export.scales import PATCH_LAYER, LinearScale, Scales, layer_names

SMALL = ModelConfig(width=64, heads=1, depth=2)
IMAGENET = Preprocess(colour="bgr", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
MODELS = {
    "personvit": SMALL,
    "personvit-384": replace(SMALL, height_px=384),
    "two-heads": replace(SMALL, heads=2),
    "no-neck": replace(SMALL, neck="none"),
    "128-mean": replace(SMALL, tokens="mean"),
    "128-drop": replace(SMALL, tokens="cls-drop-patch"),
    "pass-cat": replace(SMALL, tokens="pass", neck="multi"),
    "pass-mean": replace(SMALL, tokens="pass", neck="multi", fusion="mean", branch_norm=True),
    "pass-single": replace(SMALL, tokens="pass"),
    "ics": replace(SMALL, stem="ics"),
    "student": replace(SMALL, projection=96),
    "pass-student": replace(SMALL, tokens="pass", neck="multi", projection=48),
    "pass-384": replace(SMALL, tokens="pass", height_px=384),
}


def lively(config: ModelConfig) -> ReidVit:
    """Random weights in which every bias, norm and token matters."""
    torch.manual_seed(0)
    model = build(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        for name, value in model.named_buffers():
            if name.endswith("running_mean"):
                value.normal_(std=0.3)
            if name.endswith("running_var"):
                value.uniform_(0.5, 2.0)
    return model


def crops(preprocess: Preprocess, count: int = 8) -> np.ndarray:
    shape = (count, preprocess.height, preprocess.width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def sized(preprocess: Preprocess, config: ModelConfig) -> Preprocess:
    return replace(preprocess, height=config.height_px, width=config.width_px)


def made_up_scales(model: ReidVit) -> Scales:
    """Ranges wide enough for random weights; the accuracy of INT8 is not the subject here."""
    found: dict[str, LinearScale] = {}
    for name in (*layer_names(model.config.depth), PATCH_LAYER):
        weight = model.backbone.get_submodule(name).weight.detach().flatten(1).numpy()
        found[name] = LinearScale(6.0, np.abs(weight).max(axis=1))
    for block in range(model.config.depth):
        for part in ("query", "key", "value"):
            found[f"blocks.{block}.attn.{part}"] = LinearScale(4.0)
    return found


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> ReidVit:
    return lively(MODELS[request.param])


@pytest.mark.parametrize(
    ("attention", "preprocess"),
    [("decomposed", Preprocess()), ("native", IMAGENET)],
    ids=["decomposed-half", "native-imagenet-bgr"],
)
def test_graph_answers_as_pytorch_does(model, attention, preprocess):
    preprocess = sized(preprocess, model.config)
    necks = ["before"] if model.config.neck == "none" else ["before", "after"]
    for neck in necks:
        spec = GraphSpec(attention=attention, neck=neck)
        graph = build_graph(model, preprocess, spec)
        check_graph(graph)
        found = parity(model, preprocess, serialise(graph), spec, crops(preprocess))
        assert [one.batch for one in found.batches] == [1, 2, 7, 8]
        assert found.cosine > 0.99999
        assert found.length_error < 1e-5


@pytest.mark.parametrize("attention", ["decomposed", "native"])
def test_fp16_graph_keeps_the_direction(model, attention):
    preprocess = sized(IMAGENET, model.config)
    spec = GraphSpec(precision="fp16", attention=attention)
    graph = build_graph(model, preprocess, spec)
    check_graph(graph)
    found = parity(model, preprocess, serialise(graph), spec, crops(preprocess, 2), (1, 2))
    assert found.cosine > 0.9999


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_int8_graph_keeps_the_direction(model, precision):
    preprocess = sized(Preprocess(), model.config)
    layers = frozenset(layer_names(model.config.depth))
    spec = GraphSpec(precision=precision, int8=layers)
    graph = build_graph(model, preprocess, spec, made_up_scales(model))
    check_graph(graph)
    found = parity(model, preprocess, serialise(graph), spec, crops(preprocess, 2), (1, 2))
    assert found.cosine > 0.99


@pytest.mark.parametrize("stem", ["patch", "ics"])
def test_candidates_patch_and_int8_attention(stem):
    model = lively(replace(SMALL, stem=stem))
    layers = frozenset({*layer_names(2), PATCH_LAYER})
    spec = GraphSpec(int8=layers, int8_attention=True)
    preprocess = IMAGENET
    graph = build_graph(model, preprocess, spec, made_up_scales(model))
    check_graph(graph)
    found = parity(model, preprocess, serialise(graph), spec, crops(preprocess), (1, 2))
    assert found.cosine > 0.98


def test_deepstream_input_is_planar_floats():
    model = lively(SMALL)
    spec = GraphSpec(input="float-nchw")
    graph = build_graph(model, IMAGENET, spec)
    check_graph(graph)
    sizes = graph.graph.input[0].type.tensor_type.shape.dim
    assert [size.dim_param or size.dim_value for size in sizes] == ["batch", 3, 256, 128]
    assert parity(model, IMAGENET, serialise(graph), spec, crops(IMAGENET)).cosine > 0.99999


@pytest.mark.parametrize("attention", ["decomposed", "native"])
def test_independent_simplifier_agrees(attention):
    graph = build_graph(lively(SMALL), Preprocess(), GraphSpec(attention=attention))
    assert simplifier_agrees(graph)


def test_equal_inputs_give_equal_bytes():
    def once() -> bytes:
        model = lively(SMALL)
        spec = GraphSpec(int8=frozenset(layer_names(2)))
        return serialise(build_graph(model, Preprocess(), spec, made_up_scales(model)))

    assert once() == once()


def test_graph_says_what_it_is_and_nothing_about_this_machine(tree):
    model = lively(SMALL)
    graph = build_graph(model, Preprocess(), GraphSpec(neck="after"))
    said = {item.key: item.value for item in graph.metadata_props}
    assert Preprocess().to_dict() == json.loads(said["personvit.preprocess"])
    assert said["personvit.embedding"] == "64"
    assert said["personvit.neck"] == "after"
    before = build_graph(model, Preprocess(), GraphSpec(neck="before"))
    assert (
        said["personvit.space"]
        != {i.key: i.value for i in before.metadata_props}["personvit.space"]
    )
    assert not any(node.doc_string for node in graph.graph.node)
    assert str(tree).encode() not in serialise(graph)


@pytest.mark.parametrize(("attention", "opset"), [("decomposed", 20), ("native", 23)])
def test_opset_is_the_oldest_that_serves(attention, opset):
    graph = build_graph(lively(SMALL), Preprocess(), GraphSpec(attention=attention))
    assert [(item.domain, item.version) for item in graph.opset_import] == [("", opset)]
    assert count_nodes(graph, "Attention") == (2 if attention == "native" else 0)


def test_last_block_makes_the_class_token_only():
    graph = build_graph(lively(SMALL), Preprocess(), GraphSpec())
    shapes = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim][1:]
        for value in onnx.shape_inference.infer_shapes(graph).graph.value_info
    }
    assert shapes["blocks.0.mlp.fc1.sum"] == [129, 256]
    assert shapes["blocks.1.mlp.fc1.sum"] == [1, 256]


def test_small_files_hold_their_weights_as_int8():
    model = build(ModelConfig()).eval()
    spec = GraphSpec(int8=frozenset(layer_names(12)))
    data = serialise(build_graph(model, Preprocess(), spec, made_up_scales(model)))
    assert len(data) <= 24_000_000


def test_what_cannot_be_exported_is_refused_with_the_mend():
    model, half = lively(SMALL), Preprocess()
    with pytest.raises(ConfigError, match="fine-tune it without cameras"):
        build_graph(lively(replace(SMALL, cameras=3)), half, GraphSpec())
    with pytest.raises(ConfigError, match=r"256x128 pixels .* 128x64"):
        build_graph(model, Preprocess(128, 64), GraphSpec())
    with pytest.raises(ConfigError, match=r"no layer .* named blocks\.9\.mlp\.fc1"):
        build_graph(model, half, GraphSpec(int8=frozenset({"blocks.9.mlp.fc1"})))
    with pytest.raises(ConfigError, match="no neck"):
        build_graph(lively(replace(SMALL, neck="none")), half, GraphSpec(neck="after"))
    with pytest.raises(ConfigError, match="decomposed"):
        GraphSpec(attention="native", int8_attention=True)
    with pytest.raises(CalibrationError, match=r"blocks\.0\.mlp\.fc1 .* not calibrated"):
        build_graph(model, half, GraphSpec(int8=frozenset({"blocks.0.mlp.fc1"})))


def test_weights_that_fp16_cannot_hold_are_refused():
    model = lively(SMALL)
    with torch.no_grad():
        model.backbone.blocks[0].mlp.fc1.bias[0] = 1e5
    with pytest.raises(ConfigError, match=r"blocks\.0\.mlp\.fc1\.bias reaches 1e\+05"):
        build_graph(model, Preprocess(), GraphSpec(precision="fp16"))
