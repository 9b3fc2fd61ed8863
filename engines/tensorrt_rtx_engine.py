"""TensorRT-RTX: runs plans on an RTX GPU; building one needs no GPU (tensorrt_rtx_build)."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError, EnvironmentMismatch
from ..core.preprocess import Preprocess
from .base import BaseEngine, EngineInfo, EngineOptions, EngineSpec, Tensors, TensorSpec
from .device_memory import gpu_missing, open_device
from .tensorrt_rtx_build import PACKAGE, REMEDY, BuildRequest, build, read_plan, require_package

VARIANT = "trt-attention"


class TensorRtRtxEngine(BaseEngine):
    """Precision is what the graph says: every tensor has its type, and nothing else is tried."""

    def __init__(self, plan: bytes, facts: dict[str, Any], options: EngineOptions) -> None:
        import tensorrt_rtx as trt

        _refuse_precision(options)
        self.preprocess = Preprocess.from_dict(facts["preprocess"])
        self.inputs = (_images(self.preprocess),)
        width, space = int(facts["embedding"]), str(facts["space"])
        self.outputs = (TensorSpec("embedding", "float32", (None, width), "embedding", space),)
        self._device = open_device(_device_index(options.device))
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            self._device.close()
            raise EnvironmentMismatch(
                f"this plan does not fit {self._device.name} (SM {_sm(self._device.capability)}) "
                f"or TensorRT-RTX {trt.__version__}; build it here from the bundle"
            )
        self._version = str(trt.__version__)
        self._context = self._engine.create_execution_context()
        self.batch = min(
            options.batch, int(self._engine.get_tensor_profile_shape("images", 0)[2][0])
        )
        self._turn = Lock()
        self._addresses = self._allocate(width)

    def info(self) -> EngineInfo:
        return EngineInfo(
            runtime=PACKAGE,
            versions={PACKAGE: self._version},
            device=self._device.name,
            instruction_set=f"sm_{_sm(self._device.capability).replace('.', '')}",
            precision="as typed in the graph",
            thread_safety="several threads may call; batches run one after another",
        )

    def close(self) -> None:
        if self._closed:
            return
        super().close()
        for address in self._addresses.values():
            self._device.free(address)
        del self._context, self._engine, self._runtime
        self._device.close()

    def _allocate(self, width: int) -> dict[str, int]:
        pixels = self.batch * self.preprocess.height * self.preprocess.width * 3
        sizes = {"images": pixels, "embedding": self.batch * width * 4}
        addresses = {name: self._device.allocate(size) for name, size in sizes.items()}
        for name, address in addresses.items():
            if not self._context.set_tensor_address(name, address):
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
    path = Path(source)
    if path.suffix == ".plan":
        plan, sidecar = read_plan(path)
        return TensorRtRtxEngine(plan, sidecar["model"], options)
    onnx, facts = graph_of(path)
    made = build(onnx, BuildRequest((), (1, min(8, options.batch), options.batch)))
    return TensorRtRtxEngine(made.plan or b"", facts, options)


def graph_of(path: Path) -> tuple[bytes, dict[str, Any]]:
    """The graph for this runtime, and what an engine must know about it."""
    if path.suffix == ".onnx":
        data = path.read_bytes()
        return data, onnx_facts(data, path.name)
    from ..core.bundle import Bundle

    bundle = Bundle.open(path)
    variant = bundle.variant(VARIANT)
    facts = {
        "preprocess": bundle.manifest.preprocess.to_dict(),
        "embedding": bundle.manifest.space.dimension,
        "space": bundle.manifest.space.id,
    }
    return bundle.model(variant), facts


def onnx_facts(data: bytes, name: str) -> dict[str, Any]:
    """What our graphs say about themselves."""
    import onnx

    said = {item.key: item.value for item in onnx.load_from_string(data).metadata_props}
    try:
        return {
            "preprocess": json.loads(said["personvit.preprocess"]),
            "embedding": int(said["personvit.embedding"]),
            "space": said["personvit.space"],
        }
    except (KeyError, ValueError):
        raise ConfigError(
            f"{name} was not written by this project: it does not say how its crops are "
            "preprocessed; make it with personvit-export"
        ) from None


def _refuse_precision(options: EngineOptions) -> None:
    if options.precision is not None:
        raise ConfigError(
            "TensorRT-RTX runs every tensor in the type that the graph gives it; choose the "
            "precision when exporting, not here"
        )


def _device_index(name: str | None) -> int:
    kind, _, index = (name or "cuda").partition(":")
    if kind != "cuda" or not (index or "0").isdigit():
        raise ConfigError(f"device {name!r} is not offered here; give cuda or cuda:1")
    return int(index or 0)


def _images(preprocess: Preprocess) -> TensorSpec:
    shape = (None, preprocess.height, preprocess.width, 3)
    return TensorSpec("images", "uint8", shape, "crops")


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
