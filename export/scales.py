"""What calibration tells about each layer: the ranges that its INT8 form covers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..core.errors import CalibrationError
from ..core.models.ranges import layer_names as layer_names

INT8_MAX = 127
PROBABILITY_AMAX = 1.0
"""Softmax never leaves 0..1, so its range is known without calibration."""


@dataclass(frozen=True)
class LinearScale:
    """Largest magnitudes (amax, not divided by 127) of one layer as it will run.

    For a tensor of INT8 attention (`blocks.{i}.attn.query`, `.key`, `.value`), `weight` is empty.
    """

    activation: float
    weight: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))


Scales = Mapping[str, LinearScale]


PATCH_LAYER = "patch_embed.proj"


def attention_names(index: int) -> tuple[str, str, str]:
    """The tensors of one block that INT8 attention needs a range for."""
    return tuple(f"blocks.{index}.attn.{part}" for part in ("query", "key", "value"))  # type: ignore[return-value]


def scale_of(scales: Scales | None, name: str, outputs: int) -> LinearScale:
    """The calibrated ranges of one layer, checked against its shape."""
    if scales is None or name not in scales:
        raise CalibrationError(f"{name} is to be INT8 but was not calibrated; calibrate it first")
    scale = scales[name]
    if not (np.isfinite(scale.activation) and scale.activation > 0):
        raise CalibrationError(
            f"{name}: its input range is {scale.activation}; the calibration crops made it "
            "constant or infinite, so check that they are real images"
        )
    if scale.weight.shape != (outputs,) or not np.isfinite(scale.weight).all():
        raise CalibrationError(
            f"{name}: {scale.weight.shape} weight ranges do not fit {outputs} finite outputs; "
            "these scales belong to another model"
        )
    return scale
