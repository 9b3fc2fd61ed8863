"""OpenVINO serves what the CPU computes exactly, says what it serves, and refuses drift."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from personvit.core.errors import BundleError, ConfigError, EnvironmentMismatch
from personvit.core.machine import this_machine
from personvit.core.preprocess import Preprocess
from personvit.engines import openvino_engine
from personvit.engines.base import EngineOptions
from personvit.engines.catalogue import open_engine
from personvit.engines.instruction_set import EXACT_INT8
from personvit.export.graph import GraphSpec, build_graph, serialise

PREPROCESS = Preprocess(height=64, width=32)
EXACT = this_machine().instruction_class in EXACT_INT8


def open_here(path, **options):
    return open_engine(str(path), "openvino", EngineOptions(threads=1, batch=8, **options))


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", one, other)


@pytest.mark.parametrize("precision", ["int8", "fp32"] if EXACT else ["fp32"])
def test_embeddings_agree_with_pytorch(small_bundle, bundle, precision):
    bound = {"int8": 0.999, "fp32": 0.999999}[precision]
    with open_here(bundle, precision=precision) as engine:
        for count in (1, 3, 8, 16):
            found = engine.embed(small_bundle.crops[:count])
            assert cosines(found, small_bundle.embeddings[:count]).min() > bound


def test_bf16_is_served_only_where_the_cpu_has_it_and_as_not_judged(
    small_bundle, tmp_path, monkeypatch
):
    path = small_bundle.write(tmp_path / "strict.pvb", "fp32", cosine_min=0.9999999)
    if any(flag in this_machine().flags for flag in ("avx512_bf16", "amx_bf16")):
        with open_here(path, precision="bf16") as engine:
            assert "no gate" in engine.info().notes[0]
            found = engine.embed(small_bundle.crops)
        assert cosines(found, small_bundle.embeddings).min() > 0.999
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI")
    with pytest.raises(EnvironmentMismatch, match="no bf16 arithmetic"):
        open_here(path, precision="bf16")


def test_below_vnni_fp32_is_served_and_the_reason_is_told(bundle, small_bundle, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    with open_here(bundle) as engine:
        info = engine.info()
        assert info.precision.startswith("fp32")
        assert "no VNNI or AMX" in info.notes[0]
        found = engine.embed(small_bundle.crops)
    assert cosines(found, small_bundle.embeddings).min() > 0.999999
    with pytest.raises(EnvironmentMismatch, match="leave the precision open"):
        open_here(bundle, precision="int8")


def test_below_vnni_an_int8_bundle_is_served_with_dequantised_weights(
    small_bundle, tmp_path, monkeypatch
):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    path = small_bundle.write(tmp_path / "int8.pvb", "int8")
    with open_here(path) as engine:
        assert "dequantised" in engine.info().notes[0]
        found = engine.embed(small_bundle.crops)
    assert cosines(found, small_bundle.embeddings).min() > 0.9995


def test_int8_products_really_run_in_int8(bundle):
    if EXACT:
        with open_here(bundle) as engine:
            kinds = list(engine.info().layers.values())
        assert kinds.count("i8") >= 8


def test_drift_is_refused(small_bundle, tmp_path):
    wrong = np.roll(small_bundle.embeddings, 1, axis=1)
    path = small_bundle.write(tmp_path / "wrong.pvb", "fp32", embeddings=wrong)
    with pytest.raises(EnvironmentMismatch, match="golden crop"):
        open_here(path)


def test_drift_between_one_crop_and_a_full_batch_is_refused_whenever_it_is_asked(
    bundle, crops, monkeypatch
):
    honest = openvino_engine.OpenVinoEngine._run

    def lying(engine, feeds):
        found = honest(engine, feeds)
        part = len(next(iter(feeds.values()))) not in (1, engine.batch)
        return {name: -value if part else value for name, value in found.items()}

    monkeypatch.setattr(openvino_engine.OpenVinoEngine, "_run", lying)
    with open_here(bundle) as engine:
        assert len(engine.embed(crops[:1])) == 1
        for _ in range(2):
            with pytest.raises(EnvironmentMismatch, match="at batch 3"):
                engine.embed(crops[:3])


def test_threads_may_share_it(bundle, small_bundle):
    with open_here(bundle, precision="fp32") as engine, ThreadPoolExecutor(4) as pool:
        parts = [small_bundle.crops[start : start + 3] for start in range(12)]
        wanted = [engine.embed(part) for part in parts]
        for found, expected in zip(pool.map(engine.embed, parts), wanted, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_bare_onnx_file_of_ours_runs_and_a_foreign_one_does_not(small_bundle, crops, tmp_path):
    ours = tmp_path / "ours.onnx"
    ours.write_bytes(small_bundle.graphs["fp32"])
    with open_here(ours) as engine:
        assert engine.embed(crops).shape == (7, 32)
        assert engine.outputs[0].space
    foreign = tmp_path / "foreign.onnx"
    foreign.write_bytes(b"")
    with pytest.raises(BundleError, match="not made by personvit-export"):
        open_here(foreign)
    foreign.write_bytes(small_bundle.graphs["fp32"][:1000])
    with pytest.raises(BundleError, match="not an ONNX file"):
        open_here(foreign)


def test_what_cannot_be_given_is_refused(bundle, weights, small_bundle, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="CPU only"):
        open_here(bundle, device="cuda")
    with pytest.raises(ConfigError, match="'fp16' is not offered"):
        open_here(bundle, precision="fp16")
    with pytest.raises(ConfigError, match="takes a bundle"):
        open_here(weights)
    with pytest.raises(ConfigError, match="holds no fp32 graph"):
        open_here(small_bundle.write(tmp_path / "int8.pvb", "int8"), precision="fp32")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX99")
    with pytest.raises(ConfigError, match="AVX99 is not a set"):
        open_here(bundle)


def test_a_graph_for_another_runtime_is_refused_when_it_is_opened(small_bundle, tmp_path):
    spec = GraphSpec(input="float-nchw")
    planar = tmp_path / "deepstream.onnx"
    planar.write_bytes(serialise(build_graph(small_bundle.model, PREPROCESS, spec)))
    for engine in ("openvino", "onnxruntime"):
        with pytest.raises(BundleError, match="choose the variant for CPUs"):
            open_engine(str(planar), engine)


def test_compiled_models_may_be_kept(bundle, tmp_path, small_bundle):
    with open_here(bundle, cache=tmp_path / "kept") as engine:
        engine.embed(small_bundle.crops[:1])
    assert any((tmp_path / "kept").iterdir())
