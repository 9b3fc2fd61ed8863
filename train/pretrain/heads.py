"""The projection head: a small network, unit length, and a last layer of normalised rows.

Its tensors are named as in iBOT's files, where a head that is shared appears under both names.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .recipe import Head


class LastLayer(nn.Module):
    """Scores against K prototypes: rows of `weight_v` of length `weight_g`, without a bias."""

    def __init__(self, inputs: int, outputs: int, fixed_norm: bool) -> None:
        super().__init__()
        self.weight_g = nn.Parameter(torch.ones(outputs, 1), requires_grad=not fixed_norm)
        self.weight_v = nn.Parameter(torch.empty(outputs, inputs))
        nn.init.kaiming_uniform_(self.weight_v, a=math.sqrt(5))

    def weight(self) -> Tensor:
        lengths: Tensor = self.weight_v.norm(dim=1, keepdim=True)
        return self.weight_v * (self.weight_g / lengths)

    def forward(self, units: Tensor) -> Tensor:
        """In float32: the teacher's sharpening would magnify a half type's rounding 25 times."""
        with torch.autocast(units.device.type, enabled=False):
            return functional.linear(units.float(), self.weight())


class ProjectionHead(nn.Module):
    """Class tokens and patches pass one network; the last layer may be the same or not."""

    def __init__(self, width: int, settings: Head) -> None:
        super().__init__()
        widths = [width, *[settings.hidden] * (settings.layers - 1), settings.bottleneck]
        parts: list[nn.Module] = []
        for before, after in pairwise(widths):
            parts += [nn.Linear(before, after), nn.GELU()]
        self.mlp = nn.Sequential(*parts[:-1])
        for part in self.mlp:
            if isinstance(part, nn.Linear):
                nn.init.trunc_normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)
        last = (settings.bottleneck, settings.outputs, settings.fixed_norm)
        self.last_layer = LastLayer(*last)
        self.last_layer2 = self.last_layer if settings.shared else LastLayer(*last)

    def units(self, features: Tensor) -> Tensor:
        """Points on the unit sphere in float32, where the prototypes are."""
        return functional.normalize(self.mlp(features).float(), dim=-1)

    def last_parameters(self) -> list[nn.Parameter]:
        """What stays frozen at first."""
        layers = {self.last_layer, self.last_layer2}
        return [parameter for layer in layers for parameter in layer.parameters()]
