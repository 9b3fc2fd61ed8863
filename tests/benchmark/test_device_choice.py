"""The candidate to ship: the fastest that agrees, and never a rougher one for no gain."""

from __future__ import annotations

import pytest

from personvit.benchmark.device_choice import by_exactness, choose, pairs_to_time
from personvit.benchmark.latency import Latency, Speedup
from personvit.benchmark.report import Setting

NAMES = {"v-int8": "int8", "v-fp16": "fp16", "v-mixed": "mixed"}


def race_of(ratios: dict[tuple[str, str], list[tuple[float, float, float]]]) -> Latency:
    speedups = tuple(
        Speedup(name, over, 2**nth, median, low, high, 20)
        for (name, over), rows in ratios.items()
        for nth, (low, median, high) in enumerate(rows)
    )
    return Latency((), speedups, "v-fp16", Setting(), None)


def test_pairs_time_every_rougher_candidate_over_every_more_exact_one():
    names = by_exactness(NAMES)
    assert names == ("v-fp16", "v-mixed", "v-int8")
    assert pairs_to_time(names) == (
        ("v-mixed", "v-fp16"),
        ("v-int8", "v-fp16"),
        ("v-int8", "v-mixed"),
    )


def test_the_fastest_wins_when_it_is_clearly_faster():
    latency = race_of(
        {
            ("v-mixed", "v-fp16"): [(1.1, 1.2, 1.3), (1.2, 1.3, 1.4)],
            ("v-int8", "v-fp16"): [(1.3, 1.4, 1.5), (1.5, 1.6, 1.7)],
            ("v-int8", "v-mixed"): [(1.1, 1.17, 1.2), (1.1, 1.23, 1.3)],
        }
    )
    choice = choose(NAMES, latency)
    assert choice.name == "v-int8"
    assert "1.50x" in choice.sentence
    assert "v-fp16" in choice.sentence


def test_fp16_is_shipped_when_int8_is_slower_and_the_sentence_says_by_how_much():
    names = {"a-int8": "int8", "a-fp16": "fp16"}
    latency = race_of({("a-int8", "a-fp16"): [(0.95, 0.97, 0.99)]})
    choice = choose(names, latency)
    assert choice.name == "a-fp16"
    assert "Ship a-fp16: a-int8 is 3% slower" in choice.sentence


@pytest.mark.parametrize("row", [(0.9, 1.2, 1.5), (1.0, 1.01, 1.02)])
def test_a_gain_that_is_small_or_not_seen_in_most_rounds_does_not_count(row):
    names = {"a-int8": "int8", "a-fp16": "fp16"}
    choice = choose(names, race_of({("a-int8", "a-fp16"): [row]}))
    assert choice.name == "a-fp16"
    assert "gains nothing" in choice.sentence


def test_all_batch_sizes_count_alike():
    names = {"a-int8": "int8", "a-fp16": "fp16"}
    rows = [(0.78, 0.8, 0.82), (1.9, 2.0, 2.1)]
    choice = choose(names, race_of({("a-int8", "a-fp16"): rows}))
    assert choice.name == "a-int8"
    (gain,) = choice.gains
    assert gain.median == pytest.approx((0.8 * 2.0) ** 0.5)


def test_a_rougher_one_must_beat_the_best_so_far_not_only_the_most_exact():
    latency = race_of(
        {
            ("v-mixed", "v-fp16"): [(1.3, 1.4, 1.5)],
            ("v-int8", "v-fp16"): [(1.3, 1.4, 1.5)],
            ("v-int8", "v-mixed"): [(0.98, 1.0, 1.02)],
        }
    )
    assert choose(NAMES, latency).name == "v-mixed"


def test_an_only_candidate_is_said_to_be_one():
    choice = choose({"a-int8": "int8"}, None)
    assert choice.name == "a-int8"
    assert "only candidate" in choice.sentence
