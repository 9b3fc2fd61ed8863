"""The speed this project promises of its CPU engines, and whether a timed run keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .latency import Latency, Speedup

OURS = "openvino int8 (ours)"
FULL = "openvino fp32"
DEFAULT = "openvino default, fp32 graph"
ORT_INT8 = "onnxruntime int8 (ours)"
ORT_FULL = "onnxruntime fp32"
NNCF = "nncf transformer, mixed"
FLOOR = "bare int8 products"


@dataclass(frozen=True)
class Target:
    """The ratio `slow` / `fast` of times, and by batch size the least or the most it may be."""

    title: str
    fast: str
    slow: str
    bounds: Mapping[int, float]
    at_most: bool = False
    aim: str = ""

    def kept(self, ratio: float, batch: int) -> bool | None:
        """Nothing where no bound was set for this batch."""
        bound = self.bounds.get(batch)
        if bound is None:
            return None
        return ratio <= bound if self.at_most else ratio >= bound

    def as_text(self, batch: int) -> str:
        bound = self.bounds.get(batch)
        if bound is None:
            return "none"
        return f"{'<=' if self.at_most else '>='} {bound:g}{self.aim}"


TARGETS = (
    Target(f"{OURS} over {ORT_FULL}", OURS, ORT_FULL, {1: 2.5, 8: 3.0}),
    Target(f"{OURS} over {DEFAULT}", OURS, DEFAULT, {1: 1.4, 8: 1.4}),
    Target(f"{OURS} over {NNCF}", OURS, NNCF, {1: 0.97, 8: 0.97}),
    Target(f"time of {OURS} / {FLOOR}", FLOOR, OURS, {1: 1.8, 8: 1.8}, True, ", aim 1.5"),
    Target(f"{ORT_INT8} over {ORT_FULL}", ORT_INT8, ORT_FULL, {1: 1.6, 8: 1.6}),
)


@dataclass(frozen=True)
class Judged:
    """One target at one batch size; it is kept or not by the median of the rounds."""

    target: Target
    ratio: Speedup
    kept: bool | None

    def as_json(self) -> dict[str, Any]:
        known = asdict(self.ratio)
        bound = self.target.bounds.get(self.ratio.batch)
        return {"target": self.target.title, "bound": bound, "met": self.kept, **known}

    def as_row(self) -> tuple[str, ...]:
        ratio, said = self.ratio, {True: "met", False: "missed", None: ""}[self.kept]
        spread = f"{ratio.low:.2f} to {ratio.high:.2f}"
        wanted = self.target.as_text(ratio.batch)
        return (self.target.title, str(ratio.batch), f"{ratio.median:.2f}", spread, wanted, said)


def pairs_of(names: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(fast, slow) of every target whose two sides were timed."""
    both = ((target.fast, target.slow) for target in TARGETS)
    return tuple(pair for pair in both if pair[0] in names and pair[1] in names)


def judged(latency: Latency) -> tuple[Judged, ...]:
    """Every target at every batch size for which the run has a ratio."""
    return tuple(
        Judged(target, ratio, target.kept(ratio.median, ratio.batch))
        for target in TARGETS
        for ratio in latency.speedups
        if (ratio.name, ratio.over) == (target.fast, target.slow)
    )
