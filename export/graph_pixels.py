"""The image input: cast, centre, and what the first layer's weights must take over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.preprocess import Preprocess
from .graph_weights import Floats
from .graph_writer import GraphWriter

IMAGES = "images"
LEVELS = 255


@dataclass(frozen=True)
class Pixels:
    """`value` holds `(pixel - centre) * factor` per colour, in RGB order."""

    value: str
    channels_last: bool
    preprocess: Preprocess
    centre: Floats
    factor: Floats

    def weight(self, weight: Floats) -> Floats:
        """A first weight [out, 3, h, w] that turns the colours and divides what is left to do."""
        turned = weight if self.preprocess.colour == "rgb" else weight[:, ::-1]
        left = 1 / (self._in_rgb(self.preprocess.std) * LEVELS * self.factor)
        folded: Floats = (turned * left.reshape(1, 3, 1, 1)).astype(np.float32)
        return folded

    def bias(self, folded: Floats) -> Floats:
        """What a folded weight loses because the centre is not the mean to the last bit."""
        away = (self.centre - self._in_rgb(self.preprocess.mean) * LEVELS) * self.factor
        lost: Floats = (folded * away.reshape(1, 3, 1, 1)).sum(axis=(1, 2, 3)).astype(np.float32)
        return lost

    def _in_rgb(self, values: tuple[float, float, float]) -> NDArray[np.float64]:
        ordered = np.array(values, dtype=np.float64)
        return ordered if self.preprocess.colour == "rgb" else ordered[::-1]


def pixels(
    writer: GraphWriter,
    preprocess: Preprocess,
    *,
    divide: bool = False,
    channels_first: bool = False,
) -> Pixels:
    """Centred pixels; with `divide` also divided, else the division is left to the weights."""
    from onnx import helper

    channels_last = writer.spec.input == "uint8-nhwc"
    value = IMAGES
    if channels_last or writer.spec.precision == "fp16":
        # The cast comes first: TensorRT takes uint8 into a Cast and nothing else.
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(writer.float_type))
        value = writer.node("Cast", "pixels", value, to=kind)
    if channels_last and channels_first:
        value = writer.node("Transpose", "pixels.planes", value, perm=(0, 3, 1, 2))
        channels_last = False
    along = (1, 1, 3) if channels_last else (3, 1, 1)
    order = slice(None) if preprocess.colour == "rgb" else slice(None, None, -1)
    centre = _typed(writer, np.array(preprocess.mean[order]) * LEVELS)
    mean = writer.floats("pixels.mean", centre.reshape(along))
    value = writer.node("Sub", "pixels.centred", value, mean)
    factor = np.ones(3, dtype=np.float32)
    if divide:
        factor = _typed(writer, 1 / (np.array(preprocess.std[order]) * LEVELS))
        spread = writer.floats("pixels.spread", factor.reshape(along))
        value = writer.node("Mul", "pixels.normalised", value, spread)
    return Pixels(value, channels_last, preprocess, centre, factor)


def _typed(writer: GraphWriter, values: NDArray[np.float64]) -> Floats:
    typed: Floats = values.astype(writer.float_type).astype(np.float32)
    return typed
