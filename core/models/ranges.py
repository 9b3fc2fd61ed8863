"""Which layers run in INT8, and the ranges that quantisation-aware training settled for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import CheckpointError

Ranges = Mapping[str, float]
"""By layer: the largest magnitude of its input that INT8 covers (not divided by 127).

Weights need none stored: the range of an output channel is the largest magnitude in its row."""


def layer_names(depth: int) -> tuple[str, ...]:
    """The layers that are quantised by default: four in each block."""
    return tuple(
        f"blocks.{index}.{part}"
        for index in range(depth)
        for part in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    )


def checked_ranges(values: Any, depth: int, where: str) -> dict[str, float]:
    """Ranges as a file holds them: one for every layer of the blocks, positive and finite."""
    if not isinstance(values, Mapping):
        raise CheckpointError(f"{where}: its INT8 ranges are no table; train the student again")
    wanted = layer_names(depth)
    missing, strange = sorted(set(wanted) - set(values)), sorted(set(values) - set(wanted))
    if missing or strange:
        raise CheckpointError(
            f"{where}: its INT8 ranges do not fit {depth} blocks: missing "
            f"{', '.join(missing[:4]) or 'nothing'}, unknown {', '.join(strange[:4]) or 'nothing'}"
        )
    for layer in wanted:
        value = values[layer]
        if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
            raise CheckpointError(
                f"{where}: the INT8 range of {layer} is {value!r}, not a number above 0; "
                "the training that wrote it diverged, so take an earlier checkpoint"
            )
    return {layer: float(values[layer]) for layer in wanted}
