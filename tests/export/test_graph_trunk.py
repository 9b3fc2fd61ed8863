"""A convolutional model as a graph: it answers as the model does, in float and in INT8."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from personvit.core.errors import ConfigError
from personvit.core.models.registry import config_of, names
from personvit.core.models.vit import build, merged
from personvit.core.preprocess import Preprocess
from personvit.export.calibrate import calibrate
from personvit.export.graph import build_graph, serialise
from personvit.export.graph_checks import check_graph, count_nodes
from personvit.export.graph_spec import GraphSpec
from personvit.export.layers import default_layers, first_layer, layer_work
from personvit.export.parity import open_session, parity
from personvit.export.recipe import Recipe
from personvit.export.work import int8_share

SIZES = {"height_px": 64, "width_px": 32}
PREPROCESS = Preprocess(height=64, width=32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
CONVOLUTIONAL = [name for name in names() if config_of(name).convolutional]
CROPS = np.random.default_rng(0).integers(0, 256, (8, 64, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def lively():
    """Models whose norms are not those of the first step, by name."""
    made = {}

    def of(name):
        if name not in made:
            torch.manual_seed(0)
            model = build(config_of(name, **SIZES)).eval()
            for norm in model.modules():
                if isinstance(norm, nn.BatchNorm2d | nn.BatchNorm1d):
                    norm.running_mean.normal_(0, 0.1)
                    norm.running_var.uniform_(0.5, 2)
                    nn.init.uniform_(norm.weight, 0.5, 1.5)
            made[name] = model
        return made[name]

    return of


@pytest.mark.parametrize("name", CONVOLUTIONAL)
@pytest.mark.parametrize("neck", ["before", "after"])
def test_the_graph_answers_as_the_model_before_it_was_merged(lively, name, neck):
    model, spec = lively(name), GraphSpec(neck=neck)
    graph = build_graph(merged(model), PREPROCESS, spec, space="here")
    check_graph(graph)
    assert count_nodes(graph, "BatchNormalization") == 0
    found = parity(model, PREPROCESS, serialise(graph), spec, CROPS)
    assert found.holds(0.999999)


def test_planar_floats_give_the_same_answer(lively):
    model = merged(lively("mobilenetv4_conv_small"))
    graphs = [
        build_graph(model, PREPROCESS, GraphSpec(input=kind), space="here")
        for kind in ("uint8-nhwc", "float-nchw")
    ]
    planar = np.ascontiguousarray(CROPS.transpose(0, 3, 1, 2)).astype(np.float32)
    answers = [
        open_session(serialise(graph)).run(None, {"images": images})[0]
        for graph, images in zip(graphs, (CROPS, planar), strict=True)
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-6)


@pytest.fixture(scope="module")
def int8(lively):
    """A model, its INT8 graph and the layers in it."""
    name = "mobilenetv4_conv_small"
    ready = merged(lively(name))
    batch = torch.from_numpy(PREPROCESS.normalise(CROPS))
    recipe = Recipe(patch_convolution=True)
    layers = recipe.int8_layers(ready.config)
    done = calibrate(ready, lambda: [batch], recipe)
    graph = build_graph(done.model, PREPROCESS, GraphSpec(int8=layers), done.scales, "here")
    check_graph(graph)
    return lively(name), graph, layers


def test_int8_stays_close_and_stores_weights_as_int8(int8):
    model, graph, layers = int8
    found = parity(model, PREPROCESS, serialise(graph), GraphSpec(int8=layers), CROPS)
    assert 0.98 < found.cosine < 0.99999
    stored = {one.name: one for one in graph.graph.initializer}
    for layer in layers:
        weight = stored[f"{layer}.weight.int8"]
        assert weight.data_type == onnx.TensorProto.INT8
        assert stored[f"{layer}.weight.scale"].dims == weight.dims[:1]
        assert f"{layer}.weight" not in stored
    # One rounding for each value that is read, and none on a sum or behind the last map.
    made = {node.output[0]: node.op_type for node in graph.graph.node}
    read = [node.input[0] for node in graph.graph.node if node.op_type == "QuantizeLinear"]
    assert len(read) == len(set(read)) <= len(layers)
    assert made["pooled"] == "ReduceMean"


def test_openvino_runs_the_same_int8_graph(int8):
    openvino = pytest.importorskip("openvino")
    _, graph, _ = int8
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(serialise(graph)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    ours = compiled(CROPS)[0]
    theirs = open_session(serialise(graph)).run(None, {"images": CROPS})[0]
    assert float((ours * theirs).sum(axis=1).min()) > 0.995


def test_work_and_layers_are_those_of_the_merged_network():
    config = config_of("repvit_m1_0")
    work = layer_work(config)
    # timm says 0.75 GMAC with squeeze and excite and a classifier at this size.
    assert 0.7e9 < sum(work.values()) < 0.76e9
    layers = default_layers(config)
    assert first_layer(config) not in layers
    assert not [layer for layer in layers if ".se." in layer]
    assert set(work) == {first_layer(config), *layers}
    assert int8_share(config, layers) > 0.95


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe(smooth=0.5), "no attention"),
        (Recipe(int8_attention=True), "no attention"),
        (Recipe(high_precision=("blocks.0.attn.qkv",)), "called like trunk"),
    ],
)
def test_a_recipe_for_transformers_is_refused(recipe, words):
    with pytest.raises(ConfigError, match=words):
        recipe.int8_layers(config_of("repvit_m1_0"))


def test_an_unknown_layer_is_refused_by_the_names_there_are(lively):
    model = merged(lively("repvit_m1_0"))
    with pytest.raises(ConfigError, match=r"layers are trunk.stem.conv1 and trunk.stem.conv2 to"):
        build_graph(model, PREPROCESS, GraphSpec(int8=frozenset({"fc"})), None, "here")
