"""The native runtime decodes and resizes as Python does, and refuses the same files."""

from __future__ import annotations

import random
import subprocess
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import PIL
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvit.core.errors import DataError
from personvit.core.images import decode
from personvit.core.preprocess import Preprocess

Pixels = NDArray[np.uint8]

FILTERS = ("nearest", "bilinear", "bicubic", "lanczos", "box")
SIDES = (1, 2, 5, 16, 31, 33, 64, 97, 128, 200, 256, 257, 600)
HEIGHT_FIRST = int(PIL.__version__.split(".")[0]) >= 13
"""Since 13 Pillow may shrink the height before the width, and the native runtime does as it does.
Older ones round between the passes the other way about: a unit apart, or more where a filter
overshoots."""


@dataclass(frozen=True)
class Native:
    """Answers of the `image_dump` program: pixels, or the sentence of a refusal."""

    program: Path
    folder: Path

    def decoded(self, files: Iterable[bytes]) -> list[Pixels | str]:
        return self.answers([f"decode\t{self.kept(data)}" for data in files])

    def kept(self, data: bytes) -> Path:
        path = self.folder / f"{len(list(self.folder.iterdir()))}"
        path.write_bytes(data)
        return path

    def answers(self, lines: list[str]) -> list[Pixels | str]:
        done = subprocess.run(
            [self.program], input="\n".join(lines).encode() + b"\n", capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode()
        found = list(_answers(done.stdout))
        assert len(found) == len(lines)
        return found


def _answers(out: bytes) -> Iterable[Pixels | str]:
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        kind, *rest = out[at:end].decode().split("\t")
        at = end + 1
        if kind == "error":
            yield rest[0]
            continue
        height, width = map(int, rest)
        yield np.frombuffer(out, np.uint8, height * width * 3, at).reshape(height, width, 3)
        at += height * width * 3


@pytest.fixture(scope="session")
def image_files(shared: Callable[[str], ModuleType]) -> ModuleType:
    return shared("deploy_jetson/runtime/image_files.py")


@pytest.fixture
def native(native_program: Callable[[str], Path], tmp_path: Path) -> Native:
    return Native(native_program("image_dump"), tmp_path)


def in_python(data: bytes, name: Path | str) -> Pixels | str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd EXIF blocks
        try:
            return decode(data, str(name))
        except DataError as problem:
            return str(problem)


def apart(one: Pixels | str, other: Pixels | str) -> int | None:
    """The greatest difference of a value; nothing where the verdicts differ."""
    if isinstance(one, str) or isinstance(other, str):
        return 0 if isinstance(one, str) and isinstance(other, str) else None
    if one.shape != other.shape:
        return None
    return int(np.abs(one.astype(np.int16) - other).max())


@pytest.mark.parametrize("kind", ["jpegs", "pngs"])
def test_every_kind_of_file_is_seen_alike(
    native: Native, image_files: ModuleType, kind: str
) -> None:
    files = dict(getattr(image_files, kind)())
    differ = {
        name: (seen if isinstance(seen, str) else seen.shape)
        for (name, data), seen in zip(files.items(), native.decoded(files.values()), strict=True)
        if apart(in_python(data, name), seen) not in (0, 1)
    }
    assert not differ


@pytest.mark.parametrize("kind", ["jpegs", "pngs"])
def test_damaged_files_get_the_same_verdict(
    native: Native, image_files: ModuleType, kind: str
) -> None:
    """Nearly all: versions of libjpeg smooth the gaps of a damaged progressive file differently,
    and Pillow looks closer at some markers that have no bearing on the pixels."""
    chance = random.Random(5)  # noqa: S311
    whole = [data for _, data in getattr(image_files, kind)() if len(data) < 4000]
    files = [damaged(chance.choice(whole), chance) for _ in range(1500)]
    differences = [
        apart(in_python(data, "damaged"), seen)
        for data, seen in zip(files, native.decoded(files), strict=True)
    ]
    assert differences.count(None) <= 3
    assert sum(one is not None and one > 1 for one in differences) <= 3


def damaged(data: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return data[: chance.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        changed[chance.randrange(len(data))] = chance.choice((chance.randrange(256), 0, 255))
    return bytes(changed)


def refused_files(image_files: ModuleType) -> dict[str, bytes]:
    pixels = image_files.picture(20, 10)
    jpeg, png = (image_files.saved(pixels, format) for format in ("JPEG", "PNG"))
    return {
        "empty": b"",
        "web page": b"<!doctype html>",
        "odd bytes": b"\0\t'\"\\\xff\n~\x7f",
        "half a JPEG": jpeg[: len(jpeg) // 2],
        "a JPEG's start": jpeg[:3],
        "huge JPEG": image_files.with_size(jpeg, 65500, 65500),
        "huge PNG": image_files.png(1, 1, 2, 8, size=(100_000, 100_000)),
        "PNG without pixels": image_files.png(1, 1, 2, 8, size=(0, 5)),
        "two layers": image_files.with_byte(jpeg, b"\xff\xc0", 9, 2),
        "12 bits": image_files.with_byte(jpeg, b"\xff\xc0", 4, 12),
        "cut PNG": png[:-12],
    }


def test_refusals_have_the_same_words(native: Native, image_files: ModuleType) -> None:
    files = refused_files(image_files)
    for name, data in files.items():
        path = native.kept(data)
        (seen,) = native.answers([f"decode\t{path}"])
        assert seen == in_python(data, path), name


@pytest.mark.parametrize(("format", "name"), [("WEBP", "WebP"), ("BMP", "BMP")])
def test_formats_this_runtime_lacks_are_named(
    native: Native, image_files: ModuleType, format: str, name: str
) -> None:
    data = image_files.saved(image_files.picture(9, 9), format)
    (seen,) = native.decoded([data])
    assert str(seen).endswith(
        f"{name} images are not supported by this runtime; convert to JPEG or PNG"
    )


def resizes(chance: random.Random, count: int) -> Iterable[tuple[tuple[int, int], Preprocess]]:
    for nth in range(count):
        source = chance.choice(SIDES), chance.choice(SIDES)
        if nth % 10 == 0:
            source = chance.choice(((3000, 2), (2, 3000), (1080, 1920)))
        size = chance.choice(((256, 128), (256, 128), (384, 128), (224, 224)))
        if nth % 3 == 0:
            size = chance.choice(SIDES), chance.choice((source[1], chance.choice(SIDES)))
        antialias = chance.random() < 0.6
        yield source, Preprocess(*size, filter=FILTERS[nth % 5], antialias=antialias)


def test_resized_images_are_the_same(native: Native, image_files: ModuleType) -> None:
    chance = random.Random(3)  # noqa: S311
    cases = []
    for (height, width), preprocess in resizes(chance, 300):
        image = image_files.picture(height, width, chance.randrange(100))
        path = native.kept(image_files.saved(image, "PNG", compress_level=0))
        settings = f"{preprocess.height}\t{preprocess.width}\t{preprocess.filter}"
        line = f"crop\t{path}\t{settings}\t{int(preprocess.antialias)}"
        if chance.random() < 0.4:
            left, top = chance.randrange(-5, width), chance.randrange(-5, height)
            right = left + chance.randrange(6, width + 9)
            bottom = top + chance.randrange(6, height + 9)
            line += f"\t{left}\t{top}\t{right}\t{bottom}"
            image = image[max(top, 0) : bottom, max(left, 0) : right]
        cases.append((line, preprocess, preprocess.resize(image)))
    for (line, preprocess, wanted), seen in zip(
        cases, native.answers([line for line, *_ in cases]), strict=True
    ):
        assert apart(wanted, seen) in allowed(preprocess), line


def allowed(preprocess: Preprocess) -> range:
    if HEIGHT_FIRST or not preprocess.antialias:
        return range(1)
    return range(2) if preprocess.filter in ("nearest", "bilinear", "box") else range(256)


def test_a_box_outside_the_image_is_refused(native: Native, image_files: ModuleType) -> None:
    path = native.kept(image_files.saved(np.asarray(Image.new("RGB", (50, 40))), "PNG"))
    (seen,) = native.answers([f"crop\t{path}\t16\t8\tbilinear\t1\t60\t0\t70\t9"])
    assert "holds no pixel" in str(seen)
