"""Augmentation: what it may do to a crop, and that a key decides all of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personvit.core.preprocess import Preprocess
from personvit.train.augment import augmented, erased_rectangle, shifted
from personvit.train.keyed import Purpose, generator
from personvit.train.recipe import Augment

HEIGHT, WIDTH = 32, 16


def crop(seed=0):
    return np.random.default_rng(seed).integers(1, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 12), st.sampled_from([0.0, 1.0]))
def test_a_shift_is_the_padded_crop_seen_through_a_window(seed, pad, flip):
    image = crop()
    moved = shifted(image, np.random.default_rng(seed), Augment(flip=flip, pad=pad))
    padded = np.pad(image[:, ::-1] if flip else image, ((pad, pad), (pad, pad), (0, 0)))
    windows = (
        padded[top : top + HEIGHT, left : left + WIDTH]
        for top in range(2 * pad + 1)
        for left in range(2 * pad + 1)
    )
    assert any(np.array_equal(moved, window) for window in windows)


def test_every_shift_is_equally_likely():
    image, settings_ = crop(), Augment(flip=0, pad=1)
    rng = np.random.default_rng(0)
    seen = {shifted(image, rng, settings_).tobytes() for _ in range(300)}
    assert len(seen) == 9


def test_erasing_covers_the_published_areas_and_stays_inside():
    rng, settings_ = np.random.default_rng(0), Augment()
    found = [erased_rectangle(rng, settings_, 256, 128) for _ in range(4000)]
    boxes = [box for box in found if box is not None]
    assert len(boxes) / len(found) == pytest.approx(0.5, abs=0.03)
    areas = [box.height * box.width / (256 * 128) for box in boxes]
    assert 0.019 < min(areas) < 0.03
    assert 0.31 < max(areas) < 0.335
    for box in boxes:
        assert 0 <= box.top <= 256 - box.height
        assert 0 <= box.left <= 128 - box.width
        assert 0.28 < box.height / box.width < 3.6


def test_what_is_erased_is_unit_noise_in_the_normalised_image():
    flat = np.full((256, 128, 3), 128, dtype=np.uint8)
    settings_ = Augment(flip=0, pad=0, erase=1)
    image = augmented(flat, np.random.default_rng(3), settings_, Preprocess())
    noise = image[image != image[0, 0, 0]]
    assert len(noise) > 500
    assert abs(noise.mean()) < 0.1
    assert noise.std() == pytest.approx(1, abs=0.1)


def test_without_augmentation_it_is_the_reference_preprocessing():
    off = Augment(flip=0, pad=0, erase=0)
    preprocess = Preprocess(height=HEIGHT, width=WIDTH)
    found = augmented(crop(), np.random.default_rng(0), off, preprocess)
    assert np.array_equal(found, preprocess(crop()))


def test_a_key_decides_everything_and_keys_do_not_share_numbers():
    def numbers(seed, purpose, epoch, index):
        return tuple(generator(seed, purpose, epoch, index).random(4))

    keys = [
        (seed, purpose, epoch, index)
        for seed in (0, 1)
        for purpose in Purpose
        for epoch in (1, 2)
        for index in (0, 1, 2)
    ]
    assert len({numbers(*key) for key in keys}) == len(keys)
    assert numbers(*keys[0]) == numbers(*keys[0])
