"""What the losses of a stretch of steps were on average, summed where they were computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core.errors import UserError


class DivergedError(UserError):
    """The loss is not a number any more."""


@dataclass
class Means:
    """Running sums on the device; reading them is the only wait for a GPU."""

    names: tuple[str, ...]
    sums: Tensor
    count: int = 0

    @classmethod
    def of(cls, names: tuple[str, ...], device: torch.device) -> Means:
        return cls(names, torch.zeros(len(names), device=device))

    def add(self, values: Sequence[Tensor]) -> None:
        self.sums += torch.stack([value.detach().float() for value in values])
        self.count += 1

    def read(self) -> dict[str, float]:
        values = (self.sums / max(self.count, 1)).tolist()
        return dict(zip(self.names, values, strict=True))

    def finite(self, where: str, mend: str) -> dict[str, float]:
        """The means, or a DivergedError when one of them is no number."""
        values = self.read()
        for name, value in values.items():
            if not math.isfinite(value):
                raise DivergedError(f"the {name.replace('_', ' ')} became {value} {where}. {mend}")
        return values

    def clear(self) -> None:
        self.sums.zero_()
        self.count = 0

    def state(self) -> dict[str, Any]:
        return {"sums": self.sums.cpu().clone(), "count": self.count}

    def restore(self, state: dict[str, Any]) -> None:
        self.sums.copy_(state["sums"])
        self.count = state["count"]
