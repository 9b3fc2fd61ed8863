"""ONNX Runtime runs the fastest form that is correct here, and remembers which one that was."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

from personvit.core.errors import ConfigError, EnvironmentMismatch
from personvit.core.machine import this_machine
from personvit.engines import onnxruntime_engine
from personvit.engines.base import EngineOptions
from personvit.engines.catalogue import open_engine
from personvit.engines.form_choice import Chosen
from personvit.engines.onnx_forms import FORMS, products, reform


def open_here(path, **options):
    return open_engine(str(path), "onnxruntime", EngineOptions(threads=1, batch=8, **options))


@pytest.fixture
def vnni(monkeypatch):
    """The choice among INT8 forms as a CPU with VNNI makes it."""
    machine = dataclasses.replace(this_machine(), flags=("avx2", "avx512f", "avx512_vnni"))
    monkeypatch.setattr(onnxruntime_engine, "this_machine", lambda: machine)


def run(model: bytes, crops: np.ndarray) -> np.ndarray:
    import onnxruntime

    return onnxruntime.InferenceSession(model).run(None, {"images": crops})[0]


@pytest.mark.parametrize("form", ["qdq-u8", "integer-u8"])
def test_an_integer_form_gives_the_numbers_of_the_exported_graph(small_bundle, form):
    graph = small_bundle.graphs["int8"]
    rewritten = reform(graph, form)
    onnx.checker.check_model(onnx.load_from_string(rewritten))
    found, wanted = run(rewritten, small_bundle.crops), run(graph, small_bundle.crops)
    assert np.einsum("ij,ij->i", found, wanted).min() > 0.99999


def test_the_dequantised_form_has_no_quantiser_left(small_bundle):
    model = onnx.load_from_string(reform(small_bundle.graphs["int8"], "fp32-dequantised"))
    assert not any("Quantize" in node.op_type for node in model.graph.node)
    found = run(model.SerializeToString(), small_bundle.crops)
    assert np.einsum("ij,ij->i", found, small_bundle.embeddings).min() > 0.9995


def test_every_quantised_layer_is_found_and_rewritten_without_leftovers(small_bundle):
    model = onnx.load_from_string(small_bundle.graphs["int8"])
    assert len(products(model)) == 9
    for form in FORMS:
        rewritten = onnx.load_from_string(reform(small_bundle.graphs["int8"], form))
        read = {name for node in rewritten.graph.node for name in node.input}
        assert {tensor.name for tensor in rewritten.graph.initializer} <= read


def test_all_forms_are_timed_once_and_the_choice_is_remembered(
    vnni, bundle, small_bundle, own_cache, monkeypatch
):
    with open_here(bundle) as engine:
        first = engine.info()
        found = engine.embed(small_bundle.crops)
    assert set(first.timings) == {"as-exported", "fp32", "qdq-u8", "integer-u8"}
    assert np.einsum("ij,ij->i", found, small_bundle.embeddings).min() > 0.99
    (kept,) = own_cache.rglob("*.json")

    def again(*_):
        raise AssertionError("timed again")

    with monkeypatch.context() as patched:
        patched.setattr(onnxruntime_engine, "fastest_correct", again)
        with open_here(bundle) as engine:
            assert engine.info() == first
    kept.write_text(kept.read_text()[:40])
    with open_here(bundle) as engine:
        assert set(engine.info().timings) == set(first.timings)


def test_a_form_that_computes_something_else_is_never_chosen(vnni, bundle, monkeypatch):
    def wrong(model):
        for tensor in model.graph.initializer:
            if tensor.name == "positions":
                values = onnx.numpy_helper.to_array(tensor)
                tensor.CopyFrom(onnx.numpy_helper.from_array(-40 * values, tensor.name))
        return model

    for form in ("qdq-u8", "integer-u8"):
        monkeypatch.setitem(FORMS, form, wrong)
    with open_here(bundle, precision="int8") as engine:
        info = engine.info()
    assert info.precision == "int8, form as-exported"
    assert [timing["correct"] for timing in info.timings.values()] == [True, False, False]


def test_where_fp32_is_fastest_it_is_served_and_that_is_told(vnni, bundle, monkeypatch):
    monkeypatch.setattr(
        onnxruntime_engine, "fastest_correct", lambda candidates, name: Chosen("fp32", {})
    )
    with open_here(bundle) as engine:
        assert engine.info().precision == "fp32, form fp32"
        assert "fastest correct form" in engine.info().notes[0]


def test_where_no_form_is_correct_nothing_is_served(vnni, small_bundle, tmp_path):
    wrong = np.roll(small_bundle.embeddings, 1, axis=1)
    path = small_bundle.write(tmp_path / "wrong.pvb", "int8", "fp32", embeddings=wrong)
    with pytest.raises(EnvironmentMismatch, match="no form of the graph"):
        open_here(path)
    with pytest.raises(EnvironmentMismatch, match="golden crop"):
        open_here(path, precision="fp32")


def test_engines_opened_at_once_do_not_spoil_the_remembered_choice(vnni, bundle, own_cache):
    def open_and_close(_):
        with open_here(bundle) as engine:
            return engine.info().precision

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(open_and_close, range(3)))
    with open_here(bundle) as engine:
        assert engine.info().timings
    assert len(list(own_cache.rglob("*"))) == len(["personvit", "onnxruntime", "choice.json"])


def test_a_cache_that_cannot_be_written_costs_only_a_note(vnni, bundle, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    with open_here(bundle, cache=blocked / "folder") as engine:
        assert "could not be kept" in engine.info().notes[0]


def test_without_the_onnx_package_the_exported_form_runs(vnni, bundle, monkeypatch):
    real = onnxruntime_engine.find_spec
    monkeypatch.setattr(
        onnxruntime_engine, "find_spec", lambda name: None if name == "onnx" else real(name)
    )
    with open_here(bundle, precision="int8") as engine:
        info = engine.info()
    assert info.precision.endswith("as-exported")
    assert "onnx package is not here" in info.notes[0]


def test_below_vnni_fp32_is_served_and_the_reason_is_told(
    small_bundle, bundle, tmp_path, monkeypatch
):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")
    with open_here(bundle) as engine:
        assert engine.info().precision == "fp32, form fp32"
        assert "capped by AVX512_CORE" in engine.info().notes[0]
    with open_here(small_bundle.write(tmp_path / "int8.pvb", "int8")) as engine:
        assert engine.info().precision == "fp32, form fp32-dequantised"


def test_what_cannot_be_given_is_refused(bundle):
    with pytest.raises(ConfigError, match="offers int8 and fp32"):
        open_here(bundle, precision="bf16")
    with pytest.raises(ConfigError, match="CPU only"):
        open_here(bundle, device="cuda:0")
