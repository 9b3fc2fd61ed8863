"""The model family: tokens, shapes, necks, training details, impossible settings."""

from __future__ import annotations

import pytest
import timm
import torch

from personvit.core.errors import ConfigError
from personvit.core.models.config import ModelConfig
from personvit.core.models.registry import config_of, describe, names
from personvit.core.models.vit import build

SMALL = {"width": 128, "depth": 2, "heads": 2, "height_px": 64, "width_px": 32}


@pytest.mark.parametrize("name", names())
def test_every_architecture_embeds_any_multiple_of_its_patch(name):
    shallow = {} if config_of(name).convolutional else {"depth": 1}
    config = config_of(name, **shallow, height_px=96, width_px=32, classes=3)
    model = build(config).eval()
    with torch.no_grad():
        features = model(torch.randn(2, 3, 96, 32))
        embedding = model.embed(torch.randn(2, 3, 96, 32))
    assert features.before.shape == features.after.shape == (2, config.embedding)
    assert model.logits(features.after).shape == (2, 3)
    assert torch.allclose(embedding.norm(dim=1), torch.ones(2))
    assert describe(name)


def test_backbone_keys_are_those_of_timm():
    published = timm.create_model("vit_small_patch16_224", num_classes=0, img_size=(256, 128))
    ours = build(config_of("vit_small_16")).backbone.state_dict()
    theirs = published.state_dict()
    assert len(ours) == 150
    assert {key: value.shape for key, value in ours.items()} == {
        key: value.shape for key, value in theirs.items()
    }


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("vit_small_16", 129),
        ("pass_small_16", 132),
        ("vit_small_16_128_mean", 128),
        ("vit_small_16_128_drop", 128),
        ("vit_small_16_ics", 129),
    ],
)
def test_token_counts(name, tokens):
    config = config_of(name, depth=1)
    seen = []
    model = build(config).eval()
    model.backbone.blocks[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    with torch.no_grad():
        model(torch.randn(1, 3, 256, 128))
    assert seen[0].shape[1] == tokens == config.tokens_in_blocks


def test_the_dropped_patch_is_the_top_left_one():
    model = build(ModelConfig(**SMALL, tokens="cls-drop-patch")).eval()
    image = torch.randn(1, 3, 64, 32)
    corner, beside = image.clone(), image.clone()
    corner[:, :, :16, :16] = 0
    beside[:, :, :16, 16:] = 0
    with torch.no_grad():
        assert torch.equal(model.embed(image), model.embed(corner))
        assert not torch.equal(model.embed(image), model.embed(beside))


def test_drop_path_grows_linearly_with_depth():
    blocks = build(ModelConfig(**{**SMALL, "depth": 5}, drop_path=0.1)).backbone.blocks
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in blocks]
    assert rates == pytest.approx([0, 0.025, 0.05, 0.075, 0.1])


def test_the_bias_of_the_neck_stays_frozen():
    model = build(ModelConfig(**SMALL, tokens="pass", neck="multi"))
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    assert frozen == {"bottleneck.bias", *(f"bottleneck_{part}.bias" for part in (1, 2, 3))}


def test_the_embedding_is_taken_on_the_side_that_was_asked_for():
    torch.manual_seed(0)
    sides = {}
    for side in ("before", "after"):
        model = build(ModelConfig(**SMALL, neck_feature=side)).eval()
        torch.nn.init.constant_(model.bottleneck.running_mean, 0.5)
        with torch.no_grad():
            images = torch.randn(2, 3, 64, 32)
            features = model(images)._asdict()[side]
            wanted = torch.nn.functional.normalize(features, dim=1)
            sides[side] = torch.equal(model.embed(images), wanted)
    assert sides == {"before": True, "after": True}


@pytest.mark.parametrize("tokens", ["cls", "pass"])
def test_a_camera_model_needs_and_uses_camera_numbers(tokens):
    model = build(ModelConfig(**SMALL, tokens=tokens, cameras=4)).eval()
    images = torch.randn(1, 3, 64, 32).expand(2, -1, -1, -1)
    with torch.no_grad():
        first, second = model.embed(images, torch.tensor([0, 3]))
    assert not torch.allclose(first, second)
    with pytest.raises(ConfigError, match="camera number"):
        model.embed(images)


def test_weights_start_as_published():
    torch.manual_seed(0)
    state = build(ModelConfig(tokens="pass", neck="multi", classes=50)).state_dict()
    assert not state["backbone.cls_pos"].any()
    for name in ("backbone.cls_token", "backbone.pos_embed", "backbone.blocks.3.mlp.fc1.weight"):
        assert 0.015 < float(state[name].std()) < 0.025, name
    assert not state["backbone.blocks.3.attn.qkv.bias"].any()
    assert float(state["classifier.weight"].std()) == pytest.approx(0.001, rel=0.1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"height_px": 250}, "multiples of 16"),
        ({"heads": 5}, "heads"),
        ({"neck": "multi"}, "part tokens"),
        ({"neck": "none", "neck_feature": "after"}, "no neck"),
        ({"branch_norm": True}, "neck='multi'"),
    ],
)
def test_impossible_settings_are_refused(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ModelConfig(**settings)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="vit_small_16"):
        config_of("vit_giant_14")
    with pytest.raises(ConfigError, match="unknown model settings"):
        config_of("vit_small_16", breadth=3)
    with pytest.raises(ConfigError, match="classes > 0"):
        build(ModelConfig(**SMALL)).logits(torch.zeros(1, 128))
