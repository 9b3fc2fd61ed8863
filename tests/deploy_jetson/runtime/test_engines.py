"""The native runtime's engines answer as Python's, and refuse the same things."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from personvit.core.errors import BundleError, EnvironmentMismatch, UserError
from personvit.core.machine import this_machine
from personvit.core.preprocess import Preprocess
from personvit.engines.base import EngineOptions
from personvit.engines.catalogue import open_engine
from personvit.engines.cpu_precision import choose
from personvit.engines.graphs import open_source

Crops = NDArray[np.uint8]
HEADERS = "PERSONVIT_TENSORRT_HEADERS"
"""Folders above TensorRT's include/, separated as PATH is."""

pytest.importorskip("openvino")


@dataclass(frozen=True)
class Answer:
    code: int
    sentence: str
    info: dict[str, Any]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True)
class Native:
    """The program `engine_dump`: what an engine answers to raw crops, or why it is refused."""

    program: Path
    folder: Path

    def embed(self, bundle: Path, crops: Crops, width: int = 32, **options: Any) -> Answer:
        environment = options.pop("environment", {})
        given, found = self.folder / "crops.raw", self.folder / "found.raw"
        given.write_bytes(crops.tobytes())
        words = [f"{name}={value}" for name, value in options.items()]
        done = subprocess.run(
            [self.program, bundle, given, found, *words],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
        )
        if done.returncode:
            return Answer(done.returncode, done.stderr.strip(), {}, np.empty((0, width), "f4"))
        values = np.fromfile(found, np.float32).reshape(-1, width)
        return Answer(0, "", json.loads(done.stdout), values)


@pytest.fixture
def native(native_program, tmp_path) -> Native:
    return Native(native_program("engine_dump"), tmp_path)


@pytest.fixture
def fake(shared):
    return shared("deploy_jetson/runtime/fake_model.py")


def crops_of_many_sizes(preprocess: Preprocess, count: int) -> Crops:
    """Smooth and rough pictures of random sizes, brought to a crop's size by Python."""
    rng = np.random.default_rng(7)
    crops = []
    for _ in range(count):
        height, width = rng.integers(3, 200, 2)
        coarse = rng.integers(0, 256, (rng.integers(1, 9), rng.integers(1, 9), 3))
        rows = np.arange(height) * len(coarse) // height
        columns = np.arange(width) * coarse.shape[1] // width
        noise = rng.normal(0, rng.uniform(0, 30), (height, width, 3))
        picture = np.clip(coarse[rows][:, columns] + noise, 0, 255).astype(np.uint8)
        crops.append(preprocess.resize(picture))
    return np.stack(crops)


def cosines(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.float64]:
    products = (one.astype(np.float64) * two).sum(axis=1)
    return products / (np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1))


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_openvino_gives_what_python_gives(small_bundle, native, tmp_path, precision):
    bundle = small_bundle.write(tmp_path / "model.pvb", precision)
    crops = crops_of_many_sizes(Preprocess(height=64, width=32), 500)
    with open_engine(str(bundle), "openvino", EngineOptions(batch=8)) as engine:
        wanted = engine.embed(crops)
        told = engine.info()
    found = native.embed(bundle, crops, backend="openvino")
    assert found.code == 0, found.sentence
    assert found.embeddings.shape == wanted.shape
    assert cosines(found.embeddings, wanted).min() >= 0.9999
    lengths = np.linalg.norm(found.embeddings, axis=1) / np.linalg.norm(wanted, axis=1)
    assert abs(lengths - 1).max() <= 0.001
    assert found.info["precision"] == told.precision
    assert found.info["version"] == told.versions["openvino"]


def test_any_number_of_crops_none_included(small_bundle, native, tmp_path):
    bundle = small_bundle.write(tmp_path / "model.pvb", "int8")
    crops = small_bundle.crops
    whole = native.embed(bundle, crops, batch=1).embeddings
    for count, batch in ((0, 8), (1, 8), (7, 8), (9, 8), (16, 5), (3, 16)):
        part = native.embed(bundle, crops[:count], batch=batch)
        assert part.code == 0, part.sentence
        assert len(part.embeddings) == count
        if count:
            assert cosines(part.embeddings, whole[:count]).min() >= 0.9999


def test_a_damaged_cache_is_compiled_anew(small_bundle, native, tmp_path):
    bundle = small_bundle.write(tmp_path / "model.pvb", "int8")
    cache = tmp_path / "cache"
    first = native.embed(bundle, small_bundle.crops, cache=cache)
    kept = sorted(cache.iterdir())
    assert len(kept) == 2, "one model for one crop, one for a full batch"
    assert not first.info["notes"]
    kept[0].write_bytes(kept[0].read_bytes()[:1000])
    kept[1].write_bytes(b"\0" * 5000)
    for _ in range(2):
        again = native.embed(bundle, small_bundle.crops, cache=cache)
        assert again.code == 0, again.sentence
        assert np.array_equal(again.embeddings, first.embeddings)
    assert sorted(cache.iterdir()) == kept


def test_a_cache_that_cannot_be_written_is_a_note(small_bundle, native, tmp_path):
    bundle = small_bundle.write(tmp_path / "model.pvb", "int8")
    (tmp_path / "taken").write_text("a file where a folder should be")
    found = native.embed(bundle, small_bundle.crops, cache=tmp_path / "taken")
    assert found.code == 0, found.sentence
    assert "could not be kept" in found.info["notes"][0]


def test_drift_is_refused_in_the_same_words(small_bundle, native, tmp_path):
    expected = np.roll(small_bundle.embeddings, 1, axis=0)
    bundle = small_bundle.write(tmp_path / "model.pvb", "int8", embeddings=expected)
    with pytest.raises(EnvironmentMismatch) as refusal:
        open_engine(str(bundle), "openvino", EngineOptions(batch=8))
    found = native.embed(bundle, small_bundle.crops, backend="openvino")
    assert found.code == 3
    assert found.sentence == str(refusal.value).replace(" (personvit-engine list)", "")


def test_a_changed_byte_is_refused(small_bundle, native, tmp_path):
    bundle = small_bundle.write(tmp_path / "model.pvb", "int8")
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    found = native.embed(bundle, small_bundle.crops)
    assert found.code == 1
    assert "model.pvb" in found.sentence


def test_a_wrong_backend_variant_or_precision(small_bundle, native, tmp_path):
    bundle = small_bundle.write(tmp_path / "model.pvb", "int8", also=("trt-decomposed",))
    crops = small_bundle.crops
    refused = native.embed(bundle, crops, backend="onnxruntime")
    assert (refused.code, "there is no backend 'onnxruntime'" in refused.sentence) == (1, True)
    refused = native.embed(bundle, crops, backend="tensorrt")
    assert (refused.code, "TensorRT" in refused.sentence) == (3, True)
    for wrong in ({"variant": "cpu-mixed"}, {"variant": "trt-decomposed"}, {"precision": "fp32"}):
        with pytest.raises(UserError) as wanted:
            open_engine(str(bundle), "openvino", EngineOptions(**wrong))
        refused = native.embed(bundle, crops, backend="openvino", **wrong)
        assert refused.code == 1
        assert refused.sentence.removeprefix(f"{bundle}: ") == str(wanted.value).removeprefix(
            f"{bundle}: "
        )


def test_a_bundle_without_a_graph_for_cpus(small_bundle, native, tmp_path):
    bundle = small_bundle.write(tmp_path / "model.pvb", "int8", kind="trt-decomposed")
    with pytest.raises(BundleError) as wanted:
        open_engine(str(bundle), "openvino", EngineOptions())
    refused = native.embed(bundle, small_bundle.crops)
    assert (refused.code, refused.sentence) == (1, str(wanted.value))


@pytest.mark.parametrize("precisions", [("int8", "fp32"), ("int8",)])
def test_without_vnni_fp32_is_served_and_said(
    small_bundle, native, tmp_path, monkeypatch, precisions
):
    """In a process of its own, for oneDNN reads its cap once."""
    bundle = small_bundle.write(tmp_path / "model.pvb", *precisions)
    cap = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    found = native.embed(bundle, small_bundle.crops, environment=cap)
    assert found.code == 0, found.sentence
    monkeypatch.setenv(*next(iter(cap.items())))
    choice = choose(open_source(str(bundle)), None, this_machine())
    assert found.info["precision"] == "fp32, precision hint f32"
    assert found.info["notes"] == list(choice.notes)
    assert found.info["variant"] == ("cpu-fp16" if "fp32" in precisions else "cpu")
    assert cosines(found.embeddings, small_bundle.embeddings).min() >= 0.999
    refused = native.embed(bundle, small_bundle.crops, environment=cap, precision="int8")
    with pytest.raises(EnvironmentMismatch) as wanted:
        choose(open_source(str(bundle)), "int8", this_machine())
    assert (refused.code, refused.sentence) == (3, str(wanted.value))


def test_the_fake_engine_is_the_same_in_both(fake, native, tmp_path):
    size = Preprocess(height=20, width=10)
    bundle = fake.write(tmp_path / "fake.pvb", size, 48)
    crops = crops_of_many_sizes(size, 40)
    found = native.embed(bundle, crops, 48, backend="fake", batch=7)
    assert found.code == 0, found.sentence
    assert np.array_equal(found.embeddings, fake.embed(crops, 48))
    wrong = np.roll(fake.embed(crops[:16], 48), 1, axis=1)
    refused = native.embed(
        fake.write(tmp_path / "fake.pvb", size, 48, wrong), crops, backend="fake"
    )
    assert (refused.code, "does not compute here" in refused.sentence) == (3, True)


@pytest.mark.parametrize("headers", os.environ.get(HEADERS, "").split(os.pathsep))
def test_the_tensorrt_backend_compiles(headers, tmp_path):
    if not headers:
        pytest.skip(f"no headers of TensorRT are named in {HEADERS}")
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    script = Path(__file__).with_name("compile_tensorrt.sh")
    environment = {**os.environ, "BUILD": str(tmp_path)}
    done = subprocess.run([script, headers], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
