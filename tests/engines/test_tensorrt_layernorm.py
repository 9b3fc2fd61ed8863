"""LayerNorm in FP32, in a network that NVIDIA's own parser made of an FP16 graph of ours."""

from __future__ import annotations

import pytest
import tensorrt_rtx as trt
import torch

from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import build as build_model
from personvit.core.preprocess import Preprocess
from personvit.engines.tensorrt_layernorm import in_fp32
from personvit.export.graph import build_graph, serialise
from personvit.export.variants import VARIANTS

DEPTH = 2


@pytest.fixture(scope="module", params=["trt-attention", "trt-decomposed"])
def onnx(request) -> bytes:
    torch.manual_seed(0)
    config = ModelConfig(width=64, heads=1, depth=DEPTH, height_px=64, width_px=32)
    spec = VARIANTS[request.param].spec("before")
    return serialise(build_graph(build_model(config), Preprocess(64, 32), spec))


@pytest.fixture
def parsed(onnx):
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    assert parser.parse(onnx)
    yield builder, network
    del parser


def normalisations(network) -> list:
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    return [layer for layer in layers if layer.type == trt.LayerType.NORMALIZATION]


def types(network) -> dict[str, str]:
    """Of every layer's first output, by the layer's name."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    return {layer.name: layer.get_output(0).dtype.name for layer in layers}


def test_every_normalisation_is_in_fp32_and_nothing_else_changes_its_type(parsed):
    _, network = parsed
    before = types(network)
    own = {layer.name for layer in normalisations(network) if before[layer.name] == "HALF"}
    assert len(own) == 2 * DEPTH, "the last one is in FP32 in the graph itself"
    assert in_fp32(trt, network, weakly=False) == len(own)
    for layer in normalisations(network):
        given = [layer.get_input(index).dtype.name for index in range(layer.num_inputs)]
        assert set(given) == {"FLOAT"}
    after = types(network)
    assert {after[name] for name in own} == {"FLOAT"}
    assert {name: kind for name, kind in after.items() if name in before and name not in own} == {
        name: kind for name, kind in before.items() if name not in own
    }


def test_nobody_reads_the_fp32_result_but_the_cast_behind_it(parsed):
    _, network = parsed
    low = [layer for layer in normalisations(network) if layer.get_output(0).dtype.name == "HALF"]
    in_fp32(trt, network, weakly=False)
    made = {layer.get_output(0).name for layer in low}
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        inputs = [layer.get_input(number) for number in range(layer.num_inputs)]
        reads = {value.name for value in inputs if value is not None}
        assert layer.type == trt.LayerType.CAST or not reads & made


def test_a_second_time_there_is_nothing_left_to_raise(parsed):
    _, network = parsed
    in_fp32(trt, network, weakly=False)
    assert in_fp32(trt, network, weakly=False) == 0


def test_the_compiler_takes_what_became_of_it(parsed):
    builder, network = parsed
    in_fp32(trt, network, weakly=False)
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    assert config.set_compute_capability(trt.ComputeCapability.SM86, 0)
    profile = builder.create_optimization_profile()
    profile.set_shape("images", *((count, 64, 32, 3) for count in (1, 2, 4)))
    config.add_optimization_profile(profile)
    assert builder.build_serialized_network(network, config) is not None
