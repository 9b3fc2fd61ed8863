"""Parity tells a faithful graph from a wrong one, and overflow is seen before it happens."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from personvit.core.errors import ConfigError, DataError, InternalError
from personvit.core.preprocess import Preprocess
from personvit.export.graph import GraphSpec, build_graph, serialise
from personvit.export.overflow import Magnitudes, measure, refuse_overflow
from personvit.export.parity import parity, require_parity
from personvit.export.variants import VARIANTS

SIZE = Preprocess(64, 32)
CROPS = np.random.default_rng(0).integers(0, 256, (9, 64, 32, 3), dtype=np.uint8)


def test_every_batch_size_is_compared_and_the_largest_too(tiny_model):
    spec = GraphSpec()
    graph = serialise(build_graph(tiny_model, SIZE, spec))
    found = parity(tiny_model, SIZE, graph, spec, CROPS)
    assert [one.batch for one in found.batches] == [1, 2, 7, 9]
    assert found.holds(0.99999)
    require_parity(found, spec)


def test_a_graph_of_other_preprocessing_is_our_bug(tiny_model):
    spec = GraphSpec()
    graph = serialise(build_graph(tiny_model, replace(SIZE, colour="bgr"), spec))
    found = parity(tiny_model, SIZE, graph, spec, CROPS)
    with pytest.raises(InternalError, match="differs from PyTorch"):
        require_parity(found, spec)


def test_a_vector_that_is_not_of_unit_length_is_seen(tiny_model):
    spec = GraphSpec()
    graph = build_graph(tiny_model, SIZE, spec)
    graph.graph.node[-1].input[1] = "unit.eps"
    found = parity(tiny_model, SIZE, serialise(graph), spec, CROPS)
    assert found.cosine > 0.99999
    assert not found.holds(0.99999)


def test_too_few_crops_to_compare_are_refused(tiny_model):
    with pytest.raises(DataError, match="batches of 7"):
        parity(tiny_model, SIZE, b"", GraphSpec(), CROPS[:3])


def test_magnitudes_are_those_of_the_model(tiny_model):
    spec = VARIANTS["trt-attention"].spec("before")
    found = measure(tiny_model, SIZE, spec, None, [CROPS[:4], CROPS[4:]])
    seen = {}
    hooks = [
        block.norm1.register_forward_pre_hook(
            lambda _, args, index=index: seen.update({index: float(args[0].abs().max())})
        )
        for index, block in enumerate(tiny_model.backbone.blocks)
    ]
    with torch.no_grad():
        tiny_model(torch.from_numpy(SIZE.normalise(CROPS)))
    for hook in hooks:
        hook.remove()
    for index, value in seen.items():
        assert found.before_norms[f"blocks.{index}.norm1"] == pytest.approx(value, rel=1e-4)
    assert "blocks.0.attn.scores" in found.largest
    refuse_overflow(found)


def test_overflow_is_refused_before_it_happens(tiny_model):
    loud = copy.deepcopy(tiny_model)
    with torch.no_grad():
        loud.backbone.blocks[1].mlp.fc2.weight *= 1e5
    spec = VARIANTS["trt-decomposed"].spec("before")
    found = measure(loud, SIZE, spec, None, [CROPS])
    with pytest.raises(ConfigError, match=r"blocks\..* reaches .* cpu target only"):
        refuse_overflow(found)


def test_the_margin_counts():
    close = Magnitudes({"blocks.0.residual1": 20_000.0}, {})
    refuse_overflow(close, margin=3.0)
    with pytest.raises(ConfigError, match="residual1 reaches 2e"):
        refuse_overflow(close, margin=4.0)


def test_no_crop_at_all_measures_nothing(tiny_model):
    with pytest.raises(DataError, match="no crop"):
        measure(tiny_model, SIZE, GraphSpec(), None, [])
