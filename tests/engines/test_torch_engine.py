"""The PyTorch engine gives the model's own embeddings, at the precision that was asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from personvit.core.errors import ConfigError, EnvironmentMismatch
from personvit.core.models.native import save_native
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.engines.base import EngineOptions
from personvit.engines.catalogue import open_engine

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def directly(model, preprocess, crops, cameras=None):
    pixels = torch.from_numpy(preprocess.normalise(crops))
    with torch.inference_mode():
        return model.embed(pixels, cameras).numpy()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"neck_feature": "after"},
        {"tokens": "pass", "neck": "multi", "neck_feature": "after"},
        {"tokens": "mean"},
    ],
    ids=str,
)
@pytest.mark.parametrize("pixels", [{}, {"colour": "bgr", **IMAGENET}], ids=["personvit", "bgr"])
def test_embeddings_are_the_models_own(write_model, crops, settings, pixels):
    preprocess = Preprocess(height=64, width=32, **pixels)
    path, model = write_model(preprocess, **settings)
    with open_engine(str(path)) as engine:
        assert engine.outputs[0].shape == (None, model.config.embedding)
        found = engine.embed(crops)
    np.testing.assert_allclose(found, directly(model, preprocess, crops), atol=1e-6)


def test_bf16_is_near_and_not_the_same(weights, crops):
    with open_engine(str(weights)) as full:
        expected = full.embed(crops)
    with open_engine(str(weights), options=EngineOptions(precision="bf16")) as half:
        found = half.embed(crops)
        assert half.info().precision == "bf16"
    assert (found != expected).any()
    assert (found * expected).sum(axis=1).min() > 0.999


def test_what_cannot_be_given_raises(weights):
    with pytest.raises(ConfigError, match=r"fp16.*choose from fp32, bf16"):
        open_engine(str(weights), options=EngineOptions(precision="fp16"))
    with pytest.raises(ConfigError, match="'toaster' is unknown"):
        open_engine(str(weights), options=EngineOptions(device="toaster"))
    with pytest.raises(EnvironmentMismatch, match="CUDA devices"):
        open_engine(str(weights), options=EngineOptions(device="cuda:99"))


def test_a_model_with_cameras_asks_for_them(write_model, crops):
    path, model = write_model(cameras=4)
    cameras = np.array([0, 1, 2, 3, 0, 1, 2])
    with open_engine(str(path), options=EngineOptions(batch=3)) as engine:
        with pytest.raises(ConfigError, match="'cameras'"):
            engine.embed(crops)
        found = engine.embed(crops, cameras=cameras)
        assert engine.embed(crops[:0], cameras=cameras[:0]).shape == (0, 32)
    expected = directly(model, Preprocess(height=64, width=32), crops, torch.from_numpy(cameras))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_space_belongs_to_the_weights_and_not_to_the_classifier(write_model, tmp_path):
    def space(path):
        with open_engine(str(path)) as engine:
            return engine.outputs[0].space

    path, model = write_model(classes=5)
    preprocess = Preprocess(height=64, width=32)
    bare = build(replace(model.config, classes=0))
    bare.load_state_dict(model.state_dict(), strict=False)
    save_native(tmp_path / "bare.safetensors", bare, preprocess, {})
    after = build(replace(model.config, neck_feature="after"))
    after.load_state_dict(model.state_dict())
    save_native(tmp_path / "after.safetensors", after, preprocess, {})
    assert space(tmp_path / "bare.safetensors") == space(path)
    assert space(tmp_path / "after.safetensors") != space(path)
    with torch.no_grad():
        bare.backbone.norm.weight[0] += 1
    save_native(tmp_path / "moved.safetensors", bare, preprocess, {})
    assert space(tmp_path / "moved.safetensors") != space(path)


def test_threads_may_share_an_engine(weights, crops):
    with open_engine(str(weights)) as engine, ThreadPoolExecutor(4) as pool:
        expected = engine.embed(crops)
        for found in pool.map(lambda _: engine.embed(crops), range(8)):
            np.testing.assert_array_equal(found, expected)
