"""A GPU that is not there: its memory is the host's, its work is done when somebody waits for it.

FAKE_GPU names it, as "Orin:8.7"; "none" is a machine without one. What a real device would only
do wrong in silence is an error here: an address that was never given out, a copy beyond its end,
and answers read before anybody waited (they are not there yet).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

FREE = 6 << 30
TOTAL = 8 << 30


class Wrong(Exception):
    """A call that the driver refuses, by the name of its error."""


@dataclass(frozen=True)
class Facts:
    name: str
    capability: tuple[int, int]

    @property
    def integrated(self) -> bool:
        return self.name.startswith(("Orin", "Thor"))


@dataclass
class FakeStream:
    queue: list[Callable[[], None]] = field(default_factory=list)
    recording: list[Callable[[], None]] | None = None
    broken: bool = False


def facts() -> Facts | None:
    told = os.environ.get("FAKE_GPU", "Orin:8.7")
    if told == "none":
        return None
    name, _, capability = told.rpartition(":")
    major, minor = capability.split(".")
    return Facts(name, (int(major), int(minor)))


def faults() -> set[str]:
    """What is to go wrong, of FAKE_FAULT: names separated by commas."""
    return {word for word in os.environ.get("FAKE_FAULT", "").split(",") if word}


_device: dict[int, np.ndarray] = {}
_pinned: dict[int, np.ndarray] = {}
_streams: dict[int, FakeStream] = {}


def allocate(size: int) -> int:
    if "oom" in faults() or size > FREE:
        raise Wrong("cudaErrorMemoryAllocation")
    block = np.full(size, 0xAB, dtype=np.uint8)
    _device[block.ctypes.data] = block
    return block.ctypes.data


def free(address: int) -> None:
    if _device.pop(address, None) is None:
        raise Wrong("cudaErrorInvalidValue")


def pin(size: int) -> np.ndarray:
    block = np.full(size, 0xCD, dtype=np.uint8)
    _pinned[block.ctypes.data] = block
    return block


def unpin(address: int) -> None:
    if _pinned.pop(address, None) is None:
        raise Wrong("cudaErrorInvalidValue")


def held() -> int:
    """What has not been given back."""
    return len(_device) + len(_pinned) + len(_streams)


def device_bytes(address: int, size: int) -> np.ndarray:
    for start, block in _device.items():
        if start <= address and address + size <= start + block.nbytes:
            return block[address - start : address - start + size]
    raise Wrong("cudaErrorIllegalAddress")


def host_bytes(address: int, size: int) -> np.ndarray:
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))


def open_stream() -> int:
    handle = 0x1000 + 16 * len(_streams)
    while handle in _streams:
        handle += 16
    _streams[handle] = FakeStream()
    return handle


def stream(handle: int) -> FakeStream:
    if handle not in _streams:
        raise Wrong("cudaErrorInvalidResourceHandle")
    return _streams[handle]


def close_stream(handle: int) -> None:
    wait(handle)
    del _streams[handle]


def submit(handle: int, work: Callable[[], None]) -> None:
    found = stream(handle)
    (found.queue if found.recording is None else found.recording).append(work)


def copy(handle: int, target: int, source: int, size: int, *, up: bool) -> None:
    def work() -> None:
        if up:
            device_bytes(target, size)[:] = host_bytes(source, size)
        else:
            host_bytes(target, size)[:] = device_bytes(source, size)

    device_bytes(target if up else source, size)
    submit(handle, work)


def wait(handle: int) -> None:
    found = stream(handle)
    if found.recording is not None:
        found.broken = True
        raise Wrong("cudaErrorStreamCaptureUnsupported")
    queued, found.queue = found.queue, []
    for work in queued:
        work()


def begin_recording(handle: int) -> None:
    if "no-graphs" in faults():
        raise Wrong("cudaErrorStreamCaptureUnsupported")
    stream(handle).recording = []


def end_recording(handle: int) -> list[Callable[[], None]]:
    found = stream(handle)
    work, broken = found.recording, found.broken
    found.recording, found.broken = None, False
    if broken or work is None:
        raise Wrong("cudaErrorStreamCaptureInvalidated")
    return work


def launch(handle: int, recorded: list[Callable[[], None]]) -> None:
    for work in recorded:
        submit(handle, work)
