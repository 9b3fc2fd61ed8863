"""Images of every kind come out right, and everything else is a DataError with the path."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from personvit.core.errors import DataError
from personvit.core.images import BACKGROUND, MAX_PIXELS, decode, image_size, read_image

FORMATS = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "BMP": {},
}


def gradient(height: int = 24, width: int = 16) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:height, :width]
    planes = (rows * 255 // height, columns * 255 // width, (rows + columns) * 3)
    return np.stack(planes, axis=2).astype(np.uint8)


def encoded(image: Image.Image, format: str, **settings: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **{**FORMATS[format], **settings})
    return file.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A PNG written by hand: Pillow writes neither 16-bit colour nor absurd headers."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("format", FORMATS)
def test_colour_survives_every_format(format: str) -> None:
    pixels = gradient()
    seen = decode(encoded(Image.fromarray(pixels), format), "crop")
    assert seen.dtype == np.uint8
    assert seen.flags.c_contiguous
    assert seen.flags.writeable
    worst = np.abs(seen.astype(int) - pixels).max()
    assert worst <= (6 if format == "JPEG" else 0)


@pytest.mark.parametrize("format", FORMATS)
def test_grayscale_has_three_equal_channels(format: str) -> None:
    gray = gradient()[:, :, 0]
    seen = decode(encoded(Image.fromarray(gray), format), "crop")
    assert seen.shape == (24, 16, 3)
    assert np.abs(seen.astype(int) - gray[:, :, None]).max() <= (2 if format == "JPEG" else 0)


def test_palette_and_one_bit_images_are_expanded() -> None:
    image = Image.fromarray(gradient()).quantize(16)
    assert np.array_equal(decode(encoded(image, "PNG"), "p"), np.array(image.convert("RGB")))
    bits = Image.fromarray(gradient()[:, :, 0] > 100).convert("1")
    assert set(np.unique(decode(encoded(bits, "PNG"), "1"))) == {0, 255}


def test_16_bit_gray_is_scaled_and_not_clipped() -> None:
    levels = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    seen = decode(encoded(Image.fromarray(levels), "PNG"), "deep")
    assert np.array_equal(seen[:, :, 1], np.arange(256).reshape(16, 16))


def test_16_bit_colour_and_gray_agree() -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (4, 5), dtype=np.uint16)
    gray = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    colour = b"".join(b"\0" + np.repeat(row, 3).astype(">u2").tobytes() for row in levels)
    assert np.array_equal(
        decode(png(5, 4, 16, 0, gray), "g"), decode(png(5, 4, 16, 2, colour), "c")
    )


def test_transparent_pixels_lie_over_mid_grey_and_hide_their_colour() -> None:
    rgba = np.dstack([gradient(), np.full((24, 16), 255, np.uint8)])
    rgba[:12, :, 3] = 0
    rgba[12, 0] = (255, 255, 255, 128)
    for format in ("PNG", "WEBP"):
        seen = decode(encoded(Image.fromarray(rgba), format, exact=True), "cut-out")
        assert (seen[:12] == BACKGROUND).all()
        assert np.array_equal(seen[13:], gradient()[13:])
        assert seen[12, 0, 0] == pytest.approx((255 + BACKGROUND) / 2, abs=1)


def test_a_transparent_palette_or_key_colour_lies_over_mid_grey() -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8)).convert("P")
    image.putpalette([200, 0, 0, 0, 200, 0])
    seen = decode(encoded(image, "PNG", transparency=0), "palette")
    assert (seen[0, 0] == BACKGROUND).all()
    assert tuple(seen[0, 1]) == (0, 200, 0)
    key = chunk(b"tRNS", struct.pack(">H", 1000))
    seen = decode(png(2, 1, 16, 0, b"\0" + struct.pack(">HH", 1000, 0xFFFF), key), "key")
    assert seen[0, :, 0].tolist() == [BACKGROUND, 255]


def test_cmyk_is_inverted_exactly_where_adobe_says_so() -> None:
    """Pillow writes inverted inks and the marker; without it inks mean what they say."""
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[...] = (255, 0, 128, 30)
    wanted = np.array(Image.fromarray(inks, "CMYK").convert("RGB"))
    adobe = encoded(Image.fromarray(inks, "CMYK"), "JPEG")
    plain = without_app14(encoded(Image.fromarray(255 - inks, "CMYK"), "JPEG"))
    for data in (adobe, plain):
        assert np.abs(decode(data, "print").astype(int) - wanted).max() <= 3


def without_app14(data: bytes) -> bytes:
    start = data.index(b"\xff\xee")
    return data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_exif_rotation_is_applied(format: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "phone"
    path.write_bytes(encoded(Image.fromarray(gradient()), format, exif=exif))
    with Image.open(path) as image:
        wanted = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    seen = read_image(path)
    assert np.array_equal(seen, wanted)
    assert image_size(path) == seen.shape[:2]


def test_a_broken_exif_block_counts_as_none() -> None:
    data = encoded(Image.fromarray(gradient()), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\xff")
    assert decode(data, "old camera").shape == (24, 16, 3)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("lenient", [False, True])
def test_truncated_files_are_refused(
    format: str, share: float, lenient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a process where other code has told Pillow to let them pass."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    noise = np.random.default_rng(1).integers(0, 256, (64, 32, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), format)
    with pytest.raises(DataError, match=r"some/crop\.jpg"):
        decode(data[: int(len(data) * share)], "some/crop.jpg")


def bombs() -> dict[str, bytes]:
    jpeg = bytearray(encoded(Image.fromarray(gradient()), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    bmp = bytearray(encoded(Image.fromarray(gradient()), "BMP"))
    bmp[18:26] = struct.pack("<ii", 100_000, 100_000)
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\0" * 4 + b"\xff\xff\xff" * 2
    lossless = b"VP8L" + struct.pack("<I", 10) + b"\x2f" + b"\xff" * 9
    lossy = b"VP8 " + struct.pack("<I", 10) + b"\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f" + b"\0" * 4
    webp = {
        f"webp {body[:4].decode()}": b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
        for body in (canvas, lossless, lossy)
    }
    large = png(100_000, 100_000, 8, 2, b"")
    return {"jpeg": bytes(jpeg), "bmp": bytes(bmp), "png": large, **webp}


@pytest.mark.parametrize("kind", bombs())
def test_bombs_are_refused_by_their_header_and_pillow_is_left_alone(kind: str) -> None:
    before = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=f"limit of {MAX_PIXELS} pixels"):
            decode(bombs()[kind], "bomb")
    assert before == Image.MAX_IMAGE_PIXELS


def test_what_is_not_an_image_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "page.jpg").write_text("<html>not found</html>")
    (tmp_path / "flat.png").write_bytes(png(0, 5, 8, 2, b""))
    (tmp_path / "folder.jpg").mkdir()
    told = {
        "empty.jpg": "empty",
        "page.jpg": "not a JPEG, PNG, WebP or BMP",
        "flat.png": "no pixels",
        "folder.jpg": "folder",
        "absent.jpg": "no such file",
    }
    for name, message in told.items():
        for read in (read_image, image_size):
            with pytest.raises(DataError, match=message) as caught:
                read(tmp_path / name)
            assert str(tmp_path / name) in str(caught.value)


def test_an_unreadable_file_is_a_data_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(Image.fromarray(gradient()), "PNG"))

    def refuse(*_: object, **__: object) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    for read in (read_image, image_size):
        with pytest.raises(DataError, match=r"secret\.png.*Permission denied"):
            read(path)


@given(data=st.data(), format=st.sampled_from(sorted(FORMATS)))
def test_damage_gives_pixels_or_a_data_error_and_nothing_else(
    data: st.DataObject, format: str
) -> None:
    good = bytearray(encoded(Image.fromarray(gradient(8, 8)), format))
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        seen = decode(bytes(good[: data.draw(st.integers(0, len(good)))]), "fuzz")
    except DataError as problem:
        assert str(problem).startswith("fuzz: ")
    else:
        assert seen.dtype == np.uint8
        assert seen.ndim == 3


def test_threads_see_what_one_thread_sees() -> None:
    data = [encoded(Image.fromarray(gradient(32, 16 + step)), "JPEG") for step in range(8)]
    start = threading.Barrier(4)

    def read_all(_: int) -> list[bytes]:
        start.wait()
        return [decode(one, "crop").tobytes() for one in data]

    alone = [decode(one, "crop").tobytes() for one in data]
    with ThreadPoolExecutor(4) as pool:
        assert all(seen == alone for seen in pool.map(read_all, range(4)))


def test_a_palette_png_without_its_palette_is_refused() -> None:
    with pytest.raises(DataError, match=r"^no-palette\.png: damaged"):
        decode(png(4, 4, 8, 3, b"".join(b"\0" + bytes(4) for _ in range(4))), "no-palette.png")
