"""A CUDA device through pycuda, which knows no CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from ..core.errors import EnvironmentMismatch
from .device_memory import NO_GPU, Bytes, CannotCapture, Recorded

NO_GRAPHS = "pycuda has no CUDA graphs; cuda-python has (uninstall pycuda to use it)"


@contextmanager
def told(driver: Any) -> Iterator[None]:
    """The driver's refusals in our words."""
    try:
        yield
    except driver.Error as problem:
        raise EnvironmentMismatch(f"the CUDA device failed (pycuda: {problem})") from problem


class PycudaDevice:
    def __init__(self, index: int) -> None:
        import pycuda
        import pycuda.driver as driver

        self._driver = driver
        self.library = ("pycuda", str(pycuda.VERSION_TEXT))
        try:
            driver.init()
            device = driver.Device(index)
        except driver.Error as problem:
            raise EnvironmentMismatch(f"{NO_GPU} (pycuda: {problem})") from None
        self.name = device.name()
        self.capability = device.compute_capability()
        self.integrated = bool(device.get_attribute(driver.device_attribute.INTEGRATED))
        self._context = _primary_context(index)
        self._buffers: dict[int, Any] = {}

    @contextmanager
    def current(self) -> Iterator[None]:
        self._context.push()
        try:
            yield
        finally:
            self._context.pop()

    def free_memory(self) -> int:
        with self.current():
            return int(self._driver.mem_get_info()[0])

    def allocate(self, size: int) -> int:
        with told(self._driver):
            buffer = self._driver.mem_alloc(size)
        self._buffers[int(buffer)] = buffer
        return int(buffer)

    def free(self, address: int) -> None:
        self._buffers.pop(address).free()

    def pinned(self, size: int) -> Bytes:
        with told(self._driver):
            values: Bytes = self._driver.pagelocked_empty(size, np.uint8)
            return values

    def unpin(self, values: Bytes) -> None:
        values.base.free()  # type: ignore[union-attr]

    def stream(self) -> PycudaStream:
        return PycudaStream(self._driver)

    def close(self) -> None:
        """The context stays, as it does with the runtime API that cuda-python speaks."""


@cache
def _primary_context(index: int) -> Any:
    """The context that TensorRT uses too, kept until the process ends: pycuda takes one that it has
    released for popped from the thread's stack, and the driver does not."""
    import pycuda.driver as driver

    return driver.Device(index).retain_primary_context()


class PycudaStream:
    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._stream = driver.Stream()
        self.handle = int(self._stream.handle)

    def upload(self, address: int, values: Bytes) -> None:
        with told(self._driver):
            self._driver.memcpy_htod_async(address, values, self._stream)

    def download(self, values: Bytes, address: int) -> None:
        with told(self._driver):
            self._driver.memcpy_dtoh_async(values, address, self._stream)

    def wait(self) -> None:
        with told(self._driver):
            self._stream.synchronize()

    def record(self, work: Callable[[], None]) -> Recorded:
        raise CannotCapture(NO_GRAPHS)

    def close(self) -> None:
        """pycuda ends a stream with its object."""
        del self._stream
