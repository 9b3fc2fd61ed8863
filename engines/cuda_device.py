"""A CUDA device through cuda-python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core.errors import EnvironmentMismatch
from .device_memory import NO_GPU, Bytes, CannotCapture, start_of
from .version_numbers import version_of

INSUFFICIENT = "cudaErrorInsufficientDriver"
"""What a machine without a driver answers, and one whose driver is too old."""
OLD_DRIVER = (
    "; for a driver of CUDA 12, as in JetPack 6, cuda-python {} is too new: "
    "pip install 'cuda-bindings<13'"
)


class CudaDevice:
    def __init__(self, index: int) -> None:
        from cuda import bindings
        from cuda.bindings import runtime

        self._cuda, self._index = runtime, index
        self.library = ("cuda-python", str(bindings.__version__))
        code, count = runtime.cudaGetDeviceCount()
        if int(code) or not count:
            newer = code.name == INSUFFICIENT and version_of(self.library[1]) >= (13,)
            old = OLD_DRIVER.format(self.library[1]) if newer else ""
            told = f"cudaGetDeviceCount: {code.name}, {count or 0}"
            raise EnvironmentMismatch(f"{NO_GPU}{old} ({told})")
        if index >= count:
            known = ", ".join(f"cuda:{number}" for number in range(count))
            raise EnvironmentMismatch(f"there is no cuda:{index} here; choose from {known}")
        checked(runtime, runtime.cudaSetDevice(index))
        facts = checked(runtime, runtime.cudaGetDeviceProperties(index))
        self.name = facts.name.decode().rstrip("\0")
        self.capability = (facts.major, facts.minor)
        self.integrated = bool(facts.integrated)

    @contextmanager
    def current(self) -> Iterator[None]:
        """A thread's device is 0 until it says otherwise, and others may have said otherwise."""
        before = checked(self._cuda, self._cuda.cudaGetDevice())
        checked(self._cuda, self._cuda.cudaSetDevice(self._index))
        try:
            yield
        finally:
            checked(self._cuda, self._cuda.cudaSetDevice(before))

    def free_memory(self) -> int:
        code, free, _ = self._cuda.cudaMemGetInfo()
        checked(self._cuda, (code,))
        return int(free)

    def allocate(self, size: int) -> int:
        return int(checked(self._cuda, self._cuda.cudaMalloc(size)))

    def free(self, address: int) -> None:
        checked(self._cuda, self._cuda.cudaFree(address))

    def pinned(self, size: int) -> Bytes:
        address = int(checked(self._cuda, self._cuda.cudaMallocHost(size)))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def unpin(self, values: Bytes) -> None:
        checked(self._cuda, self._cuda.cudaFreeHost(start_of(values)))

    def stream(self) -> CudaStream:
        return CudaStream(self._cuda)

    def close(self) -> None:
        """Nothing is held but what was asked for, and that is given back by who asked."""


class CudaStream:
    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        flags = cuda.cudaStreamNonBlocking
        self._stream = checked(cuda, cuda.cudaStreamCreateWithFlags(flags))
        self.handle = int(self._stream)

    def upload(self, address: int, values: Bytes) -> None:
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._copy(address, start_of(values), values.nbytes, kind)

    def download(self, values: Bytes, address: int) -> None:
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._copy(start_of(values), address, values.nbytes, kind)

    def wait(self) -> None:
        checked(self._cuda, self._cuda.cudaStreamSynchronize(self._stream))

    def record(self, work: Callable[[], None]) -> CudaGraph:
        cuda = self._cuda
        # Other threads may allocate meanwhile, which a global capture would forbid them.
        mode = cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        checked(cuda, cuda.cudaStreamBeginCapture(self._stream, mode), CannotCapture)
        try:
            work()
        except EnvironmentMismatch as problem:
            cuda.cudaStreamEndCapture(self._stream)
            raise CannotCapture(str(problem)) from problem
        graph = checked(cuda, cuda.cudaStreamEndCapture(self._stream), CannotCapture)
        try:
            ready = checked(cuda, cuda.cudaGraphInstantiate(graph, 0), CannotCapture)
        finally:
            checked(cuda, cuda.cudaGraphDestroy(graph))
        return CudaGraph(cuda, ready, self._stream)

    def close(self) -> None:
        checked(self._cuda, self._cuda.cudaStreamDestroy(self._stream))

    def _copy(self, target: int, source: int, size: int, kind: Any) -> None:
        copied = self._cuda.cudaMemcpyAsync(target, source, size, kind, self._stream)
        checked(self._cuda, copied)


class CudaGraph:
    def __init__(self, cuda: Any, ready: Any, stream: Any) -> None:
        self._cuda, self._ready, self._stream = cuda, ready, stream

    def launch(self) -> None:
        checked(self._cuda, self._cuda.cudaGraphLaunch(self._ready, self._stream))

    def close(self) -> None:
        checked(self._cuda, self._cuda.cudaGraphExecDestroy(self._ready))


def checked(
    cuda: Any, answer: tuple[Any, ...], wrong: type[Exception] = EnvironmentMismatch
) -> Any:
    """What a call returned behind its error code, which must be that of success."""
    code, *rest = answer
    if int(code):
        text = cuda.cudaGetErrorString(code)[1].decode()
        raise wrong(f"the CUDA device failed: {code.name}, {text}")
    return rest[0] if rest else None
