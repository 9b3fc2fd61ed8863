"""Every image once per epoch, whatever the length, and near ones near each other where asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personvit.core.data.pool.permutation import Permutation
from personvit.core.errors import ConfigError
from personvit.train.pretrain.order import MIXED, Order

LENGTHS = st.integers(1, 3000)
SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=60)
@given(length=LENGTHS, seed=SEEDS, epoch=st.integers(1, 400), locality=st.integers(0, 200))
def test_every_image_comes_once_per_epoch(length, seed, epoch, locality):
    order = Order(length, seed, locality)
    taken = order.many(epoch, np.arange(length))
    assert sorted(taken) == list(range(length))


@settings(max_examples=40)
@given(length=LENGTHS, seed=SEEDS, locality=st.integers(0, 50), data=st.data())
def test_one_place_at_a_time_is_the_same_order(length, seed, locality, data):
    order = Order(length, seed, locality)
    place = data.draw(st.integers(0, length - 1))
    assert order.at(3, place) == order.many(3, np.arange(length))[place]


def test_epochs_and_seeds_differ():
    orders = [Order(500, seed).many(epoch, np.arange(500)) for seed in (0, 1) for epoch in (1, 2)]
    for number, one in enumerate(orders):
        for other in orders[number + 1 :]:
            assert (one == other).mean() < 0.05


def test_places_say_nothing_about_indices():
    """Pairs of neighbours and the order itself look like those of a random shuffle."""
    length = 20_000
    taken = Order(length, 7).many(1, np.arange(length))
    assert abs(np.corrcoef(np.arange(length), taken)[0, 1]) < 0.03
    assert abs(np.corrcoef(taken[:-1], taken[1:])[0, 1]) < 0.03
    counts = np.histogram2d(np.arange(length), taken, bins=10)[0]
    expected = length / 100
    assert ((counts - expected) ** 2 / expected).sum() < 150  # chi-squared, 81 degrees: mean 81


def test_a_window_reads_few_places_of_a_large_pool():
    locality, length = 64, 4_180_243
    order = Order(length, 5, locality)
    window = np.sort(order.many(2, np.arange(locality * MIXED)))
    stretches = 1 + int((np.diff(window) > 1).sum())
    assert stretches <= MIXED + 1
    far = order.many(2, np.array([length - 1]))
    assert 0 <= far[0] < length


def test_what_is_left_over_changes_with_the_epoch():
    order = Order(1000, 0, 300)
    last = [set(order.many(epoch, np.arange(900, 1000)).tolist()) for epoch in range(1, 5)]
    assert len(set.intersection(*last)) < 60


@given(length=st.integers(1, 400), key=st.tuples(SEEDS, SEEDS))
def test_permutation_is_a_bijection(length, key):
    assert sorted(Permutation(length, key)(np.arange(length))) == list(range(length))


def test_no_images_is_an_error():
    with pytest.raises(ConfigError, match="needs images"):
        Order(0, 1)
