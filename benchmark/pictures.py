"""Small JPEG pictures that live inside a page."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.errors import DataError

QUALITY = 82


def data_uri(picture: NDArray[np.uint8], height: int) -> tuple[str, int]:
    """The picture as a `data:` address, no taller than `height`, and its width."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise DataError(
            f"a picture of shape {picture.shape} and type {picture.dtype} cannot be shown; "
            "give uint8 height x width x RGB"
        )
    tall = min(height, picture.shape[0])
    width = max(1, round(picture.shape[1] * tall / picture.shape[0]))
    image = Image.fromarray(picture).resize((width, tall), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode(), width
