"""TensorRT-RTX: plans made without a GPU, plain refusals, and how a plan is run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from personvit.core.errors import BundleError, ConfigError, EnvironmentMismatch
from personvit.core.golden import Expectation
from personvit.core.manifest import Bounds
from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import build as build_model
from personvit.core.preprocess import Preprocess
from personvit.engines import tensorrt_rtx_build, tensorrt_rtx_engine
from personvit.engines.base import EngineOptions
from personvit.engines.catalogue import open_engine
from personvit.engines.cli import main
from personvit.engines.device_memory import gpu_missing, open_device
from personvit.engines.golden import Replay
from personvit.engines.tensorrt_rtx_build import (
    BuildRequest,
    attempt,
    build,
    known_capabilities,
    read_plan,
    write_plan,
)
from personvit.export.graph import build_graph, serialise
from personvit.export.variants import VARIANTS

AMPERE = BuildRequest(("8.6",), batch=(1, 2, 4))
FACTS = {
    "preprocess": Preprocess(16, 8).to_dict(),
    "embedding": 4,
    "space": "space-1",
    "precision": "fp16",
}


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


def test_a_plan_for_several_architectures_is_written_with_its_facts(tmp_path):
    request = BuildRequest(("8.6", "12.0"), batch=(1, 2, 4))
    made = build(graph(), request)
    path = tmp_path / "small.plan"
    sidecar = write_plan(path, graph(), made, request, FACTS)
    plan, facts = read_plan(path)
    assert plan == made.plan
    assert facts["capabilities"] == ["8.6", "12.0"]
    assert facts["versions"]["tensorrt_rtx"] == made.version
    assert sidecar.name == "small.plan.json"


def test_a_changed_plan_is_refused(tmp_path):
    made = build(graph(), AMPERE)
    path = tmp_path / "small.plan"
    sidecar = write_plan(path, graph(), made, AMPERE, FACTS)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(BundleError, match="not the plan"):
        read_plan(path)
    sidecar.write_text(json.dumps({"schema": 99}))
    with pytest.raises(BundleError, match="schema"):
        read_plan(path)
    sidecar.unlink()
    with pytest.raises(BundleError, match=r"small\.plan\.json"):
        read_plan(path)


def test_what_the_parser_says_is_told_in_full():
    with pytest.raises(ConfigError, match=r"(?s)SM 8\.6.*quantise.*zero"):
        build(graph(zero_point=3), AMPERE)


def test_no_onnx_at_all_is_a_refusal_not_a_crash():
    made = attempt(b"this is not ONNX", AMPERE)
    assert made.plan is None
    assert made.errors


def test_a_compiler_that_hangs_is_stopped():
    made = attempt(graph(), BuildRequest(("8.6",), limit_s=0.01))
    assert made.plan is None
    assert "did not finish" in made.log


def test_a_compiler_that_crashes_is_an_answer(monkeypatch):
    monkeypatch.setattr(tensorrt_rtx_build.sys, "executable", "/bin/false")
    made = attempt(graph(), AMPERE)
    assert made.plan is None
    assert "ended with status 1" in made.log


def test_architectures_it_does_not_know_are_named():
    assert {"8.6", "8.9", "12.0"} <= set(known_capabilities())
    with pytest.raises(EnvironmentMismatch, match=r"8\.7.*on the device"):
        attempt(graph(), BuildRequest(("8.6", "8.7")))
    with pytest.raises(ConfigError, match=r"8\.6 or 12\.0"):
        BuildRequest(("sm86",))
    with pytest.raises(ConfigError, match="must rise"):
        BuildRequest(("8.6",), batch=(4, 2, 1))


def test_without_a_gpu_nothing_is_run_and_the_message_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorrt_rtx_engine, "gpu_missing", lambda: "no CUDA device answers here")
    usable, remedy = tensorrt_rtx_engine.ENGINE.usable()
    assert not usable
    assert "plans can be built here" in remedy
    with pytest.raises(EnvironmentMismatch, match="no CUDA device"):
        open_engine(str(tmp_path / "any.plan"), "tensorrt_rtx")


def test_device_buffers_keep_what_they_are_given_or_say_what_is_missing():
    if missing := gpu_missing():
        assert "nvidia-smi" in missing
        with pytest.raises(EnvironmentMismatch, match="no CUDA device"):
            open_device()
        return
    device = open_device()
    values = np.arange(1000, dtype=np.float32)
    back = np.empty_like(values)
    address = device.allocate(values.nbytes)
    device.upload(address, values)
    device.download(back, address)
    device.free(address)
    device.close()
    np.testing.assert_array_equal(values, back)


class Memory:
    """A device in the host's memory."""

    name, capability, stream = "pretend", (8, 6), 1

    def __init__(self) -> None:
        self.held: dict[int, np.ndarray] = {}
        self.closed = False

    def allocate(self, size: int) -> int:
        self.held[len(self.held) + 1] = np.zeros(size, dtype=np.uint8)
        return len(self.held)

    def free(self, address: int) -> None:
        del self.held[address]

    def upload(self, address: int, values: np.ndarray) -> None:
        self.held[address][: values.nbytes] = np.ascontiguousarray(values).reshape(-1)

    def download(self, values: np.ndarray, address: int) -> None:
        raw = self.held[address][: values.nbytes]
        values[...] = raw.view(values.dtype).reshape(values.shape)

    def close(self) -> None:
        self.closed = True


class Context:
    """Sums each crop; refuses what a real profile of at most four would refuse."""

    def __init__(self, memory: Memory) -> None:
        self.memory, self.addresses, self.count = memory, {}, 0

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.count = shape[0]
        return 1 <= shape[0] <= 4

    def execute_async_v3(self, stream: int) -> bool:
        pixels = self.memory.held[self.addresses["images"]].reshape(-1, 16 * 8 * 3)[: self.count]
        sums = pixels.sum(axis=1, dtype=np.float32)
        answer = np.repeat(sums[:, None], 4, axis=1).view(np.uint8).reshape(-1)
        self.memory.held[self.addresses["embedding"]][: answer.size] = answer
        return True


@pytest.fixture
def memory(monkeypatch) -> Memory:
    """A runtime that takes any plan but an empty one, on a pretended device."""
    memory = Memory()
    engine = SimpleNamespace(
        create_execution_context=lambda: Context(memory),
        get_tensor_profile_shape=lambda name, index: [(1, 16, 8, 3), (2, 16, 8, 3), (4, 16, 8, 3)],
    )
    module = ModuleType("tensorrt_rtx")
    module.__version__ = "9.9"
    module.Logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None})
    module.Runtime = lambda logger: SimpleNamespace(
        deserialize_cuda_engine=lambda plan: engine if plan else None
    )
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", module)
    monkeypatch.setattr(tensorrt_rtx_engine, "open_device", lambda index: memory)
    return memory


@pytest.mark.parametrize("count", [0, 1, 3, 4, 33])
def test_any_number_of_crops_is_cut_to_the_plan(memory, count):
    crops = np.random.default_rng(0).integers(0, 256, (count, 16, 8, 3), dtype=np.uint8)
    with tensorrt_rtx_engine.TensorRtRtxEngine(b"plan", FACTS, EngineOptions()) as engine:
        assert engine.batch == 4
        found = engine.embed(crops)
        assert engine.outputs[0].space == "space-1"
        assert engine.info().instruction_set == "sm_86"
    expected = crops.sum(axis=(1, 2, 3), dtype=np.float32)
    np.testing.assert_array_equal(found, np.repeat(expected[:, None], 4, axis=1))
    assert memory.closed
    assert not memory.held


def test_golden_crops_are_replayed_and_drift_is_refused(memory):
    crops = np.random.default_rng(1).integers(0, 256, (16, 16, 8, 3), dtype=np.uint8)
    right = np.repeat(crops.sum(axis=(1, 2, 3), dtype=np.float32)[:, None], 4, axis=1)
    bounds = Bounds(cosine_min=0.999, norm_tolerance=0.01)
    replays = [Replay(crops, Expectation(right * factor, bounds)) for factor in (1.0, 1.5)]
    with tensorrt_rtx_engine.TensorRtRtxEngine(b"plan", FACTS, EngineOptions(), replays[0]) as one:
        assert not one.info().notes
    memory.closed = False
    with pytest.raises(EnvironmentMismatch, match="length"):
        tensorrt_rtx_engine.TensorRtRtxEngine(b"plan", FACTS, EngineOptions(), replays[1])
    assert memory.closed
    assert not memory.held


def test_a_plan_of_another_gpu_is_refused(memory):
    with pytest.raises(EnvironmentMismatch, match="build it here"):
        tensorrt_rtx_engine.TensorRtRtxEngine(b"", FACTS, EngineOptions())
    assert memory.closed


def test_precision_and_device_are_not_chosen_when_running(memory):
    with pytest.raises(ConfigError, match="built from an fp16 graph"):
        tensorrt_rtx_engine.TensorRtRtxEngine(b"plan", FACTS, EngineOptions(precision="int8"))
    with pytest.raises(ConfigError, match="cuda:1"):
        tensorrt_rtx_engine.TensorRtRtxEngine(b"plan", FACTS, EngineOptions(device="cpu"))


def exported(folder: Path) -> Path:
    """A small graph of ours for this runtime."""
    torch.manual_seed(0)
    config = ModelConfig(width=64, heads=1, depth=2, height_px=64, width_px=32)
    spec = VARIANTS["trt-attention"].spec("before")
    path = folder / "model.onnx"
    path.write_bytes(serialise(build_graph(build_model(config), Preprocess(64, 32), spec)))
    return path


def test_the_command_builds_a_plan_from_a_graph_of_ours(tmp_path, capsys):
    out = tmp_path / "model.plan"
    words = ["build", str(exported(tmp_path)), "--capability", "8.6, 12.0", "--batch", "1,2,4"]
    assert main.run([*words, "-o", str(out)]) == 0
    assert "SM 8.6, SM 12.0" in capsys.readouterr().out
    _, sidecar = read_plan(out)
    assert sidecar["model"]["embedding"] == 64
    assert sidecar["model"]["precision"] == "fp16"
    assert sidecar["batch"] == [1, 2, 4]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch", "8"], "three whole numbers"),
        (["--capability", ","], "no architecture"),
        (["--capability", "8.7"], "built on the device"),
        (["--precision", "int8"], "no int8 graph"),
        (["-o", "model.engine"], "ends in .plan"),
    ],
)
def test_wrong_build_options_leave_nothing(tmp_path, capsys, words, message):
    assert main.run(["build", str(exported(tmp_path)), *words]) != 0
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_foreign_onnx_file_is_refused(tmp_path):
    path = tmp_path / "small.onnx"
    path.write_bytes(graph())
    with pytest.raises(BundleError, match="not made by personvit-export"):
        tensorrt_rtx_engine.graph_of(str(path), None)
