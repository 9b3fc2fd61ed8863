"""The runtime API of cuda-python: every call answers a tuple that begins with its error code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import fake_gpu

cudaStreamNonBlocking = 1


class cudaError_t(IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorInvalidDevice = 101
    cudaErrorInvalidResourceHandle = 400
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


class cudaMemcpyKind(IntEnum):
    cudaMemcpyHostToHost = 0
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2
    cudaMemcpyDeviceToDevice = 3


class cudaStreamCaptureMode(IntEnum):
    cudaStreamCaptureModeGlobal = 0
    cudaStreamCaptureModeThreadLocal = 1
    cudaStreamCaptureModeRelaxed = 2


def _answers(count: int) -> Callable[[Callable[..., Any]], Callable[..., tuple[Any, ...]]]:
    """A call with so many results; where it fails, they are None."""

    def wrap(call: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
        @functools.wraps(call)
        def answering(*given: Any) -> tuple[Any, ...]:
            try:
                result = call(*given)
            except fake_gpu.Wrong as problem:
                return (cudaError_t[str(problem)], *([None] * count))
            return (cudaError_t.cudaSuccess, *(result if count > 1 else [result] * count))

        return answering

    return wrap


def _present() -> fake_gpu.Facts:
    found = fake_gpu.facts()
    if found is None:
        raise fake_gpu.Wrong("cudaErrorNoDevice")
    if "old-driver" in fake_gpu.faults():
        raise fake_gpu.Wrong("cudaErrorInsufficientDriver")
    return found


@_answers(1)
def cudaGetDeviceCount():
    _present()
    return 1


@_answers(1)
def cudaGetDevice():
    _present()
    return 0


@_answers(0)
def cudaSetDevice(device):
    if device:
        raise fake_gpu.Wrong("cudaErrorInvalidDevice")


@_answers(1)
def cudaGetDeviceProperties(device):
    found = _present()
    major, minor = found.capability
    name = found.name.encode().ljust(256, b"\0")
    return SimpleNamespace(name=name, major=major, minor=minor, integrated=int(found.integrated))


@_answers(2)
def cudaMemGetInfo():
    return fake_gpu.FREE, fake_gpu.TOTAL


@_answers(1)
def cudaMalloc(size):
    return fake_gpu.allocate(size)


@_answers(0)
def cudaFree(address):
    fake_gpu.free(address)


@_answers(1)
def cudaMallocHost(size):
    return fake_gpu.pin(size).ctypes.data


@_answers(0)
def cudaFreeHost(address):
    fake_gpu.unpin(address)


@_answers(1)
def cudaStreamCreateWithFlags(flags):
    return fake_gpu.open_stream()


@_answers(0)
def cudaStreamDestroy(stream):
    fake_gpu.close_stream(stream)


@_answers(0)
def cudaStreamSynchronize(stream):
    fake_gpu.wait(stream)


@_answers(0)
def cudaMemcpyAsync(target, source, size, kind, stream):
    up = kind is cudaMemcpyKind.cudaMemcpyHostToDevice
    fake_gpu.copy(stream, target, source, size, up=up)


@_answers(0)
def cudaStreamBeginCapture(stream, mode):
    fake_gpu.begin_recording(stream)


@_answers(1)
def cudaStreamEndCapture(stream):
    return fake_gpu.end_recording(stream)


@_answers(1)
def cudaGraphInstantiate(graph, flags):
    return list(graph)


@_answers(0)
def cudaGraphLaunch(ready, stream):
    fake_gpu.launch(stream, ready)


@_answers(0)
def cudaGraphDestroy(graph):
    graph.clear()


@_answers(0)
def cudaGraphExecDestroy(ready):
    ready.clear()


def cudaGetErrorString(code):
    return cudaError_t.cudaSuccess, f"{code.name} (of a pretended device)".encode()
