"""TensorRT-RTX: runs plans on an RTX GPU; building one needs no GPU (tensorrt_rtx_build)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError, EnvironmentMismatch
from ..core.preprocess import Preprocess
from . import golden
from .base import BaseEngine, EngineInfo, EngineOptions, EngineSpec, Tensors, TensorSpec
from .device_memory import gpu_missing, open_device
from .graphs import Graph, open_source
from .tensorrt_rtx_build import PACKAGE, REMEDY, BuildRequest, build, read_plan, require_package

KIND = "trt-attention"
NOT_REPLAYED = "no golden crops came with this; open the bundle to check what it computes"


class TensorRtRtxEngine(BaseEngine):
    """Precision is what the graph says: every tensor has its type, and nothing else is tried."""

    def __init__(
        self,
        plan: bytes,
        facts: Mapping[str, Any],
        options: EngineOptions,
        replay: golden.Replay | None = None,
    ) -> None:
        import tensorrt_rtx as trt

        self._precision = str(facts["precision"])
        _refuse_precision(options.precision, self._precision)
        self.preprocess = Preprocess.from_dict(facts["preprocess"])
        size = (None, self.preprocess.height, self.preprocess.width, 3)
        self.inputs = (TensorSpec("images", "uint8", size, "crops"),)
        width, space = int(facts["embedding"]), str(facts["space"])
        self.outputs = (TensorSpec("embedding", "float32", (None, width), "embedding", space),)
        self._version = str(trt.__version__)
        self._turn = Lock()
        self._notes = () if replay else (NOT_REPLAYED,)
        with ExitStack() as held:
            self._device = open_device(_device_index(options.device))
            held.callback(self._device.close)
            self._engine = self._load(trt, plan)
            largest = int(self._engine.get_tensor_profile_shape("images", 0)[2][0])
            self.batch = min(options.batch, largest)
            self._context = self._engine.create_execution_context()
            self._addresses = self._allocate(width, held)
            if replay is not None:
                golden.check(self.embed, replay, self.batch, PACKAGE)
            self._held = held.pop_all()

    def info(self) -> EngineInfo:
        return EngineInfo(
            runtime=PACKAGE,
            versions={PACKAGE: self._version},
            device=self._device.name,
            instruction_set=f"sm_{_sm(self._device.capability).replace('.', '')}",
            precision=f"{self._precision}, as typed in the graph",
            thread_safety="several threads may call; batches run one after another",
            notes=self._notes,
        )

    def close(self) -> None:
        if not self._closed:
            super().close()
            del self._context, self._engine, self._runtime
            self._held.close()

    def _load(self, trt: Any, plan: bytes) -> Any:
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise EnvironmentMismatch(
                f"this plan does not fit {self._device.name} (SM {_sm(self._device.capability)}) "
                f"or TensorRT-RTX {trt.__version__}; build it here from the bundle"
            )
        return engine

    def _allocate(self, width: int, held: ExitStack) -> dict[str, int]:
        pixels = self.batch * self.preprocess.height * self.preprocess.width * 3
        sizes = {"images": pixels, "embedding": self.batch * width * 4}
        addresses = {}
        for name, size in sizes.items():
            addresses[name] = self._device.allocate(size)
            held.callback(self._device.free, addresses[name])
            if not self._context.set_tensor_address(name, addresses[name]):
                raise EnvironmentMismatch(f"this plan has no tensor {name!r}; build it again")
        return addresses

    def _run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        images = feeds["images"]
        width = self.outputs[0].shape[1] or 0
        found = np.empty((len(images), width), dtype=np.float32)
        with self._turn:
            for start, stop in self._chunks(len(images)):
                self._run_chunk(images[start:stop], found[start:stop])
        return {"embedding": found}

    def _run_chunk(self, images: NDArray[np.uint8], found: NDArray[np.float32]) -> None:
        # set_input_shape answers False instead of raising.
        if not self._context.set_input_shape("images", images.shape):
            raise ConfigError(f"this plan does not take a batch of {len(images)}")
        self._device.upload(self._addresses["images"], images)
        if not self._context.execute_async_v3(self._device.stream):
            raise EnvironmentMismatch(f"{self._device.name} could not run the plan")
        self._device.download(found, self._addresses["embedding"])


def _open(source: str, options: EngineOptions) -> TensorRtRtxEngine:
    """A plan as it is; a bundle's or an ONNX file's graph is first built for this GPU."""
    require_package()
    if missing := gpu_missing():
        raise EnvironmentMismatch(missing)
    if Path(source).suffix == ".plan":
        plan, sidecar = read_plan(Path(source))
        return TensorRtRtxEngine(plan, sidecar["model"], options)
    graph = graph_of(source, options.precision, options.variant)
    made = build(graph.model(), BuildRequest((), (1, min(8, options.batch), options.batch)))
    return TensorRtRtxEngine(made.plan or b"", facts_of(graph), options, graph.replay)


def graph_of(source: str, precision: str | None, variant: str | None = None) -> Graph:
    """The graph for this runtime: INT8 where there is one, unless told otherwise."""
    found = open_source(source, (KIND,), variant)
    return found.graph(
        precision or ("int8" if "int8" in found.graphs else next(iter(found.graphs)))
    )


def facts_of(graph: Graph) -> dict[str, Any]:
    """What must be known to run a plan of this graph; it is kept in the plan's sidecar."""
    (embedding,) = graph.outputs
    return {
        "preprocess": graph.preprocess.to_dict(),
        "embedding": embedding.shape[1],
        "space": embedding.space,
        "precision": graph.precision,
    }


def _refuse_precision(asked: str | None, given: str) -> None:
    if asked not in (None, given):
        raise ConfigError(
            f"this plan was built from an {given} graph and runs every tensor in the type that the "
            f"graph gives it; build one from an {asked} graph to run {asked}"
        )


def _device_index(name: str | None) -> int:
    kind, _, index = (name or "cuda").partition(":")
    if kind != "cuda" or not (index or "0").isdigit():
        raise ConfigError(f"device {name!r} is not offered here; give cuda or cuda:1")
    return int(index or 0)


def _sm(capability: tuple[int, int]) -> str:
    return "{}.{}".format(*capability)


def _usable() -> tuple[bool, str]:
    if find_spec(PACKAGE) is None:
        return False, REMEDY
    if missing := gpu_missing():
        return False, f"plans can be built here but not run: {missing}"
    return True, ""


ENGINE = EngineSpec(
    "tensorrt_rtx", "NVIDIA TensorRT-RTX", "a bundle, an ONNX file or a .plan", _usable, _open
)
