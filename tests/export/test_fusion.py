"""The proof of fusion, with NVIDIA's own compiler, and every way in which it must fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import ReidVit, build
from personvit.core.preprocess import Preprocess
from personvit.engines.tensorrt_build import Attempt, BuildRequest, attempt
from personvit.export.fusion import NO_KERNEL, RTX_CAPABILITIES, prove
from personvit.export.graph import build_graph, serialise
from personvit.export.scales import LinearScale, layer_names
from personvit.export.variants import VARIANTS

BLOCKS = 2
SIZE = Preprocess(128, 64)


@pytest.fixture(scope="module")
def model() -> ReidVit:
    torch.manual_seed(0)
    return build(ModelConfig(width=64, heads=1, depth=BLOCKS, height_px=128, width_px=64)).eval()


def forms(model: ReidVit, int8: frozenset[str] = frozenset()) -> tuple[bytes, bytes]:
    """A trt-attention graph and its FP32 form."""
    scales = {}
    for name in int8:
        weight = model.backbone.get_submodule(name).weight.detach().numpy()
        scales[name] = LinearScale(4.0, np.abs(weight).max(axis=1))
    spec = VARIANTS["trt-attention"].spec("before", int8)
    both = (spec, replace(spec, precision="fp32"))
    first, second = (serialise(build_graph(model, SIZE, one, scales)) for one in both)
    return first, second


@pytest.fixture(scope="module")
def fp16(model) -> tuple[bytes, bytes]:
    return forms(model)


def marked(graph: bytes) -> bytes:
    """The same graph, one of whose attentions may be taken apart."""
    changed = onnx.load_from_string(graph)
    node = next(node for node in changed.graph.node if node.op_type == "Attention")
    node.attribute.append(helper.make_attribute("TRT_decomposable", 1))
    return serialise(changed)


def without_one(graph: bytes) -> bytes:
    """The same graph, one of whose attentions is gone: V goes straight on."""
    changed = onnx.load_from_string(graph)
    node = next(node for node in changed.graph.node if node.op_type == "Attention")
    changed.graph.node.insert(
        list(changed.graph.node).index(node),
        helper.make_node("Identity", [node.input[2]], list(node.output)),
    )
    changed.graph.node.remove(node)
    return serialise(changed)


@pytest.mark.parametrize("int8", [False, True], ids=["fp16", "int8"])
def test_our_graphs_are_proved_for_every_rtx_architecture(model, int8):
    layers = frozenset(layer_names(BLOCKS)) if int8 else frozenset()
    proof = prove(*forms(model, layers), expected=BLOCKS)
    assert [one.capability for one in proof.architectures] == list(RTX_CAPABILITIES)
    assert proof.proved, proof.as_text()
    assert proof.attentions == BLOCKS


def test_an_fp32_graph_is_not_proved(fp16):
    proof = prove(fp16[1], fp16[1], BLOCKS, ("8.6",))
    assert proof.architectures[0].failed == ("builds",)
    assert NO_KERNEL in proof.architectures[0].log


def test_a_decomposable_graph_is_not_proved_although_it_builds(fp16):
    proof = prove(marked(fp16[0]), marked(fp16[1]), BLOCKS, ("8.6",))
    assert not proof.proved
    assert "none marked decomposable" in proof.architectures[0].failed
    assert "builds" not in proof.architectures[0].failed


def test_a_graph_that_lacks_an_attention_is_not_proved(fp16):
    proof = prove(without_one(fp16[0]), fp16[1], BLOCKS, ("8.6",))
    assert proof.attentions == BLOCKS - 1
    assert proof.architectures[0].failed == ("every attention present",)
    assert "not proved" in proof.as_text()


class Compiler:
    """Answers that NVIDIA's compiler may give one day."""

    def __init__(self, fp32: Attempt) -> None:
        self.fp32 = fp32
        self.calls = 0

    def __call__(self, onnx: bytes, request: BuildRequest) -> Attempt:
        self.calls += 1
        return Attempt(b"plan", (), (), "9.9") if self.calls % 2 else self.fp32


@pytest.mark.parametrize(
    "fp32",
    [
        Attempt(b"plan", (), (), "9.9"),
        Attempt(None, ("out of memory",), (), "9.9"),
    ],
    ids=["fp32-builds", "fp32-refused-for-another-reason"],
)
def test_a_compiler_that_does_not_refuse_fp32_proves_nothing(fp16, fp32):
    proof = prove(*fp16, BLOCKS, ("8.6",), builder=Compiler(fp32))
    assert proof.architectures[0].failed == ("FP32 form refused",)
    assert proof.as_json()["proved"] is False


def test_nothing_asked_is_nothing_proved(fp16):
    assert not prove(*fp16, BLOCKS, ()).proved


@pytest.mark.parametrize("name", ["trt-decomposed", "deepstream"])
def test_graphs_for_older_compilers_are_at_least_accepted_by_this_one(model, name):
    layers = frozenset(layer_names(BLOCKS))
    weights = {one: model.backbone.get_submodule(one).weight.detach() for one in layers}
    scales = {one: LinearScale(4.0, w.abs().amax(dim=1).numpy()) for one, w in weights.items()}
    graph = build_graph(model, SIZE, VARIANTS[name].spec("before", layers), scales)
    made = attempt(serialise(graph), BuildRequest(("8.6",)))
    assert made.plan is not None, made.log
