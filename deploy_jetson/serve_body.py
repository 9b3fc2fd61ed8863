"""The images in the body of a request: one by itself, or several as multipart/form-data."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError
from ..core.images import decode
from ..core.preprocess import Preprocess
from .serve_http import Refusal, Request

_BOUNDARY = re.compile(r'boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)


def images_in(request: Request, most: int) -> list[bytes]:
    """The encoded images in their order."""
    kind = request.headers.get("content-type", "")
    several = kind.lower().startswith("multipart/")
    images = _parts(request.body, kind, most) if several else [request.body]
    if not all(images):
        raise Refusal(400, "an image was expected, but there are no bytes; send a JPEG or PNG")
    return images


def crops_of(
    images: list[bytes], preprocess: Preprocess, given_up: Callable[[], bool]
) -> NDArray[np.uint8]:
    """Decoded and resized as the model wants them; a bad image refuses the whole request. Nobody
    waits for the rest of a request that ran out of time, and others wait for its thread."""
    crops = np.empty((len(images), preprocess.height, preprocess.width, 3), dtype=np.uint8)
    for number, image in enumerate(images):
        if given_up():
            raise Refusal(504, f"out of time after {number} of {len(images)} images; send fewer")
        crops[number] = preprocess.resize(_pixels(image, f"image {number}"))
    return crops


def _pixels(image: bytes, name: str) -> NDArray[np.uint8]:
    try:
        return decode(image, name)
    except DataError as problem:
        raise Refusal(400, _without_option(str(problem))) from None


def _parts(body: bytes, kind: str, most: int) -> list[bytes]:
    found = _BOUNDARY.search(kind)
    if found is None:
        raise Refusal(400, "the Content-Type names no boundary between the parts")
    mark = b"\r\n--" + (found[1] or found[2]).encode("latin-1")
    body = b"\r\n" + body
    if body.count(mark) - 1 > most:
        raise Refusal(413, f"more than {most} images in one request; send several requests")
    pieces = body.split(mark)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise Refusal(400, "the parts do not begin and end with the boundary they name")
    return [_content(piece) for piece in pieces[1:-1]]


def _content(piece: bytes) -> bytes:
    head, blank, content = piece.partition(b"\r\n\r\n")
    if not blank or not head.startswith(b"\r\n"):
        raise Refusal(400, "a part has no headers; each begins with Content-Disposition")
    return content


def _without_option(sentence: str) -> str:
    """The mend for a command's user is none for a client."""
    return sentence.replace(", remove it, or pass --skip-bad to leave it out", "")
