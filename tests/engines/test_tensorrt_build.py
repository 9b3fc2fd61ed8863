"""Plans of TensorRT-RTX, really built here without a GPU, and every way in which building fails."""

from __future__ import annotations

import fcntl
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from personvit.core.errors import BundleError, ConfigError, EnvironmentMismatch
from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import build as build_model
from personvit.core.preprocess import Preprocess
from personvit.engines import tensorrt_build
from personvit.engines.base import EngineOptions
from personvit.engines.catalogue import open_engine
from personvit.engines.cli import main
from personvit.engines.device_memory import gpu_missing, open_device
from personvit.engines.tensorrt_build import BuildRequest, attempt, build, cache_folder
from personvit.engines.tensorrt_child import STALE_TIMING
from personvit.engines.tensorrt_open import graph_of
from personvit.engines.tensorrt_packages import PACKAGES
from personvit.engines.tensorrt_plan import read_plan
from personvit.export.graph import build_graph, serialise
from personvit.export.variants import VARIANTS

RTX = PACKAGES["tensorrt_rtx"]
AMPERE = BuildRequest(("8.6",), batch=(1, 2, 4))


def graph(zero_point: int = 0) -> bytes:
    """Pixels to four numbers through one INT8 value."""
    constants = {
        "shape": np.array([0, 16 * 8 * 3], dtype=np.int64),
        "weight": np.ones((16 * 8 * 3, 4), dtype=np.float32),
        "step": np.array(0.1, dtype=np.float32),
        "zero": np.array(zero_point, dtype=np.int8),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["pixels", "shape"], ["flat"]),
        helper.make_node("QuantizeLinear", ["flat", "step", "zero"], ["low"], name="quantise"),
        helper.make_node("DequantizeLinear", ["low", "step", "zero"], ["back"]),
        helper.make_node("MatMul", ["back", "weight"], ["embedding"]),
    ]
    made = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 16, 8, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return model.SerializeToString()


def exported(folder: Path) -> Path:
    """A small graph of ours for this runtime."""
    torch.manual_seed(0)
    config = ModelConfig(width=64, heads=1, depth=2, height_px=64, width_px=32)
    spec = VARIANTS["trt-attention"].spec("before")
    path = folder / "model.onnx"
    path.write_bytes(serialise(build_graph(build_model(config), Preprocess(64, 32), spec)))
    return path


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> bytes:
    return exported(tmp_path_factory.mktemp("graph")).read_bytes()


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"static": True, "batch": (4, 4, 4)},
        {"fp32_layernorm": True},
        {"level": 5, "workspace": 1 << 26},
    ],
    ids=["dynamic", "static", "fp32-layernorm", "level-and-workspace"],
)
def test_a_graph_of_ours_builds_in_every_way_for_every_rtx_architecture(ours, how):
    made = attempt(ours, BuildRequest(("8.6", "8.9", "12.0"), **{"batch": (1, 2, 4), **how}))
    assert made.plan, made.log
    assert not made.errors
    assert made.version == RTX.version()


def test_what_the_parser_says_is_told_in_full():
    with pytest.raises(ConfigError, match=r"(?s)SM 8\.6.*quantise.*zero"):
        build(graph(zero_point=3), AMPERE)


def test_no_onnx_at_all_is_a_refusal_not_a_crash():
    made = attempt(b"this is not ONNX", AMPERE)
    assert made.plan is None
    assert made.errors


def test_weak_typing_is_refused_where_it_is_gone():
    made = attempt(graph(), BuildRequest(("8.6",), typing="weak"))
    assert made.plan is None
    assert "strongly typed graphs only" in made.log


def test_a_compiler_that_hangs_is_stopped():
    made = attempt(graph(), BuildRequest(("8.6",), limit_s=0.01))
    assert made.plan is None
    assert "did not finish" in made.log


def test_a_compiler_that_crashes_is_an_answer(monkeypatch):
    monkeypatch.setattr(tensorrt_build.sys, "executable", "/bin/false")
    made = attempt(graph(), AMPERE)
    assert made.plan is None
    assert "ended with status 1" in made.log


@pytest.mark.parametrize("content", [b"", b"not a timing cache", bytes(172)])
def test_a_timing_cache_of_no_use_is_made_anew(tmp_path, content):
    path = tmp_path / "there" / "kernels.timing"
    path.parent.mkdir()
    path.write_bytes(content)
    made = attempt(graph(), BuildRequest(("8.6",), timing_cache=path))
    assert made.plan
    assert not made.errors
    assert bool(content) == (STALE_TIMING in made.warnings)
    assert path.read_bytes() not in (content, b"")
    assert [left.name for left in path.parent.iterdir()] == ["kernels.timing"]


def test_a_timing_cache_that_crashes_the_compiler_is_thrown_away(tmp_path, monkeypatch):
    runs = []

    def run(folder, limit_s):
        runs.append((folder / "timing.cache").exists())
        ended = "the compiler was ended by SIGSEGV" if runs[-1] else ""
        return tensorrt_build.Attempt(None if ended else b"plan", (ended,), (), "9.9", crashed=True)

    path = tmp_path / "kernels.timing"
    path.write_bytes(b"poison")
    monkeypatch.setattr(tensorrt_build, "_run", run)
    made = attempt(graph(), BuildRequest(("8.6",), timing_cache=path))
    assert runs == [True, False]
    assert made.plan == b"plan"


def test_a_timing_cache_that_cannot_be_kept_costs_a_note_only(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "kernels.timing"
    made = attempt(graph(), BuildRequest(("8.6",), timing_cache=path))
    assert made.plan
    assert "could not be kept" in made.log


def test_one_build_waits_for_another():
    """The lock that a build holds is the one that a second build asks for."""
    cache_folder().mkdir(parents=True)
    handle = os.open(cache_folder() / "build.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    made = []
    waiting = threading.Thread(target=lambda: made.append(attempt(graph(), AMPERE)))
    waiting.start()
    waiting.join(timeout=1.0)
    assert not made
    os.close(handle)
    waiting.join()
    assert made[0].plan


def test_without_a_cache_folder_it_builds_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert attempt(graph(), AMPERE).plan


def test_architectures_it_does_not_know_are_named():
    assert {"8.6", "8.9", "12.0"} <= set(RTX.capabilities())
    with pytest.raises(EnvironmentMismatch, match=r"8\.7.*on the device"):
        attempt(graph(), BuildRequest(("8.6", "8.7")))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"capabilities": ("sm86",)}, r"8\.6 or 12\.0"),
        ({"batch": (4, 2, 1)}, "must rise"),
        ({"batch": (1, 2, 4), "static": True}, "one batch size"),
        ({"level": 6}, "0 to 5"),
        ({"capabilities": ("8.6",), "package": "tensorrt"}, "the machine it runs on"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(words, message):
    with pytest.raises(ConfigError, match=message):
        BuildRequest(**words)


def test_a_package_that_is_not_here_says_what_to_install(monkeypatch):
    monkeypatch.setattr("personvit.engines.tensorrt_packages.find_spec", lambda name: None)
    with pytest.raises(EnvironmentMismatch, match="comes with JetPack"):
        attempt(graph(), BuildRequest(package="tensorrt"))


def test_a_package_that_is_broken_says_why(tmp_path, monkeypatch):
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.10: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(EnvironmentMismatch, match=r"libnvinfer\.so\.10"):
        PACKAGES["tensorrt"].version()


def test_without_a_gpu_nothing_is_run_and_the_message_says_why(tmp_path, monkeypatch):
    missing = "no CUDA device answers here"
    monkeypatch.setattr("personvit.engines.tensorrt_open.gpu_missing", lambda: missing)
    with pytest.raises(EnvironmentMismatch, match=missing):
        open_engine(str(tmp_path / "any.plan"), "tensorrt_rtx")


def test_device_memory_keeps_what_it_is_given_or_says_what_is_missing():
    if missing := gpu_missing():
        assert "nvidia-smi" in missing
        with pytest.raises(EnvironmentMismatch, match="no CUDA device"):
            open_device()
        return
    device = open_device()
    with device.current():
        stream, there, back = device.stream(), device.pinned(1000), device.pinned(1000)
        address = device.allocate(1000)
        there[:] = np.arange(1000) % 251
        stream.upload(address, there)
        stream.download(back, address)
        stream.wait()
        np.testing.assert_array_equal(there, back)
        device.free(address)
        stream.close()
    device.close()


def test_the_command_builds_a_plan_from_a_graph_of_ours(tmp_path, capsys):
    out = tmp_path / "model.plan"
    words = ["build", str(exported(tmp_path)), "--capability", "8.6, 12.0", "--batch", "1,2,4"]
    assert main.run([*words, "-o", str(out)]) == 0
    assert "SM 8.6, SM 12.0" in capsys.readouterr().out
    sidecar = read_plan(out).sidecar
    assert sidecar.model.outputs[0].shape == (None, 64)
    assert sidecar.model.precision == "fp16"
    assert sidecar.batch == (1, 2, 4)
    assert sidecar.built_for.capabilities == ("8.6", "12.0")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch", "8"], "three whole numbers"),
        (["--capability", ","], "no architecture"),
        (["--capability", "8.7"], "built on the device"),
        (["--precision", "int8"], "no int8 graph"),
        (["-o", "model.engine"], "ends in .plan"),
        (["--runtime", "tensorrt", "--capability", "8.7"], "the machine it runs on"),
    ],
)
def test_wrong_build_options_leave_nothing(tmp_path, capsys, words, message):
    assert main.run(["build", str(exported(tmp_path)), *words]) != 0
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_plan_for_the_gpu_here_needs_the_package_here(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("personvit.engines.tensorrt_packages.find_spec", lambda name: None)
    assert main.run(["build", str(exported(tmp_path)), "--runtime", "tensorrt"]) == 3
    assert "TensorRT is not installed" in capsys.readouterr().err


def test_a_foreign_onnx_file_is_refused(tmp_path):
    path = tmp_path / "small.onnx"
    path.write_bytes(graph())
    with pytest.raises(BundleError, match="not made by personvit-export"):
        graph_of(RTX, str(path), EngineOptions())
