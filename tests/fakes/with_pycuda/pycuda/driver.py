"""The driver API of pycuda. As there, nothing works where no context is pushed in the thread."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import fake_gpu
import numpy as np

device_attribute = SimpleNamespace(INTEGRATED="INTEGRATED")
_here = threading.local()


class Error(Exception):
    """What pycuda raises of the driver's refusals."""


class LogicError(Error):
    """No context, or a wrong value."""


def _in_context() -> None:
    if not getattr(_here, "depth", 0):
        raise LogicError("no context is current in this thread")


def _told(call, *given, **named):
    _in_context()
    try:
        return call(*given, **named)
    except fake_gpu.Wrong as problem:
        raise LogicError(str(problem)) from None


def init() -> None:
    if fake_gpu.facts() is None:
        raise Error("no CUDA-capable device is detected")


class Device:
    def __init__(self, index: int) -> None:
        self._facts = fake_gpu.facts()
        if index:
            raise LogicError("invalid device ordinal")

    def name(self) -> str:
        return self._facts.name

    def compute_capability(self) -> tuple[int, int]:
        return self._facts.capability

    def get_attribute(self, attribute: str) -> int:
        return int(self._facts.integrated)

    def retain_primary_context(self) -> Context:
        return Context()


class Context:
    def push(self) -> None:
        _here.depth = getattr(_here, "depth", 0) + 1

    @staticmethod
    def pop() -> None:
        _in_context()
        _here.depth -= 1


class DeviceAllocation:
    def __init__(self, size: int) -> None:
        self._address = _told(fake_gpu.allocate, size)

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        _told(fake_gpu.free, self._address)


class Stream:
    def __init__(self) -> None:
        self.handle = _told(fake_gpu.open_stream)

    def synchronize(self) -> None:
        _told(fake_gpu.wait, self.handle)

    def __del__(self) -> None:
        fake_gpu.close_stream(self.handle)


class PagelockedHostAllocation:
    def __init__(self, block: np.ndarray) -> None:
        self._block = block
        self.__array_interface__ = block.__array_interface__

    def free(self) -> None:
        _told(fake_gpu.unpin, self._block.ctypes.data)


def mem_get_info() -> tuple[int, int]:
    _in_context()
    return fake_gpu.FREE, fake_gpu.TOTAL


def mem_alloc(size: int) -> DeviceAllocation:
    return DeviceAllocation(size)


def pagelocked_empty(shape: int, dtype: type) -> np.ndarray:
    return np.asarray(PagelockedHostAllocation(_told(fake_gpu.pin, shape)))


def memcpy_htod_async(address: int, values: np.ndarray, stream: Stream) -> None:
    source = values.ctypes.data
    _told(fake_gpu.copy, stream.handle, address, source, values.nbytes, up=True)


def memcpy_dtoh_async(values: np.ndarray, address: int, stream: Stream) -> None:
    target = values.ctypes.data
    _told(fake_gpu.copy, stream.handle, target, address, values.nbytes, up=False)
