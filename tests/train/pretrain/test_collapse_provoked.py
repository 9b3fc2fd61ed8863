"""Runs that are made to collapse do, and are noticed; the same run left alone is not."""

import numpy as np
import pytest
import torch

from personvit.core.errors import CollapsedError
from personvit.core.models.config import ModelConfig
from personvit.train.distributed import World
from personvit.train.pretrain.batch import PretrainBatch
from personvit.train.pretrain.collapse import CollapseWatch, Limits
from personvit.train.pretrain.recipe import PretrainRecipe
from personvit.train.pretrain.schedules import Moment
from personvit.train.pretrain.step import Pretrainer

IMAGES, STEPS, OUTPUTS = 16, 60, 128
CONFIG = ModelConfig(width=32, depth=2, heads=2, height_px=32, width_px=32, neck="none")
SMALL = {
    "input": {"height": 32, "width": 32},
    "views": {"local_count": 1, "local_height": 16, "local_width": 16},
    "head": {"outputs": OUTPUTS, "hidden": 64, "bottleneck": 32, "frozen_epochs": 0},
    "teacher": {"momentum": 0.95, "temperature": 0.05, "temperature_warmup_epochs": 0},
    "optimiser": {"lr": 2e-3 * 256 / IMAGES, "weight_decay_end": 0.1},
    "schedule": {"epochs": 1, "warmup_epochs": 0.1},
    "batch": {"size": IMAGES},
}
HOT = {"temperature": 1.0, "temperature_start": 1.0}


def people(rng):
    """Crops of four colours from top to bottom, each seen lighter, darker and noisy."""
    colours = np.repeat(rng.uniform(-1, 1, (IMAGES, 4, 1, 3)), 8, axis=1).repeat(32, axis=2)

    def view(size):
        seen = colours[:, :: 32 // size, :: 32 // size] * rng.uniform(0.7, 1.3, (IMAGES, 1, 1, 3))
        noisy = seen + rng.normal(0, 0.2, seen.shape)
        return torch.tensor(noisy.transpose(0, 3, 1, 2), dtype=torch.float32)

    masks = torch.zeros(2, IMAGES, 4, dtype=torch.bool)
    masks[0, :, 1] = True
    views = torch.stack([view(32), view(32)]), view(16)[None]
    return PretrainBatch(*views, masks, torch.zeros(3, IMAGES, 0))


def train(**changes):
    sections = {name: {**SMALL.get(name, {}), **change} for name, change in changes.items()}
    recipe = PretrainRecipe.model_validate({**SMALL, **sections, "model": {"drop_path": 0.0}})
    trainer = Pretrainer(CONFIG, recipe, World(torch.device("cpu")), seed=0)
    watching = CollapseWatch(Limits(OUTPUTS, CONFIG.width), warmup=10, patience=30, every=5)
    rng = np.random.default_rng(0)
    for step in range(STEPS):
        losses = trainer([people(rng)], Moment(step, STEPS))
        watching.observe(step + 1, losses)
    return watching


def test_a_run_that_learns_is_left_alone():
    assert train().healthy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"teacher": HOT}, "uniform, .*lower teacher.temperature"),
        (
            {"teacher": {"centre_momentum": 1.0}, "optimiser": {"lr": 0.1 * 256 / IMAGES}},
            "one peak, .*teacher.centre_momentum",
        ),
        ({"optimiser": {"lr": 20.0 * 256 / IMAGES}}, "the same.*To mend it: "),
    ],
    ids=["not sharpened", "not centred", "rate too high"],
)
def test_a_run_without_what_holds_it_up_is_ended(changes, words):
    with pytest.raises(CollapsedError, match=words):
        train(**changes)
