"""Batches: identities meet as published, and the same way whenever the key is the same."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personvit.core.errors import DataError
from personvit.train.sampler import IdentitySampler, share


def sampler(crops_each, identities=2, images=4, seed=0):
    labels = np.repeat(np.arange(len(crops_each)), crops_each)
    labels = np.random.default_rng(1).permutation(labels)
    return IdentitySampler(labels.astype(np.int64), identities, images, seed)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 13), min_size=2, max_size=9),
    st.integers(2, 4),
    st.integers(2, 5),
    st.integers(0, 2**31),
)
def test_an_epoch_as_published(crops_each, identities, images, seed):
    if len(crops_each) < identities:
        identities = len(crops_each)
    given_ = sampler(crops_each, identities, images, seed)
    batches = given_.batches(1)
    groups = Counter()
    used = Counter()
    for batch in batches:
        assert len(batch) == identities * images
        labels = given_.labels[batch].reshape(identities, images)
        assert (labels == labels[:, :1]).all()
        assert len(set(labels[:, 0])) == identities
        groups.update(labels[:, 0].tolist())
        used.update(batch.tolist())
    for identity, crops in enumerate(crops_each):
        assert groups[identity] <= max(crops // images, 1)
        if crops >= images:
            mine = np.flatnonzero(given_.labels == identity)
            assert all(used[crop] <= 1 for crop in mine)
    unfinished = sum(
        groups[identity] < max(crops // images, 1) for identity, crops in enumerate(crops_each)
    )
    assert unfinished < identities


def test_the_same_key_gives_the_same_batches_and_another_epoch_others():
    first, again = sampler([9] * 6).batches(3), sampler([9] * 6).batches(3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, sampler([9] * 6).batches(4))
    assert not np.array_equal(first, sampler([9] * 6, seed=1).batches(3))


def test_shares_put_together_are_the_batch():
    batch = np.arange(12)
    assert np.array_equal(np.concatenate([share(batch, rank, 3) for rank in range(3)]), batch)


@pytest.mark.parametrize("people", [1, 3])
def test_too_few_identities_are_explained(people):
    with pytest.raises(DataError, match=rf"shows {people} identities.*batch\.identities="):
        sampler([8] * people, identities=4)
