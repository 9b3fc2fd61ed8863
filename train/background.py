"""Checkpoints written by a thread: the step after a save does not wait for the disk."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import torch

from .checkpoints import Checkpoints, Payload


class BackgroundSaver:
    """One write at a time, of a copy; what went wrong in it is raised by the next call."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    def save(
        self, step: int, payload: Payload, facts: Mapping[str, Any], forget: bool = True
    ) -> None:
        """Copy the payload and begin to write it; waits for the write before, if any."""
        self.wait()
        write = self.checkpoints.save
        self._writing = self._thread.submit(write, step, copied(payload), facts, forget)

    def check(self) -> None:
        """Raise what a finished write met, without waiting for one that goes on."""
        if self._writing is not None and self._writing.done():
            self.wait()

    def wait(self) -> None:
        """Until the last write is whole."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def __enter__(self) -> BackgroundSaver:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A write that has begun is finished, however the run ends; a failed run has its own error.
        self._thread.shutdown(wait=True)
        if problem is None:
            self.wait()


def copied(value: Any) -> Any:
    """The same structure with tensors of its own in main memory."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(part) for part in value)
    return value
