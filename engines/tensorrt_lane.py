"""One stream of a TensorRT engine, with all it needs to run a batch of any size it serves.

Every batch size in `sizes` has an execution context of its own with its shapes and addresses bound,
and, where the device can, its work recorded as a CUDA graph: the way NVIDIA asks for, since a graph
remembers the state of the context it was recorded from. They run one at a time and so share their
buffers and the compiler's scratch memory. A batch is padded to the next size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import EnvironmentMismatch
from .base import Tensors, TensorSpec
from .device_memory import Bytes, CannotCapture, Device, Recorded, Stream
from .tensorrt_load import Loaded

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Tensor:
    """An input or output in both memories, large enough for the largest batch."""

    spec: TensorSpec
    dtype: np.dtype[Any]
    """The engine's own, which need not be the declared one."""
    address: int
    pinned: Bytes

    def shape(self, count: int) -> tuple[int, ...]:
        return (count, *(size or 0 for size in self.spec.shape[1:]))

    def raw(self, count: int) -> Bytes:
        return self.pinned[: prod(self.shape(count)) * self.dtype.itemsize]

    def values(self, count: int) -> NDArray[Any]:
        return self.raw(count).view(self.dtype).reshape(self.shape(count))


class Bucket:
    """One batch size: a context bound to it, and its graph where there is one."""

    def __init__(
        self, size: int, context: Any, stream: Stream, inputs: list[Tensor], outputs: list[Tensor]
    ) -> None:
        self.size = size
        self.inputs = {one.spec.name: one.values(size) for one in inputs}
        self.outputs = {one.spec.name: one.values(size) for one in outputs}
        self._context, self._stream = context, stream
        self._up = [(one.address, one.raw(size)) for one in inputs]
        self._down = [(one.raw(size), one.address) for one in outputs]
        self._graph: Recorded | None = None

    def go(self) -> None:
        if self._graph is not None:
            self._graph.launch()
        else:
            self._queue()

    def record(self) -> None:
        """TensorRT finishes its set-up in the first run, which no graph may hold."""
        self._queue()
        self._stream.wait()
        self._graph = self._stream.record(self._queue)

    def close(self) -> None:
        if self._graph is not None:
            self._graph.close()
        del self._context

    def _queue(self) -> None:
        for address, values in self._up:
            self._stream.upload(address, values)
        if not self._context.execute_async_v3(self._stream.handle):
            raise EnvironmentMismatch(
                f"the device could not run a batch of {self.size}; its log says why"
            )
        for values, address in self._down:
            self._stream.download(values, address)


class Lane:
    """Not for two threads at once. Everything in it needs the device to be current."""

    def __init__(
        self, trt: Any, device: Device, loaded: Sequence[Loaded], sizes: Sequence[int]
    ) -> None:
        self.note = ""
        with ExitStack() as held:
            self._stream = device.stream()
            held.callback(self._stream.close)
            most = max(sizes)
            first = loaded[-1]
            self._tensors = {
                spec.name: _tensor(device, first, spec, most, held)
                for spec in (*first.inputs, *first.outputs)
            }
            scratch = max(one.scratch for one in loaded)
            self._scratch = device.allocate(max(scratch, 1))
            held.callback(device.free, self._scratch)
            self._buckets = [
                self._bucket(trt, next(one for one in loaded if one.takes(size)), size, held)
                for size in sorted(sizes)
            ]
            self._record()
            self._held = held.pop_all()

    def run(self, feeds: Tensors, found: Arrays) -> None:
        """One batch, no larger than the largest size; `found` is filled."""
        count = len(next(iter(feeds.values())))
        bucket = next(one for one in self._buckets if one.size >= count)
        for name, values in bucket.inputs.items():
            values[:count] = feeds[name]
            values[count:] = 0
        bucket.go()
        self._stream.wait()
        for name, values in found.items():
            values[...] = bucket.outputs[name][:count]

    def close(self) -> None:
        self._held.close()

    def _bucket(self, trt: Any, loaded: Loaded, size: int, held: ExitStack) -> Bucket:
        context = loaded.context(trt, self._scratch)
        for spec in loaded.inputs:
            # Answers False instead of raising, and a wrong shape then runs with the old one.
            if not context.set_input_shape(spec.name, self._tensors[spec.name].shape(size)):
                raise EnvironmentMismatch(f"this plan does not take a batch of {size}")
        for name, tensor in self._tensors.items():
            if tuple(context.get_tensor_shape(name)) != tensor.shape(size):
                raise EnvironmentMismatch(
                    f"{name!r} has the shape {tuple(context.get_tensor_shape(name))} in this plan, "
                    f"not {tensor.shape(size)}; build it again"
                )
            if not context.set_tensor_address(name, tensor.address):
                raise EnvironmentMismatch(f"this plan has no tensor {name!r}; build it again")
        inputs = [self._tensors[spec.name] for spec in loaded.inputs]
        outputs = [self._tensors[spec.name] for spec in loaded.outputs]
        bucket = Bucket(size, context, self._stream, inputs, outputs)
        held.callback(bucket.close)
        return bucket

    def _record(self) -> None:
        try:
            for bucket in self._buckets:
                bucket.record()
        except CannotCapture as problem:
            self.note = f"runs without CUDA graphs: {problem}"


def _tensor(device: Device, loaded: Loaded, spec: TensorSpec, most: int, held: ExitStack) -> Tensor:
    dtype = loaded.dtype(spec.name)
    size = max(1, most * prod(size or 0 for size in spec.shape[1:]) * dtype.itemsize)
    address = device.allocate(size)
    held.callback(device.free, address)
    pinned = device.pinned(size)
    held.callback(device.unpin, pinned)
    return Tensor(spec, dtype, address, pinned)
