"""TensorRT-RTX: plans made without a GPU, plain refusals, and how a plan is run."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from personvit.core.errors import BundleError, ConfigError, EnvironmentMismatch
from personvit.core.preprocess import Preprocess
from personvit.engines import tensorrt_rtx_engine
from personvit.engines.base import EngineOptions
from personvit.engines.catalogue import open_engine
from personvit.engines.device_memory import gpu_missing, open_device
from personvit.engines.tensorrt_rtx_build import (
    BuildRequest,
    attempt,
    build,
    known_capabilities,
    read_plan,
    write_plan,
)

AMPERE = BuildRequest(("8.6",), batch=(1, 2, 4))
FACTS = {"preprocess": Preprocess(16, 8).to_dict(), "embedding": 4, "space": "space-1"}


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


def test_a_plan_of_another_gpu_is_refused(memory):
    with pytest.raises(EnvironmentMismatch, match="build it here"):
        tensorrt_rtx_engine.TensorRtRtxEngine(b"", FACTS, EngineOptions())
    assert memory.closed


def test_precision_and_device_are_not_chosen_when_running(memory):
    with pytest.raises(ConfigError, match="when exporting"):
        tensorrt_rtx_engine.TensorRtRtxEngine(b"plan", FACTS, EngineOptions(precision="fp16"))
    with pytest.raises(ConfigError, match="cuda:1"):
        tensorrt_rtx_engine.TensorRtRtxEngine(b"plan", FACTS, EngineOptions(device="cpu"))


def test_a_foreign_onnx_file_is_refused():
    with pytest.raises(ConfigError, match="not written by this project"):
        tensorrt_rtx_engine.onnx_facts(graph(), "small.onnx")
    ours = onnx.load_from_string(graph())
    said = {
        "personvit.preprocess": json.dumps(FACTS["preprocess"]),
        "personvit.embedding": "4",
        "personvit.space": "space-1",
    }
    helper.set_model_props(ours, said)
    assert tensorrt_rtx_engine.onnx_facts(ours.SerializeToString(), "small.onnx") == FACTS
