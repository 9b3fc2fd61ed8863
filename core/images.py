"""Image files as arrays: JPEG, PNG, WebP and BMP become uint8 RGB, upright, or a DataError.

One way of looking at a file, whatever wrote it:

- Grayscale and palette images are expanded; 16 bits per channel keep the high byte, in grayscale
  as in colour, which is what libpng and OpenCV do.
- CMYK is read as inverted where the file carries Adobe's marker and as plain ink where it does not.
- Transparent pixels are laid over mid-grey (128). It is the zero of a network's normalised input,
  so a cut-out person gets no bright or dark halo, and hidden colours below the mask stay hidden.
- The EXIF orientation is applied; an EXIF block that cannot be read counts as none.
- Colour profiles are not applied: published ReID crops carry none.

Sizes are checked from the header before a pixel is decoded. Nothing here changes Pillow's
settings, so any number of threads may read.
"""

from __future__ import annotations

import io
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    Image,
    ImageChops,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
    features,
)

from .errors import DataError, EnvironmentMismatch

Pixels = NDArray[np.uint8]
Reduction = Callable[[int, int], int]
"""From an image's stored width and height: by how much, 1, 2, 4 or 8, it may be smaller."""

MAX_PIXELS = 1 << 26
"""67 megapixels: above any camera frame, below 1 GB while decoding."""
MAX_BYTES = 1 << 28
BACKGROUND = 128
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

_ORIENTATION = 0x0112
_HEAD = 32
_RE_EXPORT = "re-export it with an image editor, remove it, or pass --skip-bad to leave it out"


def read_image(path: Path) -> Pixels:
    """The image at `path` as height x width x RGB."""
    return decode(_read_bytes(path), str(path))


def decode(data: bytes, name: str, reduction: Reduction | None = None) -> Pixels:
    """An encoded image as height x width x RGB; `name` is what errors call it.

    With a `reduction`, that many times smaller where its size allows, which is faster in a JPEG.
    """
    _refuse_empty(len(data), name)
    image = _open(_Encoded(data), name)
    factor = reduction(*image.size) if reduction else 1
    try:
        shown = _reduced(image, factor) if factor > 1 else image
        shown.load()
        pixels = _to_rgb(shown)
    except Exception as problem:  # plugins meet damage with a dozen exception classes
        raise DataError(
            f"{name}: damaged or truncated image ({problem}); {_RE_EXPORT}"
        ) from problem
    return np.ascontiguousarray(_upright(pixels, _orientation(image)))


class _Encoded(io.BytesIO):
    """Bytes that may not be read past their end: PersonViT's and other ReID code sets Pillow's
    LOAD_TRUNCATED_IMAGES for the whole process, and half an image would then pass as grey."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data and size != 0:
            raise EOFError("the file ends before the image does")
        return data


def image_size(path: Path) -> tuple[int, int]:
    """Height and width as shown, from the header alone."""
    with _readable(path), path.open("rb") as file:
        image = _open(file, str(path))
        width, height = image.size
        return (width, height) if _orientation(image, loaded=False) >= 5 else (height, width)


def _read_bytes(path: Path) -> bytes:
    with _readable(path):
        return path.read_bytes()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Refuse what is not a file of a sensible size; put the system's refusals into words."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise DataError(f"{path}: this is a folder, not an image; give one of the files in it")
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"{path}: not a regular file; copy the image to a file first")
        _refuse_empty(found.st_size, str(path))
        if found.st_size > MAX_BYTES:
            raise DataError(
                f"{path}: {found.st_size} bytes is more than the limit of {MAX_BYTES} for one "
                "image; store it smaller"
            )
        yield
    except FileNotFoundError as problem:
        raise DataError(f"{path}: no such file; check the path") from problem
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise DataError(
            f"{path}: cannot be read ({reason}); check the file's permissions"
        ) from problem


def _open(file: IO[bytes], name: str) -> ImageFile.ImageFile:
    head = file.read(_HEAD)
    file.seek(0)
    _refuse_size(_declared_size(head), name)
    plugin = _plugin(head, name)
    try:
        image = plugin(file)
    except Exception as problem:  # as in `decode`
        raise DataError(f"{name}: damaged image header ({problem}); {_RE_EXPORT}") from problem
    _refuse_size(image.size, name)
    return image


def _plugin(head: bytes, name: str) -> type[ImageFile.ImageFile]:
    """Chosen by content, not by suffix. `Image.open` would warn about large images first, and
    silencing a warning is not thread-safe."""
    if head.startswith(b"\xff\xd8\xff"):
        return JpegImagePlugin.JpegImageFile
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImagePlugin.PngImageFile
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        if not features.check("webp"):
            raise EnvironmentMismatch(
                f"{name}: this Pillow was built without WebP; run pip install pillow"
            )
        return WebPImagePlugin.WebPImageFile
    if head.startswith(b"BM"):
        return BmpImagePlugin.BmpImageFile
    raise DataError(
        f"{name}: not a JPEG, PNG, WebP or BMP image (it starts with {head[:8]!r}); "
        "convert it to one of these"
    )


def _declared_size(head: bytes) -> tuple[int, int]:
    """Width and height where they must be known before the plugin opens: PNG, whose plugin calls a
    zero size 'not identified', and WebP, whose plugin allocates the canvas at once."""
    if head.startswith(b"\x89PNG") and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head[8:15] == b"WEBPVP8" and len(head) >= 30:
        return _webp_size(head)
    return 1, 1


def _webp_size(head: bytes) -> tuple[int, int]:
    """https://developers.google.com/speed/webp/docs/riff_container: the three kinds of chunk."""
    kind = head[15:16]
    if kind == b"X":
        return _little(head[24:27]) + 1, _little(head[27:30]) + 1
    if kind == b"L":
        bits = _little(head[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return _little(head[26:28]) & 0x3FFF, _little(head[28:30]) & 0x3FFF


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _refuse_empty(count: int, name: str) -> None:
    if not count:
        raise DataError(f"{name}: the file is empty (0 bytes); copy it again or remove it")


def _refuse_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise DataError(f"{name}: the image has no pixels ({width}x{height}); remove it")
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{name}: {width}x{height} is more than the limit of {MAX_PIXELS} pixels; "
            "crop or shrink it first"
        )


def _reduced(image: ImageFile.ImageFile, factor: int) -> Image.Image:
    """JPEG leaves out the finer part of its transform; others are averaged after decoding."""
    before = image.size
    image.draft(None, (max(1, before[0] // factor), max(1, before[1] // factor)))
    plain = image.size == before and image.mode == "RGB" and not image.has_transparency_data
    return image.reduce(factor) if plain else image


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if image.mode == "CMYK":
        return _from_cmyk(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        below = Image.new("RGBA", rgba.size, (BACKGROUND, BACKGROUND, BACKGROUND, 255))
        return np.array(Image.alpha_composite(below, rgba).convert("RGB"))
    return np.array(image.convert("RGB"))


def _from_16_bit(image: Image.Image) -> Pixels:
    values = np.asarray(image)
    gray = (values >> 8).astype(np.uint8)
    clear: Any = image.info.get("transparency")
    if isinstance(clear, int):
        gray[values == clear] = BACKGROUND
    return np.repeat(gray[:, :, None], 3, axis=2)


def _from_cmyk(image: Image.Image) -> Pixels:
    """Pillow takes every CMYK JPEG for an inverted one; only Adobe's marker says so."""
    if "adobe" in image.info:
        return np.array(image.convert("RGB"))
    return np.array(ImageChops.invert(image).convert("RGB"))


def _orientation(image: ImageFile.ImageFile, loaded: bool = True) -> int:
    """Reading a PNG's EXIF block through `getexif` decodes its pixels, hence `loaded`."""
    try:
        if loaded or image.format != "PNG":
            exif = image.getexif()
        else:
            exif = Image.Exif()
            exif.load(image.info.get("exif", b""))
        value = exif.get(_ORIENTATION, 1)
    except Exception:  # cameras write broken EXIF blocks; the pixels are sound
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """EXIF 2.32, tag Orientation: 5 to 8 are stored lying on their side."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
