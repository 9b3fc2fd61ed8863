"""A network small enough for many steps in a test, and batches of random pixels for it."""

import numpy as np
import pytest
import torch

from personvit.core.models.config import ModelConfig
from personvit.train.distributed import World
from personvit.train.pretrain.batch import PretrainBatch
from personvit.train.pretrain.masks import Masker
from personvit.train.pretrain.recipe_files import load_recipe
from personvit.train.pretrain.schedules import Moment
from personvit.train.pretrain.step import Pretrainer

SMALL = (
    "input.height=64", "input.width=32", "views.local_height=32", "views.local_width=16",
    "views.local_count=3", "head.outputs=40", "head.hidden=24", "head.bottleneck=8",
    "masks.ratio=[0.0, 0.4]", "masks.variance=[0.0, 0.2]", "masks.shape=random",
    "teacher.temperature_warmup_epochs=2", "batch.size=4", "optimiser.lr=0.1",
    "head.frozen_epochs=0", "schedule.epochs=2", "schedule.warmup_epochs=0",
)  # fmt: skip


def small_recipe(*changes):
    return load_recipe("personvit-small", [*SMALL, *changes])


def small_config(**changes):
    settings = {"width": 32, "depth": 3, "heads": 2, "height_px": 64, "width_px": 32}
    return ModelConfig(**{**settings, "neck": "none", "drop_path": 0.4, **changes})


def made_batch(recipe, images, slots, seed=0):
    """Every image's numbers are its own, so that a batch's halves are batches."""
    masker, views = Masker(recipe), recipe.views
    made = []
    for image in range(images):
        numbers = np.random.default_rng([seed, image])
        torch.manual_seed(seed * 1000 + image)
        made.append(
            (
                torch.randn(2, 3, recipe.input.height, recipe.input.width),
                torch.randn(views.local_count, 3, views.local_height, views.local_width),
                torch.from_numpy(np.stack([masker.draw(numbers, 1) for _ in range(2)])),
                torch.rand(2 + views.local_count, slots),
            )
        )
    return PretrainBatch(*(torch.stack(parts, dim=1) for parts in zip(*made, strict=True)))


def made_pretrainer(recipe, config=None, world=None, **settings):
    world = world or World(torch.device("cpu"))
    return Pretrainer(config or small_config(), recipe, world, 0, **settings)


def share(batch, rank, size, parts=2):
    """One process's images of a batch, in parts."""
    count = len(batch) // size
    part = count // parts
    tensors = (batch.globals, batch.locals, batch.masks, batch.drop_path)
    return [
        PretrainBatch(*(tensor[:, start : start + part] for tensor in tensors))
        for start in range(rank * count, (rank + 1) * count, part)
    ]


def learn(world):
    """What one process finds in three steps of four images, and where it then stands."""
    recipe = small_recipe()
    pretrainer = made_pretrainer(recipe, world=world)
    found = []
    for step in range(3):
        batch = made_batch(recipe, 4, pretrainer.drop_path_slots, step)
        losses = pretrainer(share(batch, world.rank, world.size), Moment(step, 2))
        values = {name: value for name, value in vars(losses).items() if name != "now"}
        gradients = {
            name: parameter.grad.clone()
            for name, parameter in pretrainer.student.named_parameters()
        }
        found.append({"losses": values, "gradients": gradients})
    return found, pretrainer.state()


@pytest.fixture(name="learn", scope="session")
def learn_fixture():
    return learn


@pytest.fixture(name="small_recipe", scope="session")
def small_recipe_fixture():
    return small_recipe


@pytest.fixture(name="small_config", scope="session")
def small_config_fixture():
    return small_config


@pytest.fixture(name="made_batch", scope="session")
def made_batch_fixture():
    return made_batch


@pytest.fixture(name="made_pretrainer", scope="session")
def made_pretrainer_fixture():
    return made_pretrainer
