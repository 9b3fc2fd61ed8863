"""The published learning rates, worked out by hand from their description."""

import math

import pytest

from personvit.train.recipe_files import load_recipe
from personvit.train.schedule import CosineSchedule
from personvit.train.session import schedule_of

LR = 4e-4


def published(epochs=120, warmup=20):
    return CosineSchedule(LR, epochs, warmup, 0.01 * LR, 0.002 * LR)


@pytest.mark.parametrize(
    ("epoch", "weights", "biases"),
    [
        # Epoch 1 runs at the common start; the warm-up then rises by a twentieth of the way.
        (1, 4e-6, 4e-6),
        (2, 4e-6 + (4e-4 - 4e-6) / 20, 4e-6 + (8e-4 - 4e-6) / 20),
        (11, 4e-6 + (4e-4 - 4e-6) / 2, 4e-6 + (8e-4 - 4e-6) / 2),
        # Epoch 21 enters the cosine where it is after 20 of 120 epochs: cos 30 degrees.
        (21, 8e-7 + (4e-4 - 8e-7) * (1 + math.sqrt(3) / 2) / 2, None),
        (61, 8e-7 + (4e-4 - 8e-7) / 2, 8e-7 + (8e-4 - 8e-7) / 2),
        (81, 8e-7 + (4e-4 - 8e-7) / 4, None),
        # The last epoch runs at time 119, not at the floor.
        (120, 8e-7 + (4e-4 - 8e-7) * (1 - math.cos(math.pi / 120)) / 2, None),
    ],
)
def test_epoch_rates(epoch, weights, biases):
    assert published().rate(1.0, epoch) == pytest.approx(weights, rel=1e-12)
    if biases is not None:
        assert published().rate(2.0, epoch) == pytest.approx(biases, rel=1e-12)


def test_the_rate_is_constant_within_a_published_epoch():
    assert published().rate(1.0, 30, progress=0.0) == published().rate(1.0, 30, progress=0.9)


def test_by_step_it_moves_within_the_epoch_and_meets_the_epoch_rates():
    smooth = CosineSchedule(LR, 120, 20, 0.01 * LR, 0.002 * LR, by_step=True)
    assert smooth.rate(1.0, 30) == published().rate(1.0, 30)
    assert smooth.rate(1.0, 30) > smooth.rate(1.0, 30, 0.5) > smooth.rate(1.0, 31)


@pytest.mark.parametrize(
    ("name", "warmup"),
    [
        ("personvit", 20),
        ("personvit-market1501", 20),
        ("personvit-market1501-base", 5),
        ("personvit-msmt17", 20),
        ("personvit-dukemtmc", 20),
        ("personvit-occluded-duke", 20),
        ("pass", 20),
    ],
)
def test_the_recipes_use_the_published_schedule(name, warmup):
    assert schedule_of(load_recipe(name)) == published(warmup=warmup)
