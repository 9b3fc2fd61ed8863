"""Plans of NVIDIA's own compiler: kept, used again, and replaced where they do not fit."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import build as build_model
from personvit.core.preprocess import Preprocess
from personvit.engines.base import EngineOptions
from personvit.engines.graphs import Graph
from personvit.engines.tensorrt_build import BuildRequest, build
from personvit.engines.tensorrt_cache import obtain, plan_name, timing_cache
from personvit.engines.tensorrt_open import graph_of
from personvit.engines.tensorrt_packages import PACKAGES
from personvit.engines.tensorrt_plan import Computes, Here, Plan, plan_of, read_plan
from personvit.export.graph import build_graph, serialise
from personvit.export.variants import VARIANTS

RTX = PACKAGES["tensorrt_rtx"]
CAPABILITIES = ("8.6", "8.9", "12.0")


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Graph:
    torch.manual_seed(0)
    config = ModelConfig(width=64, heads=1, depth=1, height_px=64, width_px=32)
    spec = VARIANTS["trt-attention"].spec("before")
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    path.write_bytes(serialise(build_graph(build_model(config), Preprocess(64, 32), spec)))
    return graph_of(RTX, str(path), EngineOptions())


class Maker:
    """Builds, and counts how often."""

    def __init__(self, graph: Graph, request: BuildRequest) -> None:
        self.graph, self.request, self.count = graph, request, 0

    def __call__(self) -> Plan:
        self.count += 1
        made = build(self.graph.model(), self.request)
        return plan_of(self.graph.digest, made, self.request, Computes.of(self.graph), None)


def place(capability: str) -> Here:
    return Here("tensorrt_rtx", RTX.version(), "any RTX", capability)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_plan_for_an_architecture_is_built_once_and_fits_no_other(tmp_path, graph, capability):
    request = BuildRequest((capability,), batch=(1, 2, 4))
    maker = Maker(graph, request)
    here = place(capability)
    first = obtain(tmp_path, graph.digest, request, here, maker)
    second = obtain(tmp_path, graph.digest, request, here, maker)
    assert maker.count == 1
    assert first.plan == second.plan
    path = tmp_path / plan_name(graph.digest, request, here)
    kept = read_plan(path)
    assert path.read_bytes() == kept.data
    for other in CAPABILITIES:
        assert bool(kept.sidecar.misfit(place(other))) == (other != capability)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b""),
        lambda path: path.with_name(path.name + ".json").write_text("{}"),
        lambda path: path.with_name(path.name + ".json").unlink(),
    ],
    ids=["truncated", "empty", "sidecar-of-nothing", "no-sidecar"],
)
def test_what_is_damaged_is_built_anew_and_replaced(tmp_path, graph, spoil):
    request = BuildRequest(("8.6",), batch=(1, 2, 4))
    maker, here = Maker(graph, request), place("8.6")
    path = tmp_path / plan_name(graph.digest, request, here)
    obtain(tmp_path, graph.digest, request, here, maker)
    spoil(path)
    obtain(tmp_path, graph.digest, request, here, maker)
    assert maker.count == 2
    assert read_plan(path).sidecar.plan_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_plan_that_another_machine_left_under_this_name_is_not_used(tmp_path, graph):
    """As after a copied cache folder: the name is right, and what the sidecar says is not."""
    request = BuildRequest(("8.9",), batch=(1, 2, 4))
    maker, here = Maker(graph, request), place("8.6")
    obtain(tmp_path, graph.digest, request, here, maker)
    obtain(tmp_path, graph.digest, request, here, maker)
    assert maker.count == 2


def test_a_name_differs_with_all_that_a_plan_depends_on(graph):
    request, here = BuildRequest(("8.6",)), place("8.6")
    requests = [
        replace(request, batch=(1, 8, 64)),
        replace(request, batch=(8, 8, 8), static=True),
        replace(request, fp32_layernorm=True),
        replace(request, typing="weak"),
        replace(request, level=5),
        replace(request, capabilities=("8.9",)),
    ]
    places = [
        replace(here, version="9.9"),
        replace(here, gpu="another"),
        replace(here, capability="8.9"),
        replace(here, l4t="36.4.3"),
    ]
    names = {plan_name(graph.digest, one, here) for one in (request, *requests)}
    names |= {plan_name(graph.digest, request, one) for one in places}
    names.add(plan_name("another graph", request, here))
    assert len(names) == 1 + len(requests) + len(places) + 1


def test_what_was_measured_of_kernels_has_a_file_for_each_compiler_and_gpu():
    here = Here("tensorrt", "10.3.0", "Orin (nvgpu)", "8.7")
    name = timing_cache(Path(), here).name
    assert name == "tensorrt-10.3.0-sm8.7-orin-nvgpu.timing"
    assert timing_cache(Path(), replace(here, version="10.3.1")).name != name
