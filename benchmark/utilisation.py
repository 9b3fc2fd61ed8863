"""How much of a card's peak a training step uses: the operations it needs, over time and peak."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .roofline import for_device

TERA = 1e12

# NVIDIA's data sheets, without sparsity, in T operations per second of bfloat16; by what torch
# calls the card. H200 and the Orins are in roofline.py.
_DENSE = (
    (r"\bh100 (80gb hbm3|sxm)", 989.5),
    (r"\bh100 pcie\b", 756.5),
    (r"\bh100 nvl\b", 835.5),
    (r"\ba100\b", 312.0),
    (r"\bl4\b", 121.0),
)


@dataclass(frozen=True)
class Card:
    """Where steps were timed; `peak` is in T operations per second of half precision."""

    name: str
    peak: float | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the columns mean."""
        peak = (
            "This card's peak is not known here: say it with --peak."
            if self.peak is None
            else f"The peak is {self.peak:g} T operations a second, dense, in bfloat16."
        )
        return (
            "Operations are those that the method needs, of student (forward and backward) and "
            f"teacher, heads included, recomputed ones not. {peak} float32 has no share of it.",
            "Memory is what PyTorch's allocator gave out at the most.",
        )

    def share(self, flops: float, seconds: float) -> float | None:
        """The part of the peak that was reached; None where the peak is not known."""
        return None if self.peak is None else flops / seconds / (self.peak * TERA)


@dataclass(frozen=True)
class Usage:
    """What one loop makes of its card. iBOT's own does more work for the same step."""

    images_per_second: float
    tera: float
    share: float | None

    @property
    def row(self) -> tuple[str, ...]:
        share = "-" if self.share is None else f"{100 * self.share:.1f} %"
        return f"{self.images_per_second:.0f}", f"{self.tera:.1f}", share

    def as_json(self) -> dict[str, float | None]:
        return asdict(self)


COLUMNS = ("images/s", "T operations/s", "of the peak")


def usage(card: Card, batch: int, seconds: Mapping[str, float], flops: float) -> dict[str, Usage]:
    """Of each loop, by the seconds of its step; the work is the same for all."""
    return {
        name: Usage(
            batch / each,
            flops / each / TERA,
            None if "float32" in name else card.share(flops, each),
        )
        for name, each in seconds.items()
    }


def card_of(device: Mapping[str, Any], peak: float | None) -> Card:
    """`peak` is what the user says; without it the name decides, and an unknown card has none."""
    return Card(device["name"], peak or _known(device))


def _known(device: Mapping[str, Any]) -> float | None:
    name = device["name"].lower()
    if re.search(r"\bmig\b", name):
        return None  # a part of a card
    for pattern, dense in _DENSE:
        if re.search(pattern, name):
            return dense
    peaks = for_device(
        name,
        tuple(device.get("capability", ())) or None,
        memory=device.get("memory", 0),
        power_mode=device.get("power_mode"),
    )
    return None if peaks is None else peaks.tera["bf16"]
