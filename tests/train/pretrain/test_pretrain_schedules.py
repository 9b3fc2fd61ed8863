"""The schedules, step by step, against the published arrays."""

import numpy as np
import pytest

from personvit.train.pretrain.recipe_files import load_recipe
from personvit.train.pretrain.schedules import Moment, Schedules

STEPS = 7


def published(base, final, epochs, warm_epochs=0):
    """The array that DINO and iBOT make before their first step."""
    warm = np.linspace(0, base, warm_epochs * STEPS)
    steps = np.arange(epochs * STEPS - len(warm))
    falling = final + 0.5 * (base - final) * (1 + np.cos(np.pi * steps / len(steps)))
    return np.concatenate([warm, falling])


@pytest.mark.parametrize("warm", [0, 1, 10])
def test_every_step_of_a_run(warm):
    recipe = load_recipe(
        "personvit-small", ["schedule.epochs=40", f"schedule.warmup_epochs={warm}"]
    )
    schedules = Schedules(recipe)
    found = [schedules.at(Moment(step, STEPS)) for step in range(40 * STEPS)]
    peak = 5e-4 * 1024 / 256
    np.testing.assert_allclose([at.lr for at in found], published(peak, 1e-6, 40, warm))
    np.testing.assert_allclose([at.weight_decay for at in found], published(0.04, 0.4, 40))
    np.testing.assert_allclose([at.momentum for at in found], published(0.996, 1, 40))
    heat = np.concatenate([np.linspace(0.04, 0.07, 30), np.full(10, 0.07)]).repeat(STEPS)
    np.testing.assert_allclose([at.temperature for at in found], heat)
    np.testing.assert_allclose([at.patch_temperature for at in found], heat)
    assert [at.frozen_last_layer for at in found] == [True] * STEPS + [False] * 39 * STEPS


def test_epochs_count_from_one():
    assert [Moment(step, 4).epoch for step in (0, 3, 4, 11)] == [1, 1, 2, 3]


@pytest.mark.parametrize("warm", [0, 1, 2])
def test_short_warm_ups_of_the_temperature(warm):
    recipe = load_recipe("personvit-small", [f"teacher.temperature_warmup_epochs={warm}"])
    heat = [Schedules(recipe).at(Moment(epoch, 1)).temperature for epoch in range(3)]
    expected = np.concatenate([np.linspace(0.04, 0.07, warm), np.full(3 - warm, 0.07)])
    np.testing.assert_allclose(heat, expected)


def test_the_patches_temperature_waits_for_the_masks():
    recipe = load_recipe(
        "personvit-small", ["masks.start_epoch=3", "teacher.temperature_warmup_epochs=4"]
    )
    found = [Schedules(recipe).at(Moment(epoch, 1)) for epoch in range(9)]
    heat = np.concatenate([np.full(3, 0.04), np.linspace(0.04, 0.07, 4), np.full(2, 0.07)])
    np.testing.assert_allclose([at.patch_temperature for at in found], heat)
    assert found[4].temperature == pytest.approx(0.07)
