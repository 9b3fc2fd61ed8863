"""Buffers and a stream on a CUDA device: through pycuda where it is installed, else cuda-python."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.errors import EnvironmentMismatch

NO_GPU = (
    "no CUDA device answers here; run this on a machine with an NVIDIA GPU and a driver "
    "(nvidia-smi must list it)"
)


class Device(Protocol):
    """One device with one stream. Addresses are integers, as TensorRT takes them."""

    name: str
    capability: tuple[int, int]
    stream: int

    def allocate(self, size: int) -> int: ...

    def free(self, address: int) -> None: ...

    def upload(self, address: int, values: NDArray[Any]) -> None: ...

    def download(self, values: NDArray[Any], address: int) -> None:
        """Fill `values`; returns when everything queued before has ended."""
        ...

    def close(self) -> None: ...


def open_device(index: int = 0) -> Device:
    """The device, or an error that says what is missing; never something else in its place."""
    if find_spec("pycuda") is not None:
        return _PycudaDevice(index)
    if find_spec("cuda") is not None and find_spec("cuda.bindings") is not None:
        return _CudaPythonDevice(index)
    raise EnvironmentMismatch("device buffers need pycuda or cuda-python; pip install cuda-python")


def gpu_missing() -> str:
    """Why no device can be opened; empty where one can."""
    try:
        open_device().close()
    except EnvironmentMismatch as problem:
        return str(problem)
    return ""


class _CudaPythonDevice:
    def __init__(self, index: int) -> None:
        from cuda.bindings import runtime

        self._runtime = runtime
        code, count = runtime.cudaGetDeviceCount()
        if int(code) or index >= count:
            raise EnvironmentMismatch(f"{NO_GPU} (cudaGetDeviceCount: {code.name}, {count or 0})")
        self._check(runtime.cudaSetDevice(index))
        facts = self._check(runtime.cudaGetDeviceProperties(index))
        self.name = facts.name.decode().rstrip("\0")
        self.capability = (facts.major, facts.minor)
        self._stream = self._check(runtime.cudaStreamCreate())
        self.stream = int(self._stream)

    def allocate(self, size: int) -> int:
        return int(self._check(self._runtime.cudaMalloc(size)))

    def free(self, address: int) -> None:
        self._check(self._runtime.cudaFree(address))

    def upload(self, address: int, values: NDArray[Any]) -> None:
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        source = np.ascontiguousarray(values)
        copied = self._runtime.cudaMemcpyAsync(
            address, source.ctypes.data, source.nbytes, kind, self._stream
        )
        self._check(copied)
        # `source` may be a temporary copy, so it must outlive the transfer.
        self._check(self._runtime.cudaStreamSynchronize(self._stream))

    def download(self, values: NDArray[Any], address: int) -> None:
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        copied = self._runtime.cudaMemcpyAsync(
            values.ctypes.data, address, values.nbytes, kind, self._stream
        )
        self._check(copied)
        self._check(self._runtime.cudaStreamSynchronize(self._stream))

    def close(self) -> None:
        self._check(self._runtime.cudaStreamDestroy(self._stream))

    def _check(self, answer: tuple[Any, ...]) -> Any:
        code, *rest = answer
        if int(code):
            text = self._runtime.cudaGetErrorString(code)[1].decode()
            raise EnvironmentMismatch(f"the CUDA device failed: {code.name}, {text}")
        return rest[0] if rest else None


class _PycudaDevice:
    def __init__(self, index: int) -> None:
        import pycuda.driver as driver

        self._driver = driver
        try:
            driver.init()
            device = driver.Device(index)
        except driver.Error as problem:
            raise EnvironmentMismatch(f"{NO_GPU} (pycuda: {problem})") from None
        self.name = device.name()
        self.capability = device.compute_capability()
        # The primary context is the one that TensorRT uses too.
        self._context = device.retain_primary_context()
        self._context.push()
        self._stream = driver.Stream()
        self.stream = int(self._stream.handle)
        self._buffers: dict[int, Any] = {}

    def allocate(self, size: int) -> int:
        buffer = self._driver.mem_alloc(size)
        self._buffers[int(buffer)] = buffer
        return int(buffer)

    def free(self, address: int) -> None:
        self._buffers.pop(address).free()

    def upload(self, address: int, values: NDArray[Any]) -> None:
        source = np.ascontiguousarray(values)
        self._driver.memcpy_htod_async(address, source, self._stream)
        self._stream.synchronize()

    def download(self, values: NDArray[Any], address: int) -> None:
        self._driver.memcpy_dtoh_async(values, address, self._stream)
        self._stream.synchronize()

    def close(self) -> None:
        self._context.pop()
        self._context.detach()
