"""The crops a bundle carries, and what its variants must answer to them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BundleError
from .manifest import Bounds

CROPS = 16
MIN_PROBE = 200

_MAGIC = b"\x93NUMPY\x01\x00"
_DTYPES: Mapping[str, np.dtype[Any]] = {"<f4": np.dtype("<f4"), "|u1": np.dtype("|u1")}


@dataclass(frozen=True)
class Expectation:
    embeddings: NDArray[np.float32]
    bounds: Bounds


@dataclass(frozen=True)
class Golden:
    """Sixteen crops, and the embeddings each variant must give for them."""

    crops: NDArray[np.uint8]
    expected: Mapping[str, Expectation]


@dataclass(frozen=True)
class Probe:
    """Crops for agreement checks on a device without data."""

    crops: NDArray[np.uint8]
    embeddings: NDArray[np.float32]
    """What the full-precision model gives on the exporting machine."""
    expected: Mapping[str, NDArray[np.float32]]
    """What each variant gave there, by its name."""


def array_bytes(array: NDArray[Any]) -> bytes:
    """A float32 or uint8 array as a `.npy` file; the header does not depend on numpy's version."""
    descr = {kind: name for name, kind in _DTYPES.items()}[array.dtype]
    header = repr({"descr": descr, "fortran_order": False, "shape": array.shape}).encode()
    header += b" " * (-(len(_MAGIC) + 2 + len(header) + 1) % 64) + b"\n"
    return _MAGIC + len(header).to_bytes(2, "little") + header + array.tobytes()


def read_array(data: bytes, name: str, kind: type[Any], axes: int) -> NDArray[Any]:
    """The array of a `.npy` member; only the form that `array_bytes` writes is read."""
    start = len(_MAGIC) + 2 + int.from_bytes(data[len(_MAGIC) : len(_MAGIC) + 2], "little")
    header = data[len(_MAGIC) + 2 : start]
    try:
        fields: Any = ast.literal_eval(header[:512].decode("ascii").strip())
        shape = tuple(int(size) for size in fields["shape"])
        array = np.frombuffer(data, dtype=_DTYPES[fields["descr"]], offset=start).reshape(shape)
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError) as problem:
        raise BundleError(f"{name}: this is not a .npy file this project wrote") from problem
    if array.dtype != kind or array.ndim != axes or array_bytes(array) != data:
        raise BundleError(
            f"{name}: expected {axes} axes of {np.dtype(kind)}, found {array.dtype} of shape "
            f"{array.shape}; export the bundle again"
        )
    return array
