"""Picks the candidate to ship: the fastest that agrees, and of two alike the more exact one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .latency import Latency, Speedup

CLEARLY = 1.02
"""A less exact candidate must be this much faster, and faster in nine rounds of ten."""

EXACTNESS = ("fp16", "mixed", "int8", "int8-attention")
"""Candidates by how much of the model they keep in higher precision, the most exact first."""


@dataclass(frozen=True)
class Gain:
    """How many times faster one candidate is than another, over all batch sizes asked for."""

    name: str
    over: str
    median: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        return self.median >= CLEARLY and self.low > 1.0

    def as_text(self) -> str:
        return f"{self.median:.2f}x [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Choice:
    name: str
    sentence: str
    gains: tuple[Gain, ...]


def by_exactness(candidates: Mapping[str, str]) -> tuple[str, ...]:
    """Variants, the most exact candidate first; `candidates` maps each to its own."""
    return tuple(sorted(candidates, key=lambda name: EXACTNESS.index(candidates[name])))


def pairs_to_time(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Every less exact candidate over every more exact one."""
    return tuple((fast, exact) for nth, exact in enumerate(names) for fast in names[nth + 1 :])


def choose(candidates: Mapping[str, str], latency: Latency | None) -> Choice:
    """`candidates` are those that agree: variant name -> candidate. Their race decides."""
    names = by_exactness(candidates)
    if len(names) == 1 or latency is None:
        only = names[0]
        return Choice(only, f"Ship {only}: it is the only candidate that can serve here.", ())
    gains = {pair: _gain(*pair, latency.speedups) for pair in pairs_to_time(names)}
    best = names[0]
    for name in names[1:]:
        if gains[name, best].clear:
            best = name
    return Choice(best, _sentence(best, names, gains), tuple(gains.values()))


def _gain(name: str, over: str, speedups: Sequence[Speedup]) -> Gain:
    found = [each for each in speedups if (each.name, each.over) == (name, over)]
    median, low, high = (
        math.exp(sum(math.log(value) for value in values) / len(values))
        for values in zip(*((one.median, one.low, one.high) for one in found), strict=True)
    )
    return Gain(name, over, median, low, high)


def _sentence(best: str, names: Sequence[str], gains: Mapping[tuple[str, str], Gain]) -> str:
    most_exact = names[0]
    if best != most_exact:
        gain = gains[best, most_exact]
        return f"Ship {best}: it agrees and is {gain.as_text()} as fast as {most_exact} here."
    fastest = max((gains[name, best] for name in names[1:]), key=lambda gain: gain.median)
    if fastest.median >= 1.0:
        how = f"{fastest.name} is only {fastest.as_text()} as fast"
    else:
        slower = 1 / fastest.median - 1
        how = f"{fastest.name} is {slower:.0%} slower ({fastest.as_text()})"
    return f"Ship {best}: {how} here, so giving up precision gains nothing."
