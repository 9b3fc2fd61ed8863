"""Measures the range of every tensor to be quantised on real crops, through NVIDIA's modelopt."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core.errors import CalibrationError
from ..core.models.quantizers import quantizer_settings, quietly
from ..core.models.ranges import Ranges
from ..core.models.vit import ReidVit
from .recipe import Recipe
from .scales import LinearScale, Scales, attention_names
from .smoothing import FOLDABLE, fold

ENTROPY_STRIDE = 16
"""Bins between the thresholds that modelopt's entropy search tries; 1 takes seconds per layer."""

Batches = Callable[[], Iterable[Tensor]]
"""Makes a fresh pass over the normalised calibration crops; called once or twice."""


@dataclass(frozen=True)
class Calibrated:
    """The model to write (smoothing folded in, otherwise equal) and the ranges of its layers."""

    model: ReidVit
    scales: Scales


def calibrate(model: ReidVit, batches: Batches, recipe: Recipe) -> Calibrated:
    """Ranges for every layer that the recipe quantises."""
    layers = sorted(recipe.int8_layers(model.config))
    _refuse_not_finite(model, next(iter(batches())))
    ready = _smoothed(model, batches, layers, recipe.smooth) if recipe.smooth else model
    histogram = recipe.calibration != "max"
    observed = _observe(ready, batches, quantizer_settings(layers, histogram=histogram), "max")
    scales = {layer: _scale(_linear(observed, layer), layer, recipe) for layer in layers}
    attention = attention_ranges(ready, batches) if recipe.int8_attention else {}
    return Calibrated(ready, {**scales, **attention})


def trained(model: ReidVit, ranges: Ranges | None, recipe: Recipe) -> Calibrated:
    """What training settled: nothing is measured, and nothing may be folded or added."""
    layers = sorted(recipe.int8_layers(model.config))
    if ranges is None:
        raise CalibrationError(
            "calibration = 'training' needs ranges in the weights file, which only "
            "`personvit-train distill --int8` writes; choose max, entropy, percentile or mse"
        )
    asked = sorted(set(layers) - set(ranges))
    asked += [name for name in ("smooth", "int8_attention") if getattr(recipe, name)]
    if asked:
        raise CalibrationError(
            f"the recipe asks for {', '.join(asked)}, and calibration = 'training' covers the "
            "linear layers just as they were trained; leave it out, or set calibration = 'max'"
        )
    rows = {layer: _row_ranges(model.backbone.get_submodule(layer)) for layer in layers}
    return Calibrated(model, {layer: LinearScale(ranges[layer], rows[layer]) for layer in layers})


@torch.no_grad()
def attention_ranges(model: ReidVit, batches: Batches) -> Scales:
    """The largest |value| of every block's queries (already scaled), keys and values."""
    largest: dict[str, float] = {}

    def watch(block: int, scale: float) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_: nn.Module, __: Any, joint: Tensor) -> None:
            query, key, value = joint.chunk(3, dim=-1)
            tensors = (query * scale, key, value)
            for name, tensor in zip(attention_names(block), tensors, strict=True):
                largest[name] = max(largest.get(name, 0.0), float(tensor.abs().max()))

        return hook

    scale = (model.config.width // model.config.heads) ** -0.5
    hooks = [
        model.backbone.get_submodule(f"blocks.{block}.attn.qkv").register_forward_hook(
            watch(block, scale)
        )
        for block in range(model.config.depth)
    ]
    for batch in batches():
        model(batch)
    for hook in hooks:
        hook.remove()
    return {name: LinearScale(activation=amax) for name, amax in largest.items()}


@torch.no_grad()
def _refuse_not_finite(model: ReidVit, batch: Tensor) -> None:
    """modelopt ends in an assertion about its own tensors; name the layer instead."""
    if bool(torch.isfinite(model.embed(batch)).all()):
        return
    broken: list[str] = []
    hooks = [
        module.register_forward_pre_hook(
            lambda _, args, name=name: broken.append(name) if not args[0].isfinite().all() else None
        )
        for name, module in model.backbone.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]
    model(batch)
    for hook in hooks:
        hook.remove()
    where = f"first at the input of {broken[0]}" if broken else "after the last block"
    raise CalibrationError(
        f"the model gives values that are not finite, {where}; "
        "its weights are damaged or were trained with a loss that diverged"
    )


def _smoothed(model: ReidVit, batches: Batches, layers: list[str], alpha: float) -> ReidVit:
    foldable = [layer for layer in layers if layer.endswith(FOLDABLE)]
    method = {"method": "smoothquant", "alpha": alpha}
    observed = _observe(model, batches, quantizer_settings(foldable), method)
    factors = {
        layer: _linear(observed, layer).input_quantizer.pre_quant_scale.detach().clone()
        for layer in foldable
    }
    return fold(model, factors)


def _observe(
    model: ReidVit, batches: Batches, settings: list[dict[str, Any]], method: str | dict[str, Any]
) -> nn.Module:
    with quietly():
        import modelopt.torch.quantization as mtq
        from modelopt.torch.quantization.model_calib import enable_stats_collection

        def loop(quantised: nn.Module) -> None:
            for batch in batches():
                quantised(batch)

        histogram = any("calibrator" in row.get("cfg", {}) for row in settings)
        config = {"quant_cfg": settings, "algorithm": None if histogram else method}
        with torch.no_grad():
            quantised: nn.Module = mtq.quantize(copy.deepcopy(model).eval(), config, loop)
            if histogram:
                enable_stats_collection(quantised)
                loop(quantised)
    return quantised


def _linear(observed: nn.Module, layer: str) -> Any:
    return observed.get_submodule(f"backbone.{layer}")


def _scale(linear: Any, layer: str, recipe: Recipe) -> LinearScale:
    amax = _activation_amax(linear.input_quantizer, recipe)
    if not amax > 0:
        raise CalibrationError(
            f"the input of {layer} was zero on every calibration crop; "
            "the crops or the weights are not what this model expects"
        )
    return LinearScale(activation=amax, weight=_row_ranges(linear))


def _row_ranges(linear: Any) -> NDArray[np.float32]:
    """The largest magnitude of each output channel; an empty one gets the smallest there is."""
    largest = linear.weight.detach().abs().flatten(1).amax(dim=1).float().cpu().numpy()
    found: NDArray[np.float32] = np.maximum(largest, np.finfo(np.float32).tiny)
    return found


def _activation_amax(quantizer: Any, recipe: Recipe) -> float:
    if recipe.calibration == "max":
        return float(quantizer.amax)
    options: dict[str, float] = {}
    if recipe.calibration == "percentile":
        options["percentile"] = recipe.percentile
    elif recipe.calibration == "entropy":
        options["stride"] = ENTROPY_STRIDE
    with quietly():
        return float(quantizer._calibrator.compute_amax(recipe.calibration, **options))
