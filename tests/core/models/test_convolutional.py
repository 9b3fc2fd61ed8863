"""Convolutional models: they save and load, forget nothing when merged, and refuse what is not."""

import pytest
import timm
import torch
from torch import nn

from personvit.core.errors import CheckpointError, ConfigError
from personvit.core.models.convolutional import deployed
from personvit.core.models.native import save_native
from personvit.core.models.registry import config_of, names
from personvit.core.models.vit import build
from personvit.core.models.weights import ReadOptions, load_weights
from personvit.core.preprocess import Preprocess

SMALL = {"height_px": 64, "width_px": 32}
CONVOLUTIONAL = [name for name in names() if config_of(name).convolutional]


def lively(name, **changes):
    """A model whose batch norms have seen something."""
    torch.manual_seed(0)
    model = build(config_of(name, **SMALL, classes=3, **changes)).eval()
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.1)
    return model


def test_there_are_convolutional_models():
    assert {"repvit_m1_0", "mobilenetv4_conv_medium"} <= set(CONVOLUTIONAL)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_a_merged_backbone_computes_the_same_without_a_norm(name):
    model = lively(name)
    merged = deployed(model.backbone)
    norms = [part for part in merged.modules() if isinstance(part, nn.BatchNorm2d)]
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        before, after = model.backbone(images), merged(images)
    assert norms == []
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4 * float(before.abs().max()))
    assert any(isinstance(part, nn.BatchNorm2d) for part in model.backbone.modules())


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_a_file_gives_the_model_back(name, tmp_path):
    model, path = lively(name, projection=8), tmp_path / "model.safetensors"
    save_native(path, model, Preprocess(height=64, width=32), {"made": "here"})
    loaded = load_weights(path)
    assert loaded.config == model.config
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(loaded.model.embed(images), model.embed(images))
    larger = load_weights(path, ReadOptions(size=(96, 64)))
    assert larger.config.grid == (3, 2)
    assert larger.model.embed(torch.randn(1, 3, 96, 64)).shape == (1, 8)
    with pytest.raises(CheckpointError, match="no tokens to change"):
        load_weights(path, ReadOptions(tokens="mean"))


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_a_file_of_timm_is_loaded_completely_or_not_at_all(name, tmp_path):
    torch.manual_seed(0)
    published = timm.create_model(name).eval()
    path = tmp_path / "timm.pth"
    torch.save(published.state_dict(), path)
    loaded = load_weights(path, ReadOptions(size=(64, 32)))
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        wanted = published.forward_features(images).mean(dim=(2, 3))
        torch.testing.assert_close(loaded.model(images).before, wanted)
    assert loaded.config.neck == "none"
    assert loaded.preprocess.mean == (0.485, 0.456, 0.406)
    assert {entry.reason for entry in loaded.report.dropped} == {"ImageNet classifier"}
    kept = dict(published.state_dict())
    gone = next(key for key in kept if key.endswith("running_mean") and "head" not in key)
    kept.pop(gone)
    torch.save(kept, path)
    with pytest.raises(CheckpointError, match=f"1 missing: {gone}"):
        load_weights(path)


def test_the_embedding_is_the_mean_of_the_cells_that_follow_it():
    model = lively("mobilenetv4_conv_small")
    with torch.no_grad():
        tokens = model.backbone(torch.randn(2, 3, 64, 32))
    assert tokens.shape == (2, 1 + 2, 960)
    torch.testing.assert_close(tokens[:, 0], tokens[:, 1:].mean(dim=1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tokens": "mean"}, "convolutional: it has no tokens"),
        ({"cameras": 2}, "camera"),
        ({"depth": 3}, "blocks"),
        ({"height_px": 100}, "multiples of 32"),
        ({"trunk": "resnet50"}, "no trunk 'resnet50'"),
    ],
)
def test_what_a_convolutional_model_has_not_is_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        config_of("repvit_m1_0", **changes)


def test_a_width_that_is_not_the_trunks_is_refused():
    with pytest.raises(ConfigError, match="448 wide, not 64"):
        build(config_of("repvit_m1_0", width=64))
