"""A plan in the runtime's hands: its tensors compared with what its sidecar says, its batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import EnvironmentMismatch
from .base import TensorSpec
from .tensorrt_packages import PACKAGES
from .tensorrt_plan import Here, Plan

NUMPY: Mapping[str, str] = {
    "FLOAT": "float32",
    "HALF": "float16",
    "UINT8": "uint8",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
}
"""By TensorRT's name: the numbers behind the names differ between versions."""


class Unloadable(EnvironmentMismatch):
    """The runtime does not take a plan that should fit; another build of it may do."""


@dataclass(frozen=True)
class Loaded:
    engine: Any
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    least: int
    most: int

    @property
    def scratch(self) -> int:
        return int(self.engine.device_memory_size_v2)

    def takes(self, size: int) -> bool:
        return self.least <= size <= self.most

    def dtype(self, name: str) -> np.dtype[Any]:
        """Addresses carry no type: whatever is written there is read as this one."""
        kind = self.engine.get_tensor_dtype(name).name
        if kind not in NUMPY:
            raise EnvironmentMismatch(
                f"{name!r} is {kind} in this plan, which cannot be exchanged with it "
                f"({', '.join(NUMPY)} can); export the graph with another type there"
            )
        return np.dtype(NUMPY[kind])

    def context(self, trt: Any, scratch: int) -> Any:
        strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = self.engine.create_execution_context(strategy)
        if context is None:
            raise EnvironmentMismatch(
                "the device has no memory left to run this plan; end what else uses it, or take a "
                "smaller batch"
            )
        context.set_device_memory(scratch, self.scratch)
        return context

    def layers(self, trt: Any) -> str:
        inspector = self.engine.create_engine_inspector()
        return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))


def load(runtime: Any, plan: Plan, here: Here) -> Loaded:
    engine = runtime.deserialize_cuda_engine(plan.data)
    if engine is None:
        title = PACKAGES[here.package].title
        raise Unloadable(
            f"{title} {here.version} does not load this plan on {here.gpu} (SM {here.capability}); "
            "build it here from the bundle"
        )
    computes = plan.sidecar.model
    _compare(engine, computes.inputs, computes.outputs)
    least, most = _batches(engine, computes.inputs[0].name)
    return Loaded(engine, computes.inputs, computes.outputs, least, most)


def _compare(engine: Any, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    found = {name: engine.get_tensor_mode(name).name for name in names}
    wanted = {spec.name: "INPUT" for spec in inputs} | {spec.name: "OUTPUT" for spec in outputs}
    if found != wanted:
        raise EnvironmentMismatch(
            f"this plan has the tensors {', '.join(sorted(found))}, not "
            f"{', '.join(sorted(wanted))}; build it again"
        )


def _batches(engine: Any, name: str) -> tuple[int, int]:
    fixed = int(engine.get_tensor_shape(name)[0])
    if fixed > 0:
        return fixed, fixed
    least, _, most = engine.get_tensor_profile_shape(name, 0)
    return int(least[0]), int(most[0])
