"""Memory and streams of a CUDA device, the only way to them: pycuda where it is installed, else
cuda-python. The two modules behind it are cuda_device and pycuda_device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.errors import EnvironmentMismatch

NO_GPU = (
    "no CUDA device answers here; run this on a machine with an NVIDIA GPU and a driver "
    "(nvidia-smi must list it)"
)

Bytes = NDArray[np.uint8]


class CannotCapture(Exception):
    """Work cannot be recorded as a CUDA graph here; it can still be queued call by call."""


class Recorded(Protocol):
    """Work of one stream, recorded once, that is started as a whole."""

    def launch(self) -> None: ...

    def close(self) -> None: ...


class Stream(Protocol):
    """Work in order. Copies are queued; their host memory must be pinned and live until `wait`."""

    handle: int

    def upload(self, address: int, values: Bytes) -> None: ...

    def download(self, values: Bytes, address: int) -> None: ...

    def wait(self) -> None:
        """Return when everything queued has ended."""
        ...

    def record(self, work: Callable[[], None]) -> Recorded:
        """What `work` queues here, not run but recorded; CannotCapture where that is not
        possible."""
        ...

    def close(self) -> None: ...


class Device(Protocol):
    """One device. Addresses are integers, as TensorRT takes them."""

    name: str
    capability: tuple[int, int]
    integrated: bool
    """Whether it shares its memory with the processor, as on a Jetson."""
    library: tuple[str, str]
    """What speaks to it, and its version."""

    def current(self) -> AbstractContextManager[None]:
        """The calling thread works on this device inside the block; every use needs it."""
        ...

    def free_memory(self) -> int: ...

    def allocate(self, size: int) -> int: ...

    def free(self, address: int) -> None: ...

    def pinned(self, size: int) -> Bytes:
        """Host memory that the device copies from and to by itself."""
        ...

    def unpin(self, values: Bytes) -> None: ...

    def stream(self) -> Stream: ...

    def close(self) -> None: ...


def open_device(index: int = 0) -> Device:
    """The device, or an error that says what is missing; never something else in its place."""
    if find_spec("pycuda") is not None:
        from .pycuda_device import PycudaDevice

        return PycudaDevice(index)
    if find_spec("cuda") is not None and find_spec("cuda.bindings") is not None:
        from .cuda_device import CudaDevice

        return CudaDevice(index)
    raise EnvironmentMismatch(
        "device buffers need pycuda or cuda-python; pip install 'personvit[gpu]', and on JetPack 6 "
        "with 'cuda-bindings<13' (its driver is of CUDA 12)"
    )


def gpu_missing() -> str:
    """Why no device can be opened; empty where one can."""
    try:
        open_device().close()
    except EnvironmentMismatch as problem:
        return str(problem)
    return ""


def device_index(name: str | None) -> int | None:
    """The number in `cuda` or `cuda:1`; None for what is no such name."""
    kind, _, index = (name or "cuda").partition(":")
    return int(index or 0) if kind == "cuda" and (index or "0").isdigit() else None


def start_of(values: NDArray[Any]) -> int:
    """The address of host memory, which must lie in one piece."""
    if not values.flags.c_contiguous:
        raise ValueError("host memory for the device must be contiguous")
    return int(values.ctypes.data)
