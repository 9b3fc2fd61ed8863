"""Losses that are no numbers: noticed without waiting for the device at every step."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

from ..means import DivergedError


class Guard:
    """Takes a flag from the device at every step and raises as soon as a raised one is here.

    The step that raised it has done no harm: on the device, the optimiser and the centres leave
    such a step out, so that nothing takes up its numbers before they are noticed here.
    """

    def __init__(self) -> None:
        self._flags: deque[tuple[int, Tensor, torch.cuda.Event | None]] = deque()

    def watch(self, step: int, bad: Tensor) -> None:
        """`bad` is a bool of this step, which counts from 0."""
        arrived = None
        if bad.is_cuda:
            # Only into pinned memory is a copy something that nobody waits for.
            here = torch.empty_like(bad, device="cpu", pin_memory=True)
            bad = here.copy_(bad, non_blocking=True)
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record()
        self._flags.append((step, bad, arrived))
        self.look()

    def look(self, wait: bool = False) -> None:
        """Raise if a step that has been computed by now went wrong."""
        while self._flags:
            step, bad, arrived = self._flags[0]
            if arrived is not None and not arrived.query():  # type: ignore[no-untyped-call]
                if not wait:
                    return
                arrived.synchronize()
            self._flags.popleft()
            if bool(bad):
                raise DivergedError(
                    f"the loss or its gradients were no numbers at step {step + 1}; that step was "
                    "left out. Lower optimiser.lr or lengthen schedule.warmup_epochs; with "
                    "--amp fp16, use bf16"
                )
