"""The forward pass against a slow transcription of its published description."""

from __future__ import annotations

import math

import pytest
import torch

from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import build

EPSILON = 1e-6


def layer_norm(state, name, x):
    centred = x - x.mean(-1, keepdim=True)
    deviation = (centred.square().mean(-1, keepdim=True) + EPSILON).sqrt()
    return centred / deviation * state[f"{name}.weight"] + state[f"{name}.bias"]


def linear(state, name, x):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def gelu(x):
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def attention(state, name, x, heads):
    """softmax(q k' / sqrt(d)) v, head by head."""
    width = x.shape[-1] // heads
    q, k, v = linear(state, f"{name}.qkv", x).chunk(3, dim=-1)
    joined = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        scores = q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(width)
        joined.append(scores.softmax(-1) @ v[..., part])
    return linear(state, f"{name}.proj", torch.cat(joined, dim=-1))


def patches(state, images, side):
    """Cut into squares, row by row, each a vector of channel, row, column."""
    batch, _, height, width = images.shape
    weight = state["backbone.patch_embed.proj.weight"].flatten(1)
    rows = []
    for top in range(0, height, side):
        for left in range(0, width, side):
            square = images[:, :, top : top + side, left : left + side].reshape(batch, -1)
            rows.append(square @ weight.T + state["backbone.patch_embed.proj.bias"])
    return torch.stack(rows, dim=1)


def split_norm(state, name, x):
    """Instance norm over the first half of the channels, stored statistics for the rest."""
    half = x.shape[1] // 2
    first, second = x[:, :half], x[:, half:]
    mean, variance = first.mean((2, 3), keepdim=True), first.var((2, 3), False, keepdim=True)
    first = (first - mean) / (variance + 1e-5).sqrt()
    first = first * state[f"{name}.IN.weight"][:, None, None]
    first = first + state[f"{name}.IN.bias"][:, None, None]
    return torch.cat([first, stored_norm(state, f"{name}.BN", second, (-1, 1, 1))], dim=1)


def stored_norm(state, name, x, shape=(-1,)):
    def part(which):
        return state[f"{name}.{which}"].reshape(shape)

    scaled = (x - part("running_mean")) / (part("running_var") + 1e-5).sqrt()
    return scaled * part("weight") + part("bias")


def ics_stem(state, images):
    name = "backbone.patch_embed.conv"
    x = torch.nn.functional.conv2d(images, state[f"{name}.0.weight"], stride=2, padding=3)
    x = split_norm(state, f"{name}.1", x).clamp_min(0)
    x = torch.nn.functional.conv2d(x, state[f"{name}.3.weight"], padding=1)
    x = split_norm(state, f"{name}.4", x).clamp_min(0)
    x = torch.nn.functional.conv2d(x, state[f"{name}.6.weight"], padding=1)
    x = stored_norm(state, f"{name}.7", x, (-1, 1, 1)).clamp_min(0)
    return patches(state, x, 8)


def tokens_after_blocks(state, config, images, cameras):
    x = ics_stem(state, images) if config.stem == "ics" else patches(state, images, config.patch)
    position = state["backbone.pos_embed"]
    if config.tokens == "pass":
        names = [("cls_token", "cls_pos")]
        names += [(f"part_token{part}", f"part{part}_pos") for part in (1, 2, 3)]
        first = [state[f"backbone.{token}"] + state[f"backbone.{place}"] for token, place in names]
        x = torch.cat([*(token.expand(len(x), -1, -1) for token in first), x + position], dim=1)
    else:
        if config.tokens == "cls-drop-patch":
            x = x[:, 1:]
        if config.tokens != "mean":
            x = torch.cat([state["backbone.cls_token"].expand(len(x), -1, -1), x], dim=1)
        x = x + position
    if cameras is not None:
        x = x + config.camera_weight * state["backbone.sie_embed"][cameras]
    for block in range(config.depth):
        name = f"backbone.blocks.{block}"
        x = x + attention(
            state, f"{name}.attn", layer_norm(state, f"{name}.norm1", x), config.heads
        )
        hidden = gelu(linear(state, f"{name}.mlp.fc1", layer_norm(state, f"{name}.norm2", x)))
        x = x + linear(state, f"{name}.mlp.fc2", hidden)
    return layer_norm(state, "backbone.norm", x)


def fused(tokens, how):
    parts = (tokens[1] + tokens[2] + tokens[3]) / 3
    return torch.cat([tokens[0], parts], 1) if how == "cat" else (tokens[0] + parts) / 2


def reference(state, config, images, cameras=None):
    tokens = tokens_after_blocks(state, config, images, cameras)
    if config.tokens == "mean":
        before = tokens.mean(1)
    elif config.tokens == "pass":
        four = [tokens[:, index] for index in range(4)]
        before = fused(four, config.fusion)
        if config.neck == "multi":
            names = ("bottleneck", "bottleneck_1", "bottleneck_2", "bottleneck_3")
            four = [
                stored_norm(state, name, token) for name, token in zip(names, four, strict=True)
            ]
            if config.branch_norm:
                four = [token / token.norm(dim=1, keepdim=True) for token in four]
            return before, fused(four, config.fusion)
    else:
        before = tokens[:, 0]
    return before, before if config.neck == "none" else stored_norm(state, "bottleneck", before)


SMALL = {"width": 128, "depth": 3, "heads": 2, "height_px": 64, "width_px": 32}
VARIANTS = {
    "personvit": ModelConfig(**SMALL),
    "personvit without neck": ModelConfig(**SMALL, neck="none"),
    "personvit with cameras": ModelConfig(**SMALL, cameras=3),
    "ics": ModelConfig(**SMALL, stem="ics"),
    "mean": ModelConfig(**SMALL, tokens="mean"),
    "drop": ModelConfig(**SMALL, tokens="cls-drop-patch"),
    "patch 8": ModelConfig(**SMALL, patch=8),
    "pass cat multi": ModelConfig(**SMALL, tokens="pass", neck="multi"),
    "pass mean multi": ModelConfig(**SMALL, tokens="pass", neck="multi", fusion="mean"),
    "pass cat single": ModelConfig(**SMALL, tokens="pass"),
    "pass mean single": ModelConfig(**SMALL, tokens="pass", fusion="mean"),
    "pass unsupervised": ModelConfig(**SMALL, tokens="pass", neck="multi", branch_norm=True),
    "pass with cameras": ModelConfig(**SMALL, tokens="pass", neck="multi", cameras=3),
    "personvit full size": ModelConfig(),
    "pass full size": ModelConfig(tokens="pass", neck="multi"),
}


def disturbed(config):
    """A model whose every tensor is random, so that no term can be forgotten."""
    torch.manual_seed(0)
    model = build(config).eval()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value += 0.05 * torch.randn(value.shape)
            if name.endswith("running_var"):
                value.abs_().add_(0.1)
    return model


@pytest.mark.parametrize("name", VARIANTS)
def test_features_equal_the_description(name):
    config = VARIANTS[name]
    model = disturbed(config)
    images = torch.rand(2, 3, config.height_px, config.width_px) * 2 - 1
    cameras = torch.tensor([0, 2]) if config.cameras else None
    with torch.no_grad():
        ours = model(images, cameras)
        theirs = reference(model.state_dict(), config, images, cameras)
        embedding = model.embed(images, cameras)
    for mine, wanted in zip(ours, theirs, strict=True):
        unit = torch.nn.functional.normalize
        assert torch.allclose(unit(mine, dim=1), unit(wanted, dim=1), atol=1e-5, rtol=0)
        assert torch.allclose(mine, wanted, atol=1e-5 * float(wanted.abs().max()), rtol=0)
    wanted = torch.nn.functional.normalize(theirs[0], dim=1)
    assert torch.allclose(embedding, wanted, atol=1e-5, rtol=0)
