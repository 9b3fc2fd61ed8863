"""Ranges come out of modelopt right, and smoothing changes no embedding."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from personvit.core.errors import CalibrationError
from personvit.core.models.vit import ReidVit
from personvit.export.calibrate import calibrate
from personvit.export.fake_quant import as_int8, quantise
from personvit.export.recipe import Recipe
from personvit.export.scales import layer_names
from personvit.export.smoothing import fold


def batches_of(crops: torch.Tensor):
    return lambda: iter(crops.split(32))


def seen_maximum(model: ReidVit, layer: str, crops: torch.Tensor) -> float:
    found = []
    module = model.backbone.get_submodule(layer)
    hook = module.register_forward_pre_hook(
        lambda _, args: found.append(float(args[0].abs().max()))
    )
    with torch.no_grad():
        model(crops)
    hook.remove()
    return max(found)


@pytest.mark.parametrize("layer", ["blocks.0.attn.qkv", "blocks.1.mlp.fc2", "blocks.2.attn.proj"])
def test_max_is_the_largest_value_seen(tiny_model, tiny_crops, layer: str) -> None:
    scales = calibrate(tiny_model, batches_of(tiny_crops), Recipe()).scales
    assert scales[layer].activation == pytest.approx(seen_maximum(tiny_model, layer, tiny_crops))
    weight = tiny_model.backbone.get_submodule(layer).weight
    np.testing.assert_allclose(scales[layer].weight, weight.abs().amax(dim=1).numpy())


@pytest.mark.parametrize("method", ["entropy", "percentile", "mse"])
def test_the_other_methods_clip_some_of_it(tiny_model, tiny_crops, method) -> None:
    widest = calibrate(tiny_model, batches_of(tiny_crops), Recipe()).scales
    clipped = calibrate(tiny_model, batches_of(tiny_crops), Recipe(method, percentile=99)).scales
    for layer in layer_names(tiny_model.config.depth):
        assert 0 < clipped[layer].activation <= widest[layer].activation * 1.01
    assert sum(clipped[n].activation for n in clipped) < sum(widest[n].activation for n in widest)


def test_calibration_leaves_the_model_as_it_was(tiny_model, tiny_crops) -> None:
    before = copy.deepcopy(tiny_model.state_dict())
    calibrate(tiny_model, batches_of(tiny_crops), Recipe(smooth=0.5))
    for name, value in tiny_model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("alpha", [0.3, 0.5, 0.8])
def test_smoothing_is_exact(tiny_model, tiny_crops, alpha: float) -> None:
    smoothed = calibrate(tiny_model, batches_of(tiny_crops), Recipe(smooth=alpha)).model
    with torch.no_grad():
        torch.testing.assert_close(
            smoothed.embed(tiny_crops), tiny_model.embed(tiny_crops), atol=1e-5, rtol=1e-4
        )
    old, new = (model.backbone.blocks[1].attn.qkv.weight for model in (tiny_model, smoothed))
    assert not torch.equal(old, new)


def test_any_factor_folds_exactly(tiny_model, tiny_crops) -> None:
    generator = torch.Generator().manual_seed(2)
    factors = {
        f"blocks.1.{part}": torch.rand(64, generator=generator) + 0.5
        for part in ("attn.qkv", "attn.proj", "mlp.fc1")
    }
    with torch.no_grad():
        torch.testing.assert_close(
            fold(tiny_model, factors).embed(tiny_crops),
            tiny_model.embed(tiny_crops),
            atol=1e-5,
            rtol=1e-4,
        )


def test_not_a_number_is_refused(tiny_model, tiny_crops) -> None:
    broken = copy.deepcopy(tiny_model)
    broken.backbone.blocks[0].norm1.weight.data[0] = float("nan")
    with pytest.raises(CalibrationError, match=r"blocks\.0\.attn\.qkv"):
        calibrate(broken, batches_of(tiny_crops), Recipe())


def test_rounding_is_to_even_and_saturates() -> None:
    values = torch.tensor([0.5, 1.5, 2.5, 126.6, 200.0, -128.4, -300.0])
    assert quantise(values, torch.tensor(127.0)).tolist() == [0, 2, 2, 127, 127, -128, -128]


def test_pretending_int8_ends_with_the_block(tiny_model, tiny_crops) -> None:
    scales = calibrate(tiny_model, batches_of(tiny_crops), Recipe()).scales
    with torch.no_grad():
        exact = tiny_model.embed(tiny_crops)
        with as_int8(tiny_model, scales, scales) as pretending:
            rounded = pretending.embed(tiny_crops)
        assert torch.equal(tiny_model.embed(tiny_crops), exact)
    cosine = (exact * rounded).sum(dim=1)
    assert not torch.equal(exact, rounded)
    assert cosine.min() > 0.97
