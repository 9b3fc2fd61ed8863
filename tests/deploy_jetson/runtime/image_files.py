"""Small image files of every kind the native decoder must take or refuse as Python does."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

SIZES = ((1, 1), (1, 7), (9, 1), (8, 8), (17, 33), (64, 48), (2, 301), (131, 67))
SIGNATURE = b"\x89PNG\r\n\x1a\n"
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
ADAM7 = (*PASSES, (1, 0, 2, 1))
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    """Smooth colours under some noise: every coefficient of a JPEG gets something to do."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / (5 + c) + c) * 60 + np.cos(columns / (7 - c)) * 60 for c in range(3)]
    noise = random.integers(-20, 20, (height, width, 3))
    return np.clip(np.stack(waves, axis=2) + 128 + noise, 0, 255).astype(np.uint8)


def saved(pixels: Pixels, format: str, mode: str = "RGB", **settings: object) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if image.mode == mode else image.convert(mode)).save(file, format, **settings)
    return file.getvalue()


def jpegs() -> Iterator[tuple[str, bytes]]:
    for height, width in SIZES:
        for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
            for progressive in (False, True):
                yield (
                    f"{height}x{width}-{subsampling}{'-progressive' * progressive}",
                    saved(
                        picture(height, width),
                        "JPEG",
                        subsampling=subsampling,
                        progressive=progressive,
                        quality=85,
                    ),
                )
        yield f"{height}x{width}-gray", saved(picture(height, width), "JPEG", "L")
        yield f"{height}x{width}-inks", saved(picture(height, width), "JPEG", "CMYK")
    yield from unusual_jpegs()


def unusual_jpegs() -> Iterator[tuple[str, bytes]]:
    pixels = picture(61, 45)
    yield "restarts", saved(pixels, "JPEG", restart_marker_blocks=2)
    yield "restart rows", saved(pixels, "JPEG", restart_marker_rows=1, progressive=True)
    yield "stored as RGB", saved(pixels, "JPEG", keep_rgb=True)
    yield "coarse", saved(pixels, "JPEG", quality=2)
    yield "fine", saved(pixels, "JPEG", quality=100, optimize=True)
    inks = saved(pixels, "JPEG", "CMYK", quality=95)
    yield "plain inks", without_adobe(inks)
    yield "inks as YCCK", with_transform(inks, 2)
    yield "progressive inks", saved(pixels, "JPEG", "CMYK", progressive=True)
    yield "4:1:1", resampled(saved(picture(32, 32), "JPEG", subsampling="4:2:0"), 0x41, 16, 64)
    yield "4:4:0", resampled(saved(picture(16, 32), "JPEG", subsampling="4:2:2"), 0x12, 32, 16)
    yield "12 bits", with_byte(saved(pixels, "JPEG"), b"\xff\xc0", 4, 12)
    yield "behind the end", saved(pixels, "JPEG") + b"more"
    yield "no end", saved(pixels, "JPEG")[:-2]
    yield "progressive, no end", saved(pixels, "JPEG", progressive=True)[:-2]
    yield "fill bytes", saved(pixels, "JPEG").replace(b"\xff\xc0", b"\xff\xff\xff\xc0", 1)
    yield "junk before a marker", saved(pixels, "JPEG").replace(b"\xff\xc0", b"junk\xff\xc0", 1)
    for orientation in (*range(10), 2**15):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"turned {orientation}", saved(pixels, "JPEG", exif=exif)
        yield f"turned inks {orientation}", saved(pixels, "JPEG", "CMYK", exif=exif)
    for name, block in exif_blocks():
        yield f"EXIF {name}", saved(pixels, "JPEG", exif=b"Exif\0\0" + block)
    packet = b'<x:xmpmeta><rdf tiff:Orientation="6"/></x:xmpmeta>'
    yield "turned by XMP", saved(pixels, "JPEG", xmp=packet)
    yield "huge", with_size(saved(pixels, "JPEG"), 65500, 65500)
    yield "no rows", with_size(saved(pixels, "JPEG"), 0, 45)


def exif_blocks() -> Iterator[tuple[str, bytes]]:
    """EXIF directories that Pillow reads, and some that it does not."""

    def directory(order: str, *entries: tuple[int, int, int, bytes], magic: int = 42) -> bytes:
        head = struct.pack(order + "HHL", 0x4949 if order == "<" else 0x4D4D, magic, 8)
        body = b"".join(struct.pack(order + "HHL", *entry[:3]) + entry[3] for entry in entries)
        return head + struct.pack(order + "H", len(entries)) + body + struct.pack(order + "L", 0)

    for order in "<>":
        six = struct.pack(order + "HH", 6, 0)
        yield f"short {order}", directory(order, (0x0112, 3, 1, six))
        yield f"two {order}", directory(order, (0x0112, 3, 2, struct.pack(order + "HH", 3, 6)))
        yield f"long {order}", directory(order, (0x0112, 4, 1, struct.pack(order + "L", 8)))
        yield f"signed {order}", directory(order, (0x0112, 8, 1, struct.pack(order + "hh", -6, 6)))
        yield f"byte {order}", directory(order, (0x0112, 1, 1, b"\6\0\0\0"))
        yield f"text {order}", directory(order, (0x0112, 2, 1, b"6\0\0\0"))
        yield f"fraction {order}", directory(order, (0x0112, 11, 1, struct.pack(order + "f", 6)))
        yield f"signed byte {order}", directory(order, (0x0112, 6, 1, b"\5\0\0\0"))
        yield f"unknown type {order}", directory(order, (0x0112, 77, 1, six))
        yield f"none of it {order}", directory(order, (0x0112, 3, 0, six))
        yield f"outside {order}", directory(order, (0x0112, 4, 9, struct.pack(order + "L", 4000)))
        yield f"twice {order}", directory(order, (0x0112, 77, 1, six), (0x0112, 3, 1, six))
        far = struct.pack(order + "L", 5_000)
        yield f"far first {order}", directory(order, (0x010F, 2, 9, far), (0x0112, 3, 1, six))
        yield f"far later {order}", directory(order, (0x0112, 3, 1, six), (0x0113, 2, 9, far))
        yield f"big {order}", directory(order, (0x0112, 3, 1, six), magic=43)
        yield f"swapped {order}", directory(order, (0x0112, 3, 1, six), magic=42 << 8)
        whole = directory(order, (0x0112, 3, 1, six))
        yield f"cut {order}", whole[:20]
        yield f"no next {order}", whole[:-4]
        yield f"marked twice {order}", b"Exif\0\0" + whole
    yield "empty", b""
    yield "noise", b"\xff" * 40


def pngs() -> Iterator[tuple[str, bytes]]:
    for colour, depths in DEPTHS.items():
        for depth in depths:
            for interlaced in (False, True):
                for height, width in SIZES:
                    name = f"{height}x{width}-{colour}-{depth}{'-interlaced' * interlaced}"
                    yield name, png(height, width, colour, depth, interlaced)
    yield from transparent_pngs()
    yield from unusual_pngs()


def transparent_pngs() -> Iterator[tuple[str, bytes]]:
    for depth in DEPTHS[0]:
        for key in (0, 1, 3, 85, 0x0111, 0xFFFF):
            clear = chunk(b"tRNS", struct.pack(">H", key))
            yield f"clear gray {depth} {key}", png(17, 33, 0, depth, extra=clear)
    for depth in DEPTHS[3]:
        for alphas in (b"\0", b"\xff\0\xff", b"\x80\0\x10\xff", bytes(range(256))):
            clear = chunk(b"tRNS", alphas[: 1 << depth])
            yield f"clear palette {depth} {len(alphas)}", png(17, 33, 3, depth, extra=clear)
    for depth in DEPTHS[2]:
        pixel = picture(17, 33)[3, 4].tolist()
        for key in (pixel, [value * 257 for value in pixel], [0, 0, 0]):
            clear = chunk(b"tRNS", struct.pack(">HHH", *key))
            yield f"clear colour {depth} {key}", png(17, 33, 2, depth, extra=clear)


def unusual_pngs() -> Iterator[tuple[str, bytes]]:
    pixels = picture(31, 22)
    good = saved(pixels, "PNG")
    yield "split IDAT", png(31, 22, 2, 8, pieces=7)
    yield "empty IDATs", good.replace(chunk(b"IEND", b""), chunk(b"IDAT", b"") + good[-12:])
    yield "short palette", png(17, 33, 3, 8, palette=b"\x10\x20\x30\x40\x50\x60")
    yield "cut palette", png(17, 33, 3, 8, palette=b"\x10\x20\x30\x40\x50")
    yield "palette of a colour image", png(17, 33, 2, 8, extra=chunk(b"PLTE", b"abc"))
    yield "wrong sum of IHDR", with_flip(good, 30)
    yield "wrong sum of IDAT", with_flip(good, len(good) - 13)
    yield "no IEND", good[:-12]
    yield "cut IEND", good[:-3]
    yield "garbage behind", good + b"garbage"
    yield "rows missing", png(31, 22, 2, 8, drop=100)
    yield "rows left over", png(31, 22, 2, 8, more=b"\0" * 4000)
    yield "wrong sum of zlib", png(31, 22, 2, 8, adler=b"oops")
    yield "unknown filter", png(31, 22, 2, 8, filter=9)
    yield "odd compression", png(31, 22, 2, 8, header=(1, 0))
    yield "odd filtering", png(31, 22, 2, 8, header=(0, 1))
    yield "odd depth", png(31, 22, 2, 8, claimed=3)
    yield "text", png(31, 22, 2, 8, extra=chunk(b"tEXt", b"Author\0someone"))
    yield "short gamma", png(31, 22, 2, 8, extra=chunk(b"gAMA", b"\0"))
    yield "profile", saved(pixels, "PNG", icc_profile=b"profile" * 50)
    yield "unknown chunk", png(31, 22, 2, 8, extra=chunk(b"abCd", b"text"))
    yield (
        "animated",
        saved(pixels, "PNG", save_all=True, append_images=[Image.fromarray(255 - pixels)]),
    )
    for orientation in range(10):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"turned {orientation}", saved(pixels, "PNG", exif=exif)
    for name, block in exif_blocks():
        yield f"EXIF {name}", png(31, 22, 2, 8, extra=chunk(b"eXIf", block))
    raw = b"\nexif\n      34\n" + (b"Exif\0\0" + dict(exif_blocks())["short <"]).hex().encode()
    yield "raw profile", png(31, 22, 2, 8, extra=chunk(b"tEXt", b"Raw profile type exif\0" + raw))
    packed = b"Raw profile type exif\0\0" + zlib.compress(raw)
    yield "packed profile", png(31, 22, 2, 8, extra=chunk(b"zTXt", packed))
    packet = b"<x tiff:Orientation>8</x>"
    plain = b"XML:com.adobe.xmp\0\0\0\0\0" + packet
    yield "turned by XMP", png(31, 22, 2, 8, extra=chunk(b"iTXt", plain))
    packed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    yield "turned by packed XMP", png(31, 22, 2, 8, extra=chunk(b"iTXt", packed))
    yield "late EXIF", good[:-12] + chunk(b"eXIf", dict(exif_blocks())["short >"]) + good[-12:]
    yield "huge", png(1, 1, 2, 8, size=(100_000, 100_000))
    yield "no rows", png(1, 1, 2, 8, size=(0, 5))


def png(
    height: int,
    width: int,
    colour: int,
    depth: int,
    interlaced: bool = False,
    *,
    extra: bytes = b"",
    palette: bytes | None = None,
    pieces: int = 1,
    drop: int = 0,
    more: bytes = b"",
    adler: bytes = b"",
    filter: int | None = None,
    header: tuple[int, int] = (0, 0),
    claimed: int | None = None,
    size: tuple[int, int] | None = None,
) -> bytes:
    """A PNG written by hand, with faults where they are asked for."""
    samples = _samples(height, width, colour, depth)
    rows = b"".join(_rows(samples[y::h, x::w], depth, filter) for y, x, h, w in (
        ADAM7 if interlaced else ((0, 0, 1, 1),)
    ))  # fmt: skip
    body = zlib.compress(rows[: len(rows) - drop] + more)
    body = body[:-4] + adler if adler else body
    step = -(-len(body) // pieces)
    data = b"".join(chunk(b"IDAT", body[at : at + step]) for at in range(0, len(body), step))
    if colour == 3:
        table = picture(16, 16, 1).tobytes()[: 3 << depth] if palette is None else palette
        extra = chunk(b"PLTE", table) + extra
    high, wide = size or (height, width)
    start = struct.pack(">IIBBBBB", wide, high, claimed or depth, colour, *header, interlaced)
    return SIGNATURE + chunk(b"IHDR", start) + extra + data + chunk(b"IEND", b"")


def _samples(height: int, width: int, colour: int, depth: int) -> NDArray[np.uint16]:
    colours = picture(height, width).astype(np.uint16)
    if colour in (4, 6):
        alpha = np.random.default_rng(2).choice([0, 1, 100, 128, 254, 255], (height, width, 1))
        colours = np.concatenate([colours, alpha.astype(np.uint16)], axis=2)
    picked = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[CHANNELS[colour]]
    samples = colours[..., picked]
    return samples * 257 if depth == 16 else samples >> (8 - depth)


def _rows(samples: NDArray[np.uint16], depth: int, filter: int | None) -> bytes:
    """All of PNG's row filters in turn."""
    height, width, channels = samples.shape
    if not width or not height:
        return b""
    step = max(depth * channels // 8, 1)
    before = b""
    rows = []
    for nth, row in enumerate(samples.reshape(height, -1)):
        raw = _packed(row, depth)
        kind = nth % 5 if filter is None else filter
        rows.append(bytes([kind]) + _filtered(raw, before or bytes(len(raw)), step, kind))
        before = raw
    return b"".join(rows)


def _packed(row: NDArray[np.uint16], depth: int) -> bytes:
    if depth >= 8:
        return row.astype(">u2" if depth == 16 else ">u1").tobytes()
    bits = (row[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def _filtered(raw: bytes, above: bytes, step: int, kind: int) -> bytes:
    def predicted(at: int) -> int:
        left = raw[at - step] if at >= step else 0
        corner = above[at - step] if at >= step else 0
        if kind == 4:
            return min(
                (left, above[at], corner), key=lambda value: abs(left + above[at] - corner - value)
            )
        return {1: left, 2: above[at], 3: (left + above[at]) // 2}.get(kind, 0)

    return bytes((value - predicted(at)) & 255 for at, value in enumerate(raw))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_flip(data: bytes, at: int, bits: int = 0xFF) -> bytes:
    return data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]


def with_byte(data: bytes, marker: bytes, behind: int, value: int) -> bytes:
    at = data.index(marker) + behind
    return data[:at] + bytes([value]) + data[at + 1 :]


def with_size(jpeg: bytes, height: int, width: int) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def resampled(jpeg: bytes, factors: int, height: int, width: int) -> bytes:
    """The same blocks, as many to a unit, laid out otherwise."""
    return with_byte(with_size(jpeg, height, width), b"\xff\xc0", 11, factors)


def without_adobe(jpeg: bytes) -> bytes:
    start = jpeg.index(b"\xff\xee")
    return jpeg[:start] + jpeg[start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big") :]


def with_transform(jpeg: bytes, transform: int) -> bytes:
    return with_byte(jpeg, b"\xff\xee", 15, transform)
