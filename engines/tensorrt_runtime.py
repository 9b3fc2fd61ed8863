"""Runs plans of TensorRT and TensorRT-RTX: one engine for both, behind the common protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from queue import LifoQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError
from . import golden
from .base import BaseEngine, EngineInfo, EngineOptions, Tensors
from .device_memory import device_index, open_device
from .tensorrt_lane import Lane
from .tensorrt_load import Loaded, load
from .tensorrt_packages import PACKAGES
from .tensorrt_plan import Here, Plan

NOT_REPLAYED = "no golden crops came with this; open the bundle to check what it computes"


class TensorRtEngine(BaseEngine):
    """Precision is what the graph says: every tensor has its type, and nothing else is tried.

    Several plans are one model built for several batch sizes.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        here: Here,
        options: EngineOptions,
        replay: golden.Replay | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        computes = plans[-1].sidecar.model
        _refuse_precision(options.precision, computes.precision)
        self._here, self._precision = here, computes.precision
        self.preprocess = computes.preprocess
        self.inputs, self.outputs = computes.inputs, computes.outputs
        self._notes = notes if replay else (*notes, NOT_REPLAYED)
        self._lanes: LifoQueue[Lane] = LifoQueue()
        self._streams = options.streams
        with ExitStack() as opened:
            self._device = open_device(index_of(options))
            opened.callback(self._device.close)
            with self._device.current(), ExitStack() as held:
                self._set_up(plans, options, held)
                if replay is not None:
                    self._replay(replay)
                self._held = held.pop_all()
            self._opened = opened.pop_all()

    def info(self) -> EngineInfo:
        package = self._here.package
        return EngineInfo(
            runtime=package,
            versions={package: self._here.version, **dict([self._device.library])},
            device=self._here.gpu,
            instruction_set=f"sm_{self._here.capability.replace('.', '')}",
            precision=f"{self._precision}, as typed in the graph",
            thread_safety=f"several threads may call; batches run on {self._streams} stream(s), "
            "one after another on each",
            notes=self._notes,
        )

    def close(self) -> None:
        if self._closed:
            return
        super().close()
        for _ in range(self._streams):
            self._lanes.get()
        with self._device.current():
            self._held.close()
            del self._runtime
        self._opened.close()

    def _set_up(self, plans: Sequence[Plan], options: EngineOptions, held: ExitStack) -> None:
        trt = PACKAGES[self._here.package].module()
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        loaded = [load(self._runtime, plan, self._here) for plan in plans]
        self.layer_information = plans[-1].layers or loaded[-1].layers(trt)
        self.sizes = sizes_of(loaded, options)
        self.batch = self.sizes[-1]
        self._own_plan = tuple(one.most for one in loaded)
        for _ in range(self._streams):
            lane = Lane(trt, self._device, loaded, self.sizes)
            held.callback(lane.close)
            self._lanes.put(lane)
        if lane.note:
            self._notes += (lane.note,)

    def _replay(self, replay: golden.Replay) -> None:
        """At one crop and at the largest batch, and at each size that has a plan of its own."""
        name = PACKAGES[self._here.package].title
        between = (size for size in self._own_plan if 1 < size < self.batch)
        for size in sorted({self.batch, *between}):
            golden.check(self.embed, replay, size, name)

    def _run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        count = len(next(iter(feeds.values())))
        found = {
            spec.name: np.empty((count, *(size or 0 for size in spec.shape[1:])), spec.dtype)
            for spec in self.outputs
        }
        if not count:
            return found
        with self._lane() as lane:
            for start, stop in self._chunks(count):
                lane.run(_rows(feeds, start, stop), _rows(found, start, stop))
        return found

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        """A stream of the caller's own, as soon as one is idle."""
        lane = self._lanes.get()
        try:
            with self._device.current():
                yield lane
        finally:
            self._lanes.put(lane)


def sizes_of(loaded: Sequence[Loaded], options: EngineOptions) -> tuple[int, ...]:
    """The batch sizes that are run; any other is padded to the next of them."""
    if len(loaded) > 1 or loaded[0].least == loaded[0].most:
        return tuple(sorted(one.most for one in loaded))
    least, most = loaded[0].least, min(options.batch, loaded[0].most)
    asked = options.buckets or tuple(2**power for power in range(most.bit_length()))
    return tuple(sorted({most, *(size for size in asked if least <= size <= most)}))


def index_of(options: EngineOptions) -> int:
    index = device_index(options.device)
    if index is None:
        raise ConfigError(f"device {options.device!r} is not offered here; give cuda or cuda:1")
    return index


def _rows(tensors: Tensors, start: int, stop: int) -> dict[str, NDArray[Any]]:
    return {name: values[start:stop] for name, values in tensors.items()}


def _refuse_precision(asked: str | None, given: str) -> None:
    if asked not in (None, given):
        raise ConfigError(
            f"this plan was built from an {given} graph and runs every tensor in the type that the "
            f"graph gives it; build one from an {asked} graph to run {asked}"
        )
