"""Every value that is written follows from the bundle, and the graph answers when fed by them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from personvit.core.bundle import Bundle
from personvit.core.errors import BundleError, ConfigError
from personvit.core.preprocess import Preprocess
from personvit.deploy_jetson.deepstream import DeepStreamOptions, deepstream

NVINFER, TRACKER = "config_infer_secondary_reid.txt", "config_tracker_NvDCF_reid.yml"
NVINFER_MODE = {0: "fp32", 1: "int8", 2: "fp16"}
TRACKER_MODE = {0: "fp32", 1: "fp16", 2: "int8"}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}

MODELS = {
    "before the neck": {},
    "after the neck": {"neck_feature": "after"},
    "tall, wide embedding": {"preprocess": Preprocess(height=96, width=48), "width": 64},
    "two tokens joined": {"tokens": "pass"},
    "deviation per colour": {"preprocess": Preprocess(height=64, width=32, **IMAGENET)},
    "colours turned": {"preprocess": Preprocess(height=64, width=32, colour="bgr", **IMAGENET)},
}


def read_nvinfer(path: Path) -> dict[str, str]:
    """As GLib reads a key file."""
    lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
    assert lines.pop(0) == "[property]"
    found = dict(line.split("=", 1) for line in lines)
    assert len(found) == len(lines), "a key is there twice"
    return found


def read_tracker(path: Path) -> dict[str, dict[str, object]]:
    """The flat YAML that the tracker reads: sections of scalars, lists and strings."""
    found: dict[str, dict[str, object]] = {}
    for line in path.read_text().removeprefix("%YAML:1.0\n").splitlines():
        if re.fullmatch(r"\w+:", line):
            section = found.setdefault(line[:-1], {})
        elif line:
            key, value = re.fullmatch(r"  (\w+): (.*?)  # .+", line).groups()
            assert key not in section, f"{key} is there twice"
            section[key] = json.loads(value)
    return found


def write(bundle: Path, out: Path, **options) -> Path:
    deepstream(DeepStreamOptions(bundle, out, **options))
    return out


@pytest.mark.parametrize("release", ["7.1", "9.0", "9.1"])
@pytest.mark.parametrize("model", MODELS)
def test_every_value_follows_from_the_bundle(make_bundle, tmp_path, model, release):
    place = make_bundle("int8", "fp16", **MODELS[model])
    bundle = Bundle.open(place)
    manifest = bundle.manifest
    for candidate in ("int8", "fp16"):
        out = write(
            place, tmp_path / candidate, deepstream=release, candidate=candidate, batch=24,
            place="/opt/reid",
        )  # fmt: skip
        variant = next(each for each in manifest.variants if each.candidate == candidate)
        assert (out / "reid.onnx").read_bytes() == bundle.model(variant)
        dims = [3, manifest.preprocess.height, manifest.preprocess.width]
        dimension = manifest.space.dimension

        reid = read_tracker(out / TRACKER)["ReID"]
        assert reid["inferDims"] == dims
        assert reid["reidFeatureSize"] == dimension
        assert reid["batchSize"] == 24
        assert TRACKER_MODE[reid["networkMode"]] == variant.precision
        assert (reid["inputOrder"], reid["keepAspc"]) == (0, 0)
        lengths = np.linalg.norm(bundle.golden().expected[variant.name].embeddings, axis=1)
        assert reid["addFeatureNormalization"] == int(np.abs(lengths - 1).max() > 0.01)
        assert reid["onnxFile"] == "/opt/reid/reid.onnx"
        engine = f"/opt/reid/reid.onnx_b24_gpu0_{variant.precision}.engine"
        assert reid["modelEngineFile"] == engine

        keys = read_nvinfer(out / NVINFER)
        assert keys["infer-dims"] == ";".join(map(str, dims))
        assert keys["batch-size"] == "24"
        assert keys["output-blob-names"] == variant.outputs[0].name
        assert keys["onnx-file"] == "reid.onnx"
        assert keys["network-type"] == "100"
        assert keys["output-tensor-meta"] == keys["scaling-filter"] == "1"
        mode = NVINFER_MODE[int(keys["network-mode"])]
        assert keys["model-engine-file"] == f"reid.onnx_b24_gpu0_{mode}.engine"
        if release == "7.1":
            assert mode == variant.precision
            assert "strongly-typed" not in keys
        else:
            assert (mode, keys["strongly-typed"]) == ("fp32", "1")
        assert_the_graph_answers(out, bundle, variant, reid, keys)


def assert_the_graph_answers(out, bundle, variant, reid, keys):
    """Both files describe one way to feed the graph, and it gives the golden embeddings."""
    offsets = [float(value) for value in keys["offsets"].split(";")]
    assert offsets == reid["offsets"]
    assert float(keys["net-scale-factor"]) == reid["netScaleFactor"]
    assert int(keys["model-color-format"]) == reid["colorFormat"]
    assert int(keys["network-input-order"]) == reid["inputOrder"]
    golden = bundle.golden()
    colours = golden.crops if reid["colorFormat"] == 0 else golden.crops[..., ::-1]
    values = reid["netScaleFactor"] * (colours.astype(np.float32) - np.float32(offsets))
    session = onnxruntime.InferenceSession(out / "reid.onnx", providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    planes = np.ascontiguousarray(values.transpose(0, 3, 1, 2))
    found = session.run([keys["output-blob-names"]], {name: planes})[0]
    assert found.shape == (len(planes), reid["reidFeatureSize"])
    wanted = golden.expected[variant.name]
    cosines = (found * wanted.embeddings).sum(axis=1) / np.linalg.norm(found, axis=1)
    assert cosines.min() > wanted.bounds.cosine_min


def test_settings_say_of_every_line_what_decided_it(bundle, tmp_path):
    out = write(bundle.path, tmp_path / "out")
    about = json.loads((out / "settings.json").read_text())
    listed = {entry["key"]: entry for entry in about["files"][NVINFER]}
    assert listed.keys() == read_nvinfer(out / NVINFER).keys()
    tracker = {(entry["section"], entry["key"]) for entry in about["files"][TRACKER]}
    read = read_tracker(out / TRACKER)
    assert tracker == {(section, key) for section, keys in read.items() for key in keys}
    assert all(entry["why"] and entry["source"].startswith("http") for entry in listed.values())
    assert listed["infer-dims"]["origin"] == "bundle"
    assert about["bundle"]["sha256"] == bundle.digest
    assert about["run_in_deepstream"] is False


def test_the_block_alone_is_the_tracker_files_own(bundle, tmp_path):
    out = write(bundle.path, tmp_path / "out")
    assert read_tracker(out / "reid_block.yml") == {"ReID": read_tracker(out / TRACKER)["ReID"]}


def test_int8_is_built_ahead_and_the_reader_told_why(bundle, tmp_path):
    old = (write(bundle.path, tmp_path / "old", deepstream="7.1") / "README.md").read_text()
    assert "--int8 --fp16" in old
    assert "Do not leave this step out" in old
    assert "--saveEngine=reid.onnx_b100_gpu0_int8.engine" in old
    new = (write(bundle.path, tmp_path / "new") / "README.md").read_text()
    assert "--stronglyTyped" in new
    assert "cp reid.onnx_b100_gpu0_int8.engine reid.onnx_b100_gpu0_fp32.engine" in new
    assert "images:100x3x64x32" in new


def test_without_data_it_says_that_thresholds_do_not_hold(bundle, tmp_path):
    made = deepstream(DeepStreamOptions(bundle.path, tmp_path / "out"))
    assert "do not hold" in made.as_text()
    assert "do not hold" in (tmp_path / "out/README.md").read_text()
    assert not (tmp_path / "out/thresholds.json").exists()


def test_a_graph_that_answers_otherwise_is_refused(make_bundle, tmp_path):
    """A bundle whose golden embeddings are another model's."""
    from personvit.core.bundle import write_bundle
    from personvit.core.errors import EnvironmentMismatch
    from personvit.core.golden import array_bytes

    bundle = Bundle.open(make_bundle("fp16"))
    members = {name: bundle.read(name) for name in bundle.entries if name != "manifest.json"}
    wrong = np.ascontiguousarray(bundle.golden().expected["deepstream"].embeddings[:, ::-1])
    members["golden/deepstream.npy"] = array_bytes(wrong)
    path = write_bundle(tmp_path / "wrong.pvb", bundle.manifest, members).path
    with pytest.raises(EnvironmentMismatch, match="golden crop"):
        write(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_embeddings_of_any_length_ask_for_normalising(make_bundle):
    from dataclasses import replace

    from personvit.deploy_jetson import deepstream_settings as settings
    from personvit.deploy_jetson.deepstream_versions import VERSIONS

    bundle = Bundle.open(make_bundle("fp16"))
    facts = settings.facts_of(bundle, None)
    assert facts.unit_length
    choices = settings.Choices(VERSIONS["9.1"], 8, settings.PurePosixPath("/x"))
    lines = settings.tracker_settings(replace(facts, unit_length=False), choices)
    assert {line.key: line.value for line in lines}["addFeatureNormalization"] == 1


def test_it_works_where_no_runtime_is_installed(bundle, tmp_path, monkeypatch):
    for name in ("openvino", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("personvit.deploy_jetson.deepstream_engine.find_spec", lambda name: None)
    made = deepstream(DeepStreamOptions(bundle.path, tmp_path / "out"))
    assert made.replayed == ""
    assert "not replayed" in (tmp_path / "out/README.md").read_text()


def test_refusals(make_bundle, bundle, tmp_path):
    with pytest.raises(ConfigError, match="-o DIR"):
        deepstream(DeepStreamOptions(bundle.path))
    with pytest.raises(BundleError, match="deepstream"):
        write(make_bundle("fp16", kinds=("trt-decomposed",)), tmp_path / "out")
    with pytest.raises(BundleError, match=r"mixed.*int8, fp16"):
        write(bundle.path, tmp_path / "out", candidate="mixed")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    with pytest.raises(ConfigError, match="new or empty"):
        write(bundle.path, tmp_path / "full")
    assert list((tmp_path / "full").iterdir()) == [tmp_path / "full/file"]


@pytest.mark.parametrize("candidate", ["int8", "fp16"])
def test_the_graph_builds_strongly_typed_for_any_number_of_people(bundle, tmp_path, candidate):
    """By TensorRT-RTX, which needs no GPU to build: the command of the page, as far as here."""
    from personvit.engines.tensorrt_build import BuildRequest, attempt

    out = write(bundle.path, tmp_path / "out", candidate=candidate)
    made = attempt((out / "reid.onnx").read_bytes(), BuildRequest(("8.6",), (1, 8, 100)))
    assert made.plan, made.errors
