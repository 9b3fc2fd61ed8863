"""Which candidates an export makes, how much of the work each quantises, and how FP16 is judged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from personvit.core.errors import ConfigError
from personvit.core.models.config import ModelConfig
from personvit.core.preprocess import Preprocess
from personvit.export.candidates import candidates_of, kinds_of
from personvit.export.graph import GraphSpec, build_graph
from personvit.export.scales import PATCH_LAYER, layer_names
from personvit.export.variants import VARIANTS
from personvit.export.work import densest, int8_share, work_shares


def test_the_default_comes_first_and_the_order_does_not_depend_on_the_words():
    assert candidates_of(None, int8=True) == ("int8",)
    assert candidates_of(None, int8=False) == ("fp16",)
    assert candidates_of("mixed, FP16", int8=True) == ("int8", "fp16", "mixed")
    assert candidates_of("fp16,mixed,int8", int8=True) == ("int8", "fp16", "mixed")
    assert candidates_of("fp16", int8=False) == ("fp16",)


@pytest.mark.parametrize("text", ["", ",", "int8,int8", "fp8", "int8;mixed"])
def test_mistakes_are_told(text):
    with pytest.raises(ConfigError):
        candidates_of(text, int8=True)


def test_quantised_attention_is_written_where_attention_is_decomposed():
    kinds = tuple(VARIANTS.values())
    names = [kind.name for kind in kinds_of("int8-attention", kinds)]
    assert names == ["cpu", "trt-decomposed", "deepstream"]
    assert kinds_of("mixed", kinds) == kinds


def test_shares_of_work_count_attention():
    config = ModelConfig(width=384, heads=6, depth=12)
    every = {*layer_names(12), PATCH_LAYER}
    assert int8_share(config, every, attention=True) == pytest.approx(1)
    linear = int8_share(config, set(layer_names(12)))
    assert 0.9 < linear < int8_share(config, set(layer_names(12)), attention=True) < 1
    assert int8_share(config, ()) == 0
    assert sum(work_shares(config).values()) == pytest.approx(1)


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=3),
        st.tuples(st.floats(0, 1), st.floats(0.01, 1)),
        max_size=8,
    ),
    st.floats(-0.1, 1.5),
)
def test_the_budget_of_work_is_kept_and_used(rows, budget):
    harm = {name: row[0] for name, row in rows.items()}
    shares = {name: row[1] for name, row in rows.items()}
    chosen = densest(harm, shares, budget)
    used = sum(shares[name] for name in chosen)
    assert used <= max(budget, 0) + 1e-6
    assert all(used + shares[name] > budget for name in set(rows) - set(chosen))


def test_the_form_that_stands_for_fp16_has_its_constants(tiny_model):
    """Otherwise FP16 would be judged by a graph that differs from the one that ships."""
    preprocess = Preprocess(height=64, width=32)
    exact, rounded, half = (
        {one.name: numpy_helper.to_array(one) for one in graph.graph.initializer}
        for graph in (
            build_graph(tiny_model, preprocess, spec)
            for spec in (GraphSpec(), GraphSpec(rounded=True), GraphSpec("fp16"))
        )
    )
    halves = [name for name, value in half.items() if value.dtype == np.float16]
    assert len(halves) > 30
    for name in halves:
        assert rounded[name].dtype == np.float32
        np.testing.assert_array_equal(rounded[name], half[name].astype(np.float32))
    assert any(not np.array_equal(rounded[name], exact[name]) for name in halves)
    for name in ("norm.weight", "norm.bias"):
        np.testing.assert_array_equal(rounded[name], exact[name])
