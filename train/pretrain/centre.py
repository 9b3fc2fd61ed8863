"""The running means of the teacher's scores, and what a step adds to them.

Everything that processes must agree on about a step's forward pass travels in one vector.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from ..distributed import World

NAMES = ("dino", "mim", "entropy", "masked", "images", "patches")


class Tally:
    """Sums over the images of a step, over all parts and processes of it."""

    def __init__(self, outputs: int, width: int, world: World) -> None:
        sizes = {
            **dict.fromkeys(NAMES, 1),
            "class_scores": outputs,
            "patch_scores": outputs,
            "shares": outputs,
            "features": width,
            "squares": width,
        }
        self._vector = torch.zeros(sum(sizes.values()), device=world.device)
        parts = torch.split(self._vector, list(sizes.values()))
        self._parts = dict(zip(sizes, parts, strict=True))
        self._world = world
        self._pending: Any = None

    def add(self, **sums: Tensor | float) -> None:
        for name, value in sums.items():
            self._parts[name] += value

    def send(self) -> None:
        """Start adding up over the processes; the backward pass need not wait for it."""
        if self._world.shared:
            self._pending = dist.all_reduce(self._vector, async_op=True)

    def arrive(self) -> None:
        if self._pending is not None:
            self._pending.wait()
            self._pending = None

    def __getitem__(self, name: str) -> Tensor:
        return self._parts[name]

    def mean(self, name: str, over: str = "images") -> Tensor:
        found: Tensor = self[name] / self[over].clamp(min=1)
        return found


class Centres:
    """One for class tokens and one for patches, both [K]."""

    def __init__(self, outputs: int, momentum: float, device: torch.device) -> None:
        self.momentum = momentum
        self.cls = torch.zeros(outputs, device=device)
        self.patch = torch.zeros(outputs, device=device)

    @torch.no_grad()
    def update(self, tally: Tally, bad: Tensor) -> None:
        """Move towards this step's means, unless the step is to leave no trace."""
        self._move(self.cls, tally.mean("class_scores"), ~bad)
        seen = tally["patches"] > 0
        self._move(self.patch, tally.mean("patch_scores", "patches"), ~bad & seen)

    def _move(self, centre: Tensor, mean: Tensor, wanted: Tensor) -> None:
        centre.copy_(torch.where(wanted, torch.lerp(mean, centre, self.momentum), centre))

    def state(self) -> dict[str, Tensor]:
        return {"cls": self.cls.clone(), "patch": self.patch.clone()}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.cls.copy_(state["cls"])
        self.patch.copy_(state["patch"])
