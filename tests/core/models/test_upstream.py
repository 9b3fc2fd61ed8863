"""Files for the published code: its exact keys, and a bit-exact way there and back."""

from __future__ import annotations

import pytest
import torch

from personvit.core.errors import CheckpointError
from personvit.core.models.config import ModelConfig
from personvit.core.models.upstream import to_upstream
from personvit.core.models.vit import build
from personvit.core.models.weights import ReadOptions, load_weights

SMALL = {"width": 64, "depth": 2, "heads": 1}


@pytest.mark.parametrize(
    "family",
    [
        "personvit-finetuned",
        "personvit-pretrained",
        "pass-supervised",
        "pass-unsupervised",
        "pass-pretrained",
        "transreid-ssl-unsupervised",
        "transreid-ssl-pretrained",
        "dino",
    ],
)
def test_import_export_import_is_bit_exact(official, family):
    first = load_weights(official.file(family))
    exported = official.save(to_upstream(first.model), "exported.pth")
    second = load_weights(exported)
    assert second.config == first.config
    for name, value in first.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("family", "tensors"), [("personvit-finetuned", 158), ("pass-supervised", 180)]
)
def test_a_full_size_export_has_the_published_keys_and_shapes(official, family, tensors):
    """ViT-S with 12 blocks: what strict loading of the published classes compares."""
    payload = official.payload(family, width=384, depth=12)
    exported = to_upstream(load_weights(official.save(payload)).model)
    assert len(exported) == tensors
    assert {name: value.shape for name, value in exported.items()} == {
        name: value.shape for name, value in payload.items()
    }
    assert all(value.dtype == payload[name].dtype for name, value in exported.items())


def test_four_necks_without_labels_get_their_published_names():
    config = ModelConfig(**SMALL, tokens="pass", neck="multi", branch_norm=True, fusion="mean")
    exported = to_upstream(build(config))
    assert "bottleneck_pt3.running_mean" in exported
    assert "part_token2" in exported


def test_four_necks_without_labels_come_back(official):
    config = ModelConfig(
        **SMALL, tokens="pass", neck="multi", branch_norm=True, fusion="mean", neck_feature="after"
    )
    path = official.save(to_upstream(build(config)))
    assert load_weights(path, ReadOptions(fusion="mean")).config == config


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"tokens": "mean"}, "tokens 'mean'"),
        ({"tokens": "pass", "cameras": 2}, "cannot run with camera"),
        ({"neck": "none", "classes": 3}, "no classifier without a neck"),
    ],
)
def test_what_the_published_code_cannot_hold_is_refused(settings, sentence):
    with pytest.raises(CheckpointError, match=sentence):
        to_upstream(build(ModelConfig(**{**SMALL, **settings})))
