"""Interleaved timing, by a clock that the test moves: nothing here depends on this machine."""

from __future__ import annotations

import json

import numpy as np
import pytest

from personvit.benchmark.latency import WARM_UP, race
from personvit.core.errors import ConfigError


class Workshop:
    """Contenders that take a known time on a clock of their own; the whole shop slows down."""

    def __init__(self) -> None:
        self.now = 0.0
        self.drift = 1.0
        self.visits: list[str] = []

    def contender(self, name: str, seconds: float):
        def call(crops: np.ndarray) -> None:
            self.visits.append(name)
            self.drift *= 1.001
            self.now += seconds * len(crops) * self.drift

        return call

    def race(self, rounds: int, **options):
        shop = {"fp32": self.contender("fp32", 0.012), "int8": self.contender("int8", 0.004)}
        batches = {size: np.zeros((size, 4)) for size in (1, 8)}
        clocks = {"wall": lambda: self.now, "cpu": lambda: 2 * self.now}
        return race(shop, batches, rounds=rounds, **clocks, **options)


def test_drift_of_the_machine_does_not_reach_the_ratio() -> None:
    found = Workshop().race(50)
    assert [each.batch for each in found.speedups] == [1, 8]
    for each in found.speedups:
        assert (each.name, each.over, each.rounds) == ("int8", "fp32", 50)
        assert each.median == pytest.approx(3.0, rel=0.01)
        assert each.low <= each.median <= each.high
    drifted = found.timings
    assert drifted[2].per_crop > 1.2 * drifted[0].per_crop


def test_contenders_take_turns_and_the_first_call_of_a_visit_is_not_counted() -> None:
    shop = Workshop()
    found = shop.race(2, calls=3)
    visits = shop.visits[2 * WARM_UP : 2 * WARM_UP + 16]
    order = ["fp32", "int8", "int8", "fp32"]
    assert visits == [name for name in order for _ in range(4)]
    assert [each.calls for each in found.timings] == [6, 6, 6, 6]


def test_a_99th_percentile_needs_a_hundred_calls() -> None:
    few, many = Workshop().race(10), Workshop().race(40)
    assert few.timings[0].p99 is None
    timing = many.timings[0]
    assert timing.median < timing.p90 < timing.p99
    assert timing.cpu == pytest.approx(2 * timing.median, rel=0.1)


def test_machine_and_load_are_part_of_the_result() -> None:
    document = json.loads(json.dumps(Workshop().race(2).as_json()))
    assert document["machine"]["cores"] >= 1
    assert {"load_average_before", "load_average_after"} <= set(document)
    assert "3.0" in Workshop().race(2).as_text()


def test_what_cannot_be_timed_is_refused() -> None:
    one = {"fp32": lambda crops: None}
    with pytest.raises(ConfigError, match="baseline 'int8'"):
        race(one, {1: np.zeros((1, 4))}, baseline="int8")
    with pytest.raises(ConfigError, match="batch of 8 holds 4"):
        race(one, {8: np.zeros((4, 4))})
    with pytest.raises(ConfigError, match="0 rounds"):
        race(one, {1: np.zeros((1, 4))}, rounds=0)
    with pytest.raises(ConfigError, match="none of the contenders"):
        race({}, {1: np.zeros((1, 4))})
