"""The C interface, by its header alone: through ctypes, as any language would use it."""

from __future__ import annotations

import ctypes
import re
import subprocess
import threading
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_uint32, c_uint64
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvit import __version__
from personvit.core.images import read_image
from personvit.core.preprocess import Preprocess

HEADER = Path(__file__).parents[3] / "deploy_jetson/runtime/include/personvit/personvit.h"
PREPROCESS = Preprocess(height=32, width=16)
DIMENSION = 24
FULL, CLOSED, EMPTY, WAIT = 5, 6, 7, 1


class Error(ctypes.Structure):
    _fields_ = (("code", ctypes.c_int), ("sentence", ctypes.c_char * 1024))


class EngineOptions(ctypes.Structure):
    _fields_ = (
        ("size", c_uint32),
        *((name, c_char_p) for name in ("backend", "variant", "precision")),
        ("batch", c_int32),
        ("threads", c_int32),
        ("cache", c_char_p),
        ("plan", c_char_p),
    )


class PipelineOptions(ctypes.Structure):
    _fields_ = (
        ("size", c_uint32),
        ("queue", c_int32),
        ("batch", c_int32),
        ("wait_ms", c_double),
        ("when_full", ctypes.c_int),
    )


class Answer(ctypes.Structure):
    _fields_ = (
        ("stream", c_uint32),
        ("tag", c_uint64),
        ("code", ctypes.c_int),
        ("queued_ms", c_double),
        ("run_ms", c_double),
    )


class Shape(ctypes.Structure):
    _fields_ = tuple((name, c_int32) for name in ("height", "width", "dimension", "batch"))


@pytest.fixture(scope="module")
def library_file(native_program) -> Path:
    return native_program("personvit", "libpersonvit.so.1")


@pytest.fixture(scope="module")
def library(library_file) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(library_file))
    for name in ("version", "backends", "bundle_space", "engine_info"):
        getattr(loaded, f"pv_{name}").restype = c_char_p
    loaded.pv_engine_shape.restype = Shape
    loaded.pv_submit.argtypes = (
        ctypes.c_void_p,
        c_uint32,
        c_uint64,
        ctypes.c_void_p,
        POINTER(Error),
    )
    loaded.pv_crop_from_file.argtypes = (
        *(ctypes.c_void_p, c_char_p, ctypes.c_size_t, c_char_p),
        *(ctypes.c_void_p, POINTER(Error)),
    )
    loaded.pv_embed.argtypes = (
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p),
        POINTER(Error),
    )
    return loaded


@pytest.fixture(scope="module")
def fake(shared):
    return shared("deploy_jetson/runtime/fake_model.py")


class Opened:
    """A bundle and an engine of the fake backend, opened through the interface."""

    def __init__(self, library: ctypes.CDLL, path: Path) -> None:
        self.library, self.error = library, Error()
        self.bundle = self.open("pv_bundle_open", str(path).encode(), None)
        options = EngineOptions(ctypes.sizeof(EngineOptions), b"fake", batch=4)
        self.engine = self.open("pv_engine_open", self.bundle, byref(options))

    def open(self, function: str, *words: object) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        code = getattr(self.library, function)(*words, byref(handle), byref(self.error))
        assert code == 0, self.error.sentence
        assert self.error.sentence == b""
        return handle


@pytest.fixture
def opened(library, fake, tmp_path) -> Opened:
    return Opened(library, fake.write(tmp_path / "fake.pvb", PREPROCESS, DIMENSION))


def crops_of(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, 32, 16, 3), dtype=np.uint8)


def test_only_the_interface_can_be_seen(library_file):
    """Symbols of the C++ library inside would meet those of the program around it."""
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", library_file], capture_output=True, text=True, check=True
    ).stdout
    found = {line.split()[2].split("@")[0] for line in listed.splitlines()}
    declared = set(re.findall(r"\b(pv_\w+)\(", HEADER.read_text()))
    assert found - {"PERSONVIT_1"} == declared


def test_it_says_what_it_is(library):
    assert library.pv_version().decode() == __version__
    assert "fake" in library.pv_backends().decode().split(",")


def test_a_picture_becomes_the_embedding_of_python(library, opened, fake, tmp_path):
    picture = tmp_path / "a.jpg"
    Image.fromarray(crops_of(3).reshape(96, 16, 3)).resize((50, 70)).save(picture)
    shape = library.pv_engine_shape(opened.engine)
    assert (shape.height, shape.width, shape.dimension, shape.batch) == (32, 16, DIMENSION, 4)
    cropper = opened.open("pv_cropper_open", opened.bundle)
    crop, found = np.empty((1, 32, 16, 3), np.uint8), np.empty((1, DIMENSION), np.float32)
    data = picture.read_bytes()
    made = (cropper, data, len(data), b"a.jpg", crop.ctypes.data, byref(opened.error))
    assert library.pv_crop_from_file(*made) == 0
    assert library.pv_embed(opened.engine, crop.ctypes.data, 1, found.ctypes.data, None) == 0
    wanted = fake.embed(PREPROCESS.resize(read_image(picture))[None], DIMENSION)
    cosine = (found * wanted).sum() / np.linalg.norm(found) / np.linalg.norm(wanted)
    assert cosine >= 0.9999
    damaged = (cropper, data[:50], 50, b"a.jpg", crop.ctypes.data, byref(opened.error))
    assert library.pv_crop_from_file(*damaged) == 1
    assert opened.error.sentence.startswith(b"a.jpg: ")


def test_cameras_submit_while_a_reader_fetches(library, opened, fake):
    crops = crops_of(60)
    wanted = fake.embed(crops, DIMENSION)
    options = PipelineOptions(ctypes.sizeof(PipelineOptions), 4, 0, 0.5, WAIT)
    pipeline = opened.open("pv_pipeline_open", opened.engine, byref(options))

    def camera(stream: int) -> None:
        for tag in range(stream, 60, 3):
            library.pv_submit(pipeline, stream, tag, crops[tag].ctypes.data, None)

    cameras = [threading.Thread(target=camera, args=(stream,)) for stream in range(3)]
    for each in cameras:
        each.start()
    answer, embedding = Answer(), (c_float * DIMENSION)()
    seen: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for _ in range(60):
        assert library.pv_next(pipeline, -1, byref(answer), embedding, byref(opened.error)) == 0
        assert answer.code == 0
        assert np.array_equal(np.array(embedding, np.float32), wanted[answer.tag])
        seen[answer.stream].append(answer.tag)
    assert seen == {stream: list(range(stream, 60, 3)) for stream in range(3)}
    for each in cameras:
        each.join()
    assert library.pv_next(pipeline, 0, byref(answer), embedding, byref(opened.error)) == EMPTY
    assert b"ask again" in opened.error.sentence
    library.pv_close(pipeline)
    assert library.pv_next(pipeline, -1, byref(answer), embedding, byref(opened.error)) == CLOSED
    refused = library.pv_submit(pipeline, 0, 0, crops[0].ctypes.data, byref(opened.error))
    assert refused == CLOSED
    library.pv_pipeline_free(pipeline)
    library.pv_bundle_free(opened.bundle)


def test_a_full_queue_at_the_end_is_let_go(library, opened):
    crop = crops_of(1)
    options = PipelineOptions(ctypes.sizeof(PipelineOptions), 2, 1, 0.0, 0)
    pipeline = opened.open("pv_pipeline_open", opened.engine, byref(options))
    codes = {library.pv_submit(pipeline, 0, tag, crop.ctypes.data, None) for tag in range(500)}
    assert codes == {0, FULL}
    library.pv_pipeline_free(pipeline)


def test_a_pipeline_that_makes_no_sense_still_takes_the_engine(library, opened):
    options = PipelineOptions(ctypes.sizeof(PipelineOptions), -1, 0, 0.0, 0)
    handle = ctypes.c_void_p()
    code = library.pv_pipeline_open(
        opened.engine, byref(options), byref(handle), byref(opened.error)
    )
    assert (code, handle.value) == (1, None)
    assert opened.error.sentence == b"a queue holds 1 to 65536 crops, not -1"
