"""`pv-embed` and `personvit-engine run` on the same files: embeddings and verdicts are the same."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from personvit.engines.cli import main as personvit_engine

pytest.importorskip("openvino")

FILES = 500
Answer = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def pv_embed(native_program) -> Callable[..., Answer]:
    program = native_program("pv-embed")

    def run(*words: object) -> Answer:
        return subprocess.run([program, *map(str, words)], capture_output=True, text=True)

    return run


@pytest.fixture(scope="module")
def image_files(shared) -> ModuleType:
    return shared("deploy_jetson/runtime/image_files.py")


@pytest.fixture
def model(small_bundle, tmp_path) -> Path:
    return small_bundle.write(tmp_path / "m.pvb", "int8")


def turned(image: Image.Image, orientation: int) -> bytes:
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    image.save(file, "JPEG", exif=exif, quality=90)
    return file.getvalue()


def crop(image_files: ModuleType, nth: int, chance: random.Random) -> tuple[str, bytes]:
    """One of eleven kinds in turn, of any size a detector may cut out."""
    height, width = chance.randrange(1, 260), chance.randrange(1, 130)
    pixels = image_files.picture(height, width, nth)
    image, saved = Image.fromarray(pixels), image_files.saved
    coarse = {"quality": chance.choice((30, 75, 95)), "subsampling": chance.randrange(3)}
    small = height % 40 + 1, width % 40 + 1
    colour, depth = chance.choice(((0, 16), (2, 16), (6, 16), (4, 16), (0, 1), (3, 2)))
    makers: tuple[tuple[str, Callable[[], bytes]], ...] = (
        ("jpg", lambda: saved(pixels, "JPEG", **coarse)),
        ("jpg", lambda: saved(pixels, "JPEG", progressive=True, **coarse)),
        ("jpeg", lambda: saved(pixels, "JPEG", "L", quality=coarse["quality"])),
        ("jpg", lambda: saved(pixels, "JPEG", "CMYK", quality=coarse["quality"])),
        ("jpg", lambda: turned(image, 1 + nth % 8)),
        ("JPG", lambda: turned(image.convert("L"), 1 + nth % 8)),
        ("png", lambda: saved(pixels, "PNG")),
        ("png", lambda: saved(np.asarray(image.quantize(chance.randrange(2, 256))), "PNG", "P")),
        ("png", lambda: image_files.png(*small, colour, depth, bool(nth % 2))),
        ("png", lambda: saved(np.dstack([pixels, pixels[:, :, 0]]), "PNG", "RGBA")),
        ("PNG", lambda: saved(pixels, "PNG", "LA")),
    )
    suffix, made = makers[nth % len(makers)]
    return f"{nth:03d}.{suffix}", made()


def broken_files(image_files: ModuleType) -> dict[str, bytes]:
    pixels = image_files.picture(90, 40)
    jpeg, png = (image_files.saved(pixels, format) for format in ("JPEG", "PNG"))
    progressive = image_files.saved(pixels, "JPEG", progressive=True)
    archive = io.BytesIO()
    zipfile.ZipFile(archive, "w").close()
    files = {
        "empty.jpg": b"",
        "empty.png": b"",
        "page.jpg": b"<!doctype html><title>404</title>",
        "archive.png": archive.getvalue(),
        "noise.jpg": random.Random(0).randbytes(4000),  # noqa: S311
        "noise-as.jpg": b"\xff\xd8\xff\xe0" + random.Random(1).randbytes(4000),  # noqa: S311
        "noise-as.png": image_files.SIGNATURE + random.Random(2).randbytes(4000),  # noqa: S311
        "zeros.jpg": bytes(5000),
        "huge.jpg": image_files.with_size(jpeg, 65500, 65500),
        "huge.png": image_files.png(1, 1, 2, 8, size=(100_000, 100_000)),
        "huge-and-cut.png": image_files.png(1, 1, 2, 8, size=(2**31 - 1, 2**31 - 1))[:40],
        "larger-than-it-is.png": image_files.png(9, 9, 2, 8, size=(900, 900)),
        "no-pixels.png": image_files.png(1, 1, 2, 8, size=(0, 5)),
        "damaged.png": png[:60] + bytes([png[60] ^ 0xFF]) + png[61:],
    }
    for share in (1, 10, 50, 90):
        for name, data in (("cut.jpg", jpeg), ("cut-progressive.jpg", progressive)):
            files[f"{share}-{name}"] = data[: max(3, len(data) * share // 100)]
        files[f"{share}-cut.png"] = png[: max(9, len(png) * share // 100)]
    return files


def misnamed_files(image_files: ModuleType) -> dict[str, bytes]:
    pixels = image_files.picture(70, 30)
    return {
        "a-png.jpg": image_files.saved(pixels, "PNG"),
        "a-jpeg.png": image_files.saved(pixels, "JPEG"),
        "a-jpeg.bmp": image_files.saved(pixels, "JPEG"),
    }


def written(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def in_python(*words: object) -> int:
    return personvit_engine.run(["run", *map(str, words)])


def facts(out: Path) -> dict[str, Any]:
    return json.loads(out.with_name(out.name + ".json").read_text())


def cosines(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    one, two = one.astype("f8"), two.astype("f8")
    return (one * two).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)


def test_500_files_of_every_kind_give_the_same_embeddings(
    pv_embed, image_files, model, tmp_path
) -> None:
    chance = random.Random(4)  # noqa: S311
    files = dict(crop(image_files, nth, chance) for nth in range(FILES))
    folder = written(tmp_path / "crops", files)
    ours, theirs = tmp_path / "ours.npy", tmp_path / "theirs.npy"
    done = pv_embed(model, folder, "-o", ours, "--batch", 8)
    assert (done.returncode, done.stderr) == (0, "")
    assert in_python(model, folder, "-o", theirs, "--batch", 8) == 0
    assert facts(ours)["images"] == facts(theirs)["images"]
    found, wanted = np.load(ours), np.load(theirs)
    assert found.shape == wanted.shape and len(found) == FILES
    alike = cosines(found, wanted)
    assert alike.min() >= 0.9999, facts(ours)["images"][int(alike.argmin())]
    lengths = np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)
    assert abs(lengths - 1).max() <= 0.001


def test_broken_files_get_the_same_verdict_in_the_same_words(
    pv_embed, image_files, model, tmp_path
) -> None:
    broken, good = broken_files(image_files), misnamed_files(image_files)
    folder = written(tmp_path / "crops", {**broken, **good})
    (folder / "a-folder.jpg").mkdir()
    (folder / "nowhere.jpg").symlink_to("nothing")
    os.mkfifo(folder / "pipe.png")
    ours, theirs = tmp_path / "ours.npy", tmp_path / "theirs.npy"
    done = pv_embed(model, folder, "-o", ours, "--skip-bad")
    assert (done.returncode, done.stderr) == (0, "")
    assert in_python(model, folder, "-o", theirs, "--skip-bad") == 0
    found, wanted = facts(ours), facts(theirs)
    assert [Path(path).name for path in found["images"]] == sorted(good)
    assert found["images"] == wanted["images"]
    assert cosines(np.load(ours), np.load(theirs)).min() >= 0.9999
    reasons = [
        {bad["path"]: bad["reason"] for bad in each["bad"]["images"]} for each in (found, wanted)
    ]
    assert len(reasons[0]) == len(broken) + 3
    assert reasons[0].keys() == reasons[1].keys()
    differ = {
        path: (reason, reasons[1][path])
        for path, reason in reasons[0].items()
        if not same_words(reason, reasons[1][path])
    }
    assert not differ


def same_words(one: str, other: str) -> bool:
    """All but what the two image libraries themselves say of a damaged file, in brackets."""
    heads = [text.partition(" (")[0] for text in (one, other)]
    return one == other or (heads[0] == heads[1] and "damaged" in heads[0])


@pytest.mark.parametrize("name", ["empty.jpg", "50-cut.jpg", "huge.png", "page.jpg"])
def test_one_broken_file_ends_both_with_the_same_code(
    pv_embed, image_files, model, tmp_path, capfd, name
) -> None:
    folder = written(tmp_path / "crops", {name: broken_files(image_files)[name]})
    done = pv_embed(model, folder, "-o", tmp_path / "e.npy")
    code = in_python(model, folder, "-o", tmp_path / "e.npy")
    said = capfd.readouterr().err.splitlines()[-1]
    assert done.returncode == code == 1
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert same_words(done.stderr.strip(), said)
    assert not (tmp_path / "e.npy").exists()
