"""How NVIDIA's modelopt is told what to quantise, in training and in calibration alike."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

CHANNELS = {"num_bits": 8, "axis": 0}


def quantizer_settings(
    layers: Iterable[str], *, histogram: bool = False, moving_weights: bool = False
) -> list[dict[str, Any]]:
    """W8A8 for the named layers of the backbone: per channel, per tensor, symmetric.

    modelopt's own presets name layers by pattern and skip some silently; this list is exact. With
    `moving_weights` the range of a weight's row follows the row, as it must while it is trained.
    """
    calibrator = {"calibrator": "histogram"} if histogram else {}
    moving = {"type": "dynamic"} if moving_weights else {}
    rows: list[dict[str, Any]] = [{"quantizer_name": "*", "enable": False}]
    for layer in layers:
        name = f"backbone.{layer}"
        inputs = {"num_bits": 8, "axis": None, **calibrator}
        rows += [
            {"quantizer_name": f"{name}.input_quantizer", "cfg": inputs},
            {"quantizer_name": f"{name}.weight_quantizer", "cfg": {**CHANNELS, **moving}},
        ]
    return rows


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """modelopt and torch talk on stdout and warn about GPUs; neither is news to our user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
