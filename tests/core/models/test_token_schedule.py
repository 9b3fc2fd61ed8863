"""Token schedules: which patches stay, in what order, and what a model refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from personvit.core.errors import CheckpointError, ConfigError
from personvit.core.models.config import ModelConfig
from personvit.core.models.lineage import lineage
from personvit.core.models.narrowing_block import kept_patches, strongest
from personvit.core.models.native import load_native, save_native
from personvit.core.models.registry import config_of
from personvit.core.models.token_schedule import parse_schedule, scaled
from personvit.core.models.upstream import to_upstream
from personvit.core.models.vit import ReidVit, build
from personvit.core.preprocess import Preprocess

SMALL = ModelConfig(width=64, depth=4, heads=2, height_px=64, width_px=64)
STEPS = ((1, 9), (3, 4))
LAYOUTS = {"cls": 1, "pass": 4, "cls-drop-patch": 1}


def lively(config: ModelConfig) -> ReidVit:
    """Random weights whose attention is far from even."""
    torch.manual_seed(0)
    model = build(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.add_(torch.randn_like(value) * (0.3 if "qkv" in name else 0.05))
    return model


def slowly(model: ReidVit, image: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
    """One image, block by block and patch by patch: its tokens at the end, and their places."""
    trunk, config = model.backbone, model.config
    x = trunk._pos_embed(trunk.patch_embed(image[None]))[0]
    first = LAYOUTS[config.tokens]
    places = list(range(len(x) - first))
    for index, block in enumerate(trunk.blocks):
        normed = block.norm1(x)
        query, key, value = block.attn.qkv(normed).chunk(3, dim=-1)
        size = config.width // config.heads
        shares, heads = torch.zeros(len(x)), []
        for head in range(config.heads):
            part = slice(head * size, (head + 1) * size)
            attention = (query[:, part] @ key[:, part].T / size**0.5).softmax(-1)
            shares += attention[0] / config.heads
            heads.append(attention @ value[:, part])
        x = x + block.attn.proj(torch.cat(heads, dim=-1))
        x = x + block.mlp(block.norm2(x))
        stay = dict(config.token_schedule).get(index + 1)
        if stay:
            order = sorted(range(len(places)), key=lambda one: -float(shares[first + one]))[:stay]
            places = [places[one] for one in order]
            x = torch.cat([x[:first], x[[first + one for one in order]]])
    return trunk.norm(x), places


@pytest.mark.parametrize("tokens", LAYOUTS)
def test_what_stays_is_what_the_class_token_attends_to(tokens):
    model = lively(replace(SMALL, tokens=tokens, token_schedule=STEPS))
    images = torch.rand(3, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        found = model.backbone(images)
        kept = kept_patches(model.backbone.blocks)
        assert found.shape == (3, LAYOUTS[tokens] + 4, 64)
        for image, ours, places in zip(images, found, kept, strict=True):
            wanted, grid = slowly(model, image)
            assert places.tolist() == grid
            assert torch.allclose(ours, wanted, atol=1e-4)


def test_equal_scores_go_by_their_place_in_the_grid():
    scores = torch.tensor([[0.1, 0.3, 0.1, 0.3, 0.1]])
    assert strongest(scores, 4).tolist() == [[1, 3, 0, 2]]


def test_kept_patches_are_differentiated_and_the_choice_is_not():
    model = lively(replace(SMALL, token_schedule=STEPS)).train()
    images = torch.rand(1, 3, 64, 64, requires_grad=True)
    model.backbone(images).square().sum().backward()
    assert all(
        value.grad is not None and value.grad.any()
        for name, value in model.backbone.named_parameters()
    )
    assert model.backbone.blocks[2].kept.requires_grad is False
    assert kept_patches(lively(SMALL).backbone.blocks) is None


def test_the_weights_are_those_of_a_model_without_a_schedule():
    plain, narrow = build(SMALL), build(replace(SMALL, token_schedule=STEPS))
    narrow.load_state_dict(plain.state_dict(), strict=True)
    assert lineage(plain) != lineage(narrow)
    with pytest.raises(CheckpointError, match="drops tokens"):
        to_upstream(narrow)


def test_a_file_and_the_registry_keep_the_schedule(tmp_path):
    config = config_of("vit_micro_16", depth=4, token_schedule=[[2, 64], [3, 32]])
    assert config.token_schedule == ((2, 64), (3, 32))
    assert config.tokens_by_block == (129, 129, 65, 33)
    model, path = lively(config), tmp_path / "narrow.safetensors"
    save_native(path, model, Preprocess(), {})
    loaded = load_native(path)
    assert loaded.config == config
    assert json.loads(json.dumps(config.to_dict())) == config.to_dict()
    images = torch.rand(2, 3, 256, 128)
    with torch.no_grad():
        assert torch.equal(loaded.model.embed(images), model.embed(images))


def test_written_forms():
    assert parse_schedule("4:96,8:64") == ((4, 96), (8, 64))
    assert parse_schedule("") == ()
    assert scaled(((4, 96), (8, 64)), 128, 32) == ((4, 24), (8, 16))
    for text in ("4", "4:96:1", "4:x", "4:96,", "-1:4"):
        with pytest.raises(ConfigError, match="4:96,8:64"):
            parse_schedule(text)


@pytest.mark.parametrize(
    ("tokens", "schedule", "sentence"),
    [
        ("mean", ((1, 9),), "no class token"),
        ("cls", ((0, 9),), "from 1 to at most 3"),
        ("cls", ((4, 9),), "from 1 to at most 3"),
        ("cls", ((2, 9), (2, 4)), "rise"),
        ("cls", ((1, 16),), "there are 16"),
        ("cls-drop-patch", ((1, 15),), "there are 15"),
        ("cls", ((1, 4), (2, 9)), "there are 4"),
        ("cls", ((1, 0),), "at least one"),
        ("cls", ((1,),), "two whole numbers"),
        ("cls", ((1, 9.0),), "two whole numbers"),
        ("cls", (3,), "pairs"),
    ],
)
def test_schedules_that_cannot_be_followed_are_refused(tokens, schedule, sentence):
    with pytest.raises(ConfigError, match=sentence):
        replace(SMALL, tokens=tokens, token_schedule=schedule)


def test_a_convolutional_trunk_has_nothing_to_drop():
    with pytest.raises(ConfigError, match="for transformers"):
        config_of("repvit_m1_0", token_schedule=((1, 4),))
