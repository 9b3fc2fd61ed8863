"""Runs chosen layers of a PyTorch model as INT8 would, to judge a recipe before it is built."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn

from ..core.models.vit import ReidVit
from .scales import LinearScale, Scales

STEPS = 127


def quantise(x: Tensor, amax: Tensor) -> Tensor:
    """Round to 8-bit steps and back; half to even, as ONNX QuantizeLinear rounds."""
    step = amax / STEPS
    return torch.clamp(torch.round(x / step), -STEPS - 1, STEPS) * step


@contextlib.contextmanager
def as_int8(model: ReidVit, scales: Scales, layers: Collection[str]) -> Iterator[ReidVit]:
    """The model with the named layers quantised, for as long as the block lasts."""
    with contextlib.ExitStack() as restore:
        for layer in sorted(layers):
            module = model.backbone.get_submodule(layer)
            restore.enter_context(_one_layer(module, scales[layer]))
        yield model


@contextlib.contextmanager
def _one_layer(module: nn.Module, scale: LinearScale) -> Iterator[None]:
    weight = module.get_parameter("weight")
    amax = torch.from_numpy(scale.weight).reshape(-1, *[1] * (weight.dim() - 1))
    exact = weight.data
    activation = torch.tensor(scale.activation)
    hook = module.register_forward_pre_hook(lambda _, args: (quantise(args[0], activation),))
    weight.data = torch.clamp(torch.round(exact / (amax / STEPS)), -STEPS, STEPS) * (amax / STEPS)
    try:
        yield
    finally:
        weight.data = exact
        hook.remove()
