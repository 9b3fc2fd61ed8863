"""Every family of foreign checkpoints: read completely, or refused with its keys named."""

from __future__ import annotations

import pytest
import torch

from personvit.core.errors import CheckpointError
from personvit.core.models.family import families
from personvit.core.models.weights import load_weights

FAMILIES = [family.name for family in families()]
BLOCK = "blocks.0."  # like every other block, so one of them is enough to try


every_family = pytest.mark.parametrize("family", FAMILIES)


def test_every_family_has_an_official_file_to_be_tested_with(official):
    assert sorted(official.families) == sorted(FAMILIES)


@every_family
def test_an_official_file_is_read_completely(official, family):
    payload = official.payload(family)
    weights = official.weights(family, payload)
    loaded = load_weights(official.save(payload))
    report = loaded.report
    assert report.family == family
    used = {key.removeprefix("module.") for key in weights}
    accounted = set(report.matched) | {entry.key for entry in report.dropped}
    assert used <= accounted
    state = loaded.model.state_dict()
    assert set(report.matched.values()) == set(state)
    plain = {key.removeprefix("module."): value for key, value in weights.items()}
    for theirs, ours in report.matched.items():
        assert torch.equal(state[ours], plain[theirs]), theirs


@every_family
def test_everything_is_inferred_from_the_tensors(official, family):
    loaded = load_weights(official.file(family, width=128, depth=3))
    config = loaded.config
    assert (config.width, config.depth, config.heads, config.patch) == (128, 3, 2, 16)
    square = family in ("dino", "ibot", "msn", "timm")
    assert config.grid == ((14, 14) if square else (16, 8))
    assert config.stem == ("ics" if family.startswith("transreid-ssl") else "patch")
    assert config.tokens == ("pass" if family.startswith("pass") else "cls")
    assert config.classes == (5 if family in ("personvit-finetuned", "pass-supervised") else 0)
    assert (loaded.preprocess.height, loaded.preprocess.width) == (
        config.height_px,
        config.width_px,
    )


@every_family
def test_any_missing_key_is_refused_by_name(official, family):
    keys = [key for key in official.weights(family, official.payload(family)) if BLOCK not in key]
    for key in keys:
        payload = official.payload(family)
        payload.pop("student", None)
        del official.weights(family, payload)[key]
        with pytest.raises(CheckpointError, match="missing") as refusal:
            load_weights(official.save(payload))
        assert key.removeprefix("module.") in str(refusal.value)


@every_family
def test_any_wrong_shape_is_refused_by_name(official, family):
    keys = [key for key in official.weights(family, official.payload(family)) if BLOCK not in key]
    for key in keys:
        payload = official.payload(family)
        payload.pop("student", None)
        weights = official.weights(family, payload)
        tensor = weights[key]
        wider = tensor[None] if tensor.ndim == 0 else torch.cat([tensor, tensor[..., :1]], dim=-1)
        weights[key] = wider
        with pytest.raises(CheckpointError) as refusal:
            load_weights(official.save(payload))
        assert key.removeprefix("module.") in str(refusal.value)


@every_family
@pytest.mark.parametrize(
    "extra", ["blocks.0.attn.surprise", "surprise.weight", "bottleneck_9.bias"]
)
def test_any_extra_key_is_refused_by_name(official, family, extra):
    payload = official.payload(family)
    official.weights(family, payload)[extra] = torch.zeros(3)
    with pytest.raises(CheckpointError) as refusal:
        load_weights(official.save(payload))
    assert extra.split(".")[0] in str(refusal.value)


@every_family
def test_tensors_beside_the_weights_are_refused_unless_known(official, family):
    payload = {"model": official.payload(family), "surprise": {"weight": torch.zeros(2)}}
    with pytest.raises(CheckpointError, match="surprise"):
        load_weights(official.save(payload))


@every_family
def test_a_shortened_position_embedding_is_refused(official, family):
    payload = official.payload(family)
    weights = official.weights(family, payload)
    key = next(key for key in weights if key.endswith("pos_embed"))
    weights[key] = weights[key][:, :-1]
    with pytest.raises(CheckpointError, match="pos_embed"):
        load_weights(official.save(payload))


@every_family
def test_weights_that_diverged_are_refused(official, family):
    payload = official.payload(family)
    weights = official.weights(family, payload)
    key = next(key for key in weights if key.endswith("norm.weight"))
    weights[key][0] = float("nan")
    with pytest.raises(CheckpointError, match="NaN"):
        load_weights(official.save(payload))
