"""What training starts from: given weights, drawn ones, or a point between the two."""

import pytest
import torch

from personvit.core.models.config import ModelConfig
from personvit.core.models.native import save_native
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.train.new_model import NewOptions, new_model
from personvit.train.recipe_files import load_recipe
from personvit.train.start import origin, starting_model, training_config

SIZE = ("input.height=64", "input.width=32")


@pytest.fixture
def start(tmp_path):
    torch.manual_seed(5)
    model = build(ModelConfig(width=32, heads=2, depth=2, height_px=64, width_px=32))
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value))
    path = tmp_path / "given.safetensors"
    save_native(path, model, Preprocess(64, 32), {})
    return origin(str(path), load_recipe("demo", SIZE))


@pytest.fixture
def begin(start):
    config = training_config(start, load_recipe("demo", SIZE), 4)
    return lambda share, seed=1: starting_model(start, config, seed, share).state_dict()


def test_a_share_lies_between_the_drawn_and_the_given(begin):
    given, nothing, third = begin(1.0), begin(0.0), begin(1 / 3)
    backbone = [name for name in given if name.startswith("backbone.")]
    matrices = [name for name in backbone if given[name].dim() > 1]
    assert matrices and len(matrices) < len(backbone)
    for name in matrices:
        torch.testing.assert_close(third[name], nothing[name].lerp(given[name], 1 / 3))
        assert not torch.equal(nothing[name], given[name])
    for name in set(backbone) - set(matrices):
        assert torch.equal(third[name], given[name])


def test_the_rest_is_drawn_by_the_seed(begin):
    one, again, other = begin(0.5), begin(0.5), begin(0.5, seed=2)
    name = "backbone.blocks.0.mlp.fc1.weight"
    assert torch.equal(one[name], again[name])
    assert not torch.equal(one[name], other[name])


def test_a_share_of_the_random_numbers_of_the_same_seed_changes_nothing(tmp_path):
    """So one recipe treats a pre-trained start and the one it began with alike."""
    path = tmp_path / "new.safetensors"
    new_model(NewOptions("vit_pico_16", size="64x32", seed=3, out=path))
    start = origin(str(path), load_recipe("demo", SIZE))
    config = training_config(start, load_recipe("demo", SIZE), 4)
    whole, part = (starting_model(start, config, 3, share).state_dict() for share in (1, 0.3))
    for name in whole:
        torch.testing.assert_close(part[name], whole[name], rtol=0, atol=1e-7)
