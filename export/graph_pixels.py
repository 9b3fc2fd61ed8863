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


def cast(writer: GraphWriter) -> str:
    """The input in the graph's float type. TensorRT takes uint8 into a Cast and nothing else."""
    from onnx import helper

    if writer.spec.input == "float-nchw" and writer.spec.precision == "fp32":
        return IMAGES
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(writer.float_type))
    return writer.node("Cast", "pixels", IMAGES, to=kind)


def planes(writer: GraphWriter) -> str:
    """The input as floats, colour by colour."""
    value = cast(writer)
    if writer.spec.input == "float-nchw":
        return value
    return writer.node("Transpose", "pixels.planes", value, perm=(0, 3, 1, 2))


def centre(
    writer: GraphWriter,
    preprocess: Preprocess,
    value: str,
    shape: tuple[int, ...],
    *,
    divide: bool = False,
) -> Pixels:
    """Subtract the mean; with `divide` divide too, else the division is left to the weights.

    `shape` is that of the constants: the colours first, or last and repeated along a row.
    """
    order = slice(None) if preprocess.colour == "rgb" else slice(None, None, -1)
    middle = _typed(writer, np.array(preprocess.mean[order]) * LEVELS)
    mean = writer.floats("pixels.mean", _spread(middle, shape))
    value = writer.node("Sub", "pixels.centred", value, mean)
    factor = np.ones(3, dtype=np.float32)
    if divide:
        factor = _typed(writer, 1 / (np.array(preprocess.std[order]) * LEVELS))
        spread = writer.floats("pixels.spread", _spread(factor, shape))
        value = writer.node("Mul", "pixels.normalised", value, spread)
    return Pixels(value, preprocess, middle, factor)


def _spread(colours: Floats, shape: tuple[int, ...]) -> Floats:
    if shape[0] == len(colours):
        return colours.reshape(shape)
    return np.tile(colours, shape[-1] // len(colours))


def _typed(writer: GraphWriter, values: NDArray[np.float64]) -> Floats:
    typed: Floats = values.astype(writer.held_type).astype(np.float32)
    return typed
