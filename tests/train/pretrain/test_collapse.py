"""A run that has collapsed ends with a sentence; one that learns is left alone."""

import math
from dataclasses import dataclass

import pytest
import torch

from personvit.core.errors import CollapsedError
from personvit.train.pretrain.collapse import CollapseWatch, Limits, watch_of
from personvit.train.pretrain.recipe import PretrainRecipe

LIMITS = Limits(outputs=1024, width=64)
MOST = math.log(1024)


@dataclass(frozen=True)
class Look:
    total: float = 8.0
    teacher_entropy: float = 3.0
    mean_entropy: float = 5.0
    feature_std: float = 0.1


HEALTHY = Look()
UNIFORM = Look(teacher_entropy=MOST - 0.001, mean_entropy=MOST)
PEAK = Look(teacher_entropy=0.01, mean_entropy=0.02)
EQUAL = Look(feature_std=0.001)


def watch(**changes):
    return CollapseWatch(LIMITS, **({"warmup": 20, "patience": 30, "every": 1} | changes))


def ended(watching, looks, start=0):
    step = start
    try:
        for look in looks:
            step += 1
            watching.observe(step, look)
    except CollapsedError as problem:
        return step, str(problem)
    return None


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (UNIFORM, ("uniform", "lower teacher.temperature")),
        (PEAK, ("one peak", "centre_momentum")),
        (EQUAL, ("features of all images", "lower optimiser.lr")),
        (Look(teacher_entropy=3.0, mean_entropy=3.001), ("same for every image", "optimiser.lr")),
    ],
)
def test_every_collapse_ends_after_its_patience_with_advice(look, words):
    step, said = ended(watch(), [HEALTHY] * 40 + [look] * 100)
    assert step == 41 + 30
    assert "since step 41" in said
    assert all(word in said for word in words)
    assert CollapsedError.exit_code == 1


def test_what_passes_by_ends_nothing():
    looks = ([HEALTHY] * 10 + [PEAK] * 25) * 8
    assert ended(watch(), looks) is None


def test_sharp_targets_that_differ_between_images_are_no_collapse():
    """Late in a good run the entropy is low too, but each image has its own peak."""
    assert ended(watch(), [Look(teacher_entropy=0.3, mean_entropy=4.0)] * 200) is None


def test_the_start_of_a_run_looks_collapsed_and_is_spared():
    assert ended(watch(warmup=100), [UNIFORM] * 100 + [HEALTHY] * 100) is None
    assert ended(watch(warmup=100), [UNIFORM] * 200)[0] == 101 + 30


def test_a_run_that_swings_between_constant_outputs_has_collapsed_all_along():
    step, _ = ended(watch(), [HEALTHY] * 30 + [PEAK, UNIFORM, EQUAL] * 20)
    assert step == 31 + 30


def test_no_checkpoint_is_good_while_there_is_a_sign():
    watching = watch()
    ended(watching, [HEALTHY] * 30)
    assert watching.healthy
    ended(watching, [PEAK], start=30)
    assert not watching.healthy
    ended(watching, [HEALTHY], start=31)
    assert watching.healthy


def test_a_resumed_run_ends_where_an_undisturbed_one_does():
    before, after = watch(), watch()
    ended(before, [HEALTHY] * 30 + [PEAK] * 10)
    after.restore(before.state())
    assert ended(after, [PEAK] * 100, start=40)[0] == 31 + 30


def test_only_every_so_many_steps_are_looked_at():
    looked = []

    class Counting(Look):
        def __getattribute__(self, name):
            if name == "total":
                looked.append(name)
            return super().__getattribute__(name)

    ended(watch(every=10), [Counting()] * 35)
    assert len(looked) == 3


def test_tensors_serve_as_well_as_numbers():
    look = Look(**{name: torch.tensor(value) for name, value in vars(PEAK).items()})
    assert ended(watch(), [look] * 100)[0] == 21 + 30


def test_a_recipe_says_how_long_to_wait():
    recipe = PretrainRecipe.model_validate({"schedule": {"epochs": 20, "warmup_epochs": 3}})
    watching = watch_of(recipe, steps_per_epoch=50)
    assert (watching.warmup, watching.limits.outputs, watching.limits.width) == (200, 8192, 384)
    only_patches = PretrainRecipe.model_validate({"loss": {"dino_weight": 0}})
    watching = watch_of(only_patches, steps_per_epoch=1)
    assert ended(watching, [Look(mean_entropy=3.0)] * 500) is None
