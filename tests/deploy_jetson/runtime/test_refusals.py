"""What must be refused is one sentence with its exit code, from the programs and through the C
interface alike, and never a crash."""

from __future__ import annotations

import ctypes
import json
import subprocess
import threading
import time
from collections.abc import Callable
from ctypes import byref, c_char_p, c_double, c_int32, c_uint32
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from personvit.core import canonical_zip
from personvit.core.bundle import Bundle, verify
from personvit.core.errors import PersonvitError
from personvit.core.preprocess import Preprocess

PREPROCESS, DIMENSION = Preprocess(height=32, width=16), 24
USER, ENVIRONMENT, FULL, CLOSED = 1, 3, 5, 6
REFUSE, WAIT = 0, 1
CROP = np.zeros((32, 16, 3), np.uint8)


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


Answer = ctypes.c_uint64 * 8
"""As large as pv_answer, and more."""


class Refused(Exception):
    pass


@dataclass(frozen=True)
class Library:
    loaded: ctypes.CDLL

    def open(self, function: str, *words: object) -> ctypes.c_void_p:
        handle, error = ctypes.c_void_p(), Error()
        code = getattr(self.loaded, function)(*words, byref(handle), byref(error))
        assert code == error.code
        if code:
            assert handle.value is None
            raise Refused(code, error.sentence.decode())
        return handle

    def engine(self, path: Path, backend: str | None, plan: str | None = None) -> ctypes.c_void_p:
        bundle = self.open("pv_bundle_open", str(path).encode(), None)
        options = EngineOptions(
            ctypes.sizeof(EngineOptions),
            backend.encode() if backend else None,
            plan=plan.encode() if plan else None,
        )
        try:
            return self.open("pv_engine_open", bundle, byref(options))
        finally:
            self.loaded.pv_bundle_free(bundle)

    def pipeline(self, path: Path, queue: int, when_full: int) -> ctypes.c_void_p:
        options = PipelineOptions(ctypes.sizeof(PipelineOptions), queue, 1, 0.0, when_full)
        return self.open("pv_pipeline_open", self.engine(path, "fake"), byref(options))

    def submit(self, pipeline: ctypes.c_void_p, tag: int) -> tuple[int, str]:
        error = Error()
        code = self.loaded.pv_submit(pipeline, 0, tag, CROP.ctypes.data, byref(error))
        return code, error.sentence.decode()

    def next(self, pipeline: ctypes.c_void_p) -> tuple[int, str]:
        error, answer, embedding = Error(), Answer(), (ctypes.c_float * DIMENSION)()
        code = self.loaded.pv_next(pipeline, -1, byref(answer), embedding, byref(error))
        return code, error.sentence.decode()


@pytest.fixture(scope="module")
def library(native_program) -> Library:
    loaded = ctypes.CDLL(str(native_program("personvit", "libpersonvit.so.1")))
    pointer = ctypes.c_void_p
    loaded.pv_bundle_free.argtypes = (pointer,)
    loaded.pv_submit.argtypes = (pointer, c_uint32, ctypes.c_uint64, pointer, pointer)
    loaded.pv_next.argtypes = (pointer, c_int32, pointer, pointer, pointer)
    for name in ("close", "pipeline_free"):
        getattr(loaded, f"pv_{name}").argtypes = (pointer,)
    return Library(loaded)


@pytest.fixture
def bundle(shared, tmp_path) -> Path:
    fake = shared("deploy_jetson/runtime/fake_model.py")
    return fake.write(tmp_path / "fake.pvb", PREPROCESS, DIMENSION)


@pytest.fixture(scope="module")
def from_programs(native_program) -> Callable[..., set[tuple[int, str]]]:
    """What each program that opens a bundle says of one."""
    embed, search, bench = (native_program(f"pv-{name}") for name in ("embed", "search", "bench"))

    def answers(path: Path, *options: str) -> set[tuple[int, str]]:
        gallery = path.with_name("g.pvg")
        found = set()
        for words in (
            (embed, path, __file__, "--jsonl"),
            (search, "build", gallery, __file__, "--bundle", path),
            (bench, path),
        ):
            done = subprocess.run([*words, *options], capture_output=True, text=True)
            assert done.stdout == ""
            assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
            found.add((done.returncode, done.stderr[len("error: ") : -1]))
        assert not gallery.exists()
        return found

    return answers


def changed_byte(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


DAMAGES = {
    "tampered": changed_byte,
    "padded behind": lambda data: data + bytes(16),
    "padded before": lambda data: bytes(64) + data,
    "padded within": lambda data: data[:2000] + bytes(64) + data[2000:],
    "half": lambda data: data[: len(data) // 2],
    "a byte short": lambda data: data[:-1],
    "a byte alone": lambda data: data[:1],
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_bundle(library, from_programs, bundle, damage):
    bundle.write_bytes(DAMAGES[damage](bundle.read_bytes()))
    with pytest.raises(PersonvitError) as wanted:
        verify(bundle)
    with pytest.raises(Refused) as found:
        library.engine(bundle, "fake")
    assert found.value.args == (USER, str(wanted.value))
    assert from_programs(bundle, "--backend", "fake") == {found.value.args}


def test_a_bundle_of_a_newer_schema_asks_for_a_newer_version(library, from_programs, bundle):
    opened = Bundle.open(bundle)
    members: dict[str, bytes] = {name: opened.read(name) for name in opened.entries}
    document = json.loads(members["manifest.json"])
    document.update(schema=document["schema"] + 1, unknown={"to": "this version"})
    members["manifest.json"] = (json.dumps(document, sort_keys=True, indent=1) + "\n").encode()
    canonical_zip.write(bundle, members)
    with pytest.raises(PersonvitError) as wanted:
        verify(bundle)
    assert "schema" in str(wanted.value)
    with pytest.raises(Refused) as found:
        library.engine(bundle, "fake")
    assert found.value.args == (USER, str(wanted.value))
    assert from_programs(bundle, "--backend", "fake") == {found.value.args}


@pytest.mark.parametrize(
    "backend, code, says",
    [
        ("tensorrt", ENVIRONMENT, "TensorRT"),
        ("abacus", USER, "there is no backend 'abacus'; choose one of auto, tensorrt"),
    ],
)
def test_an_absent_backend(library, from_programs, bundle, backend, code, says):
    with pytest.raises(Refused) as found:
        library.engine(bundle, backend)
    assert found.value.args[0] == code and says in found.value.args[1]
    assert from_programs(bundle, "--backend", backend) == {found.value.args}


def test_a_plan_that_nothing_here_can_run(library, from_programs, bundle):
    with pytest.raises(Refused) as found:
        library.engine(bundle, None, "/no/model.plan")
    code, sentence = found.value.args
    assert code == ENVIRONMENT
    assert sentence.startswith("no backend can run here: tensorrt: ")
    assert from_programs(bundle, "--plan", "/no/model.plan") == {(code, sentence)}


def test_a_queue_that_is_full_when_the_end_comes(library, bundle):
    """Crops that wait are answered, newer ones are refused, and a second close changes nothing."""
    pipeline = library.pipeline(bundle, 4, REFUSE)
    taken = 0
    while (said := library.submit(pipeline, taken))[0] == 0:
        taken += 1
    assert said == (FULL, "the queue is full; submit again later, or leave this crop out")
    library.loaded.pv_close(pipeline)
    library.loaded.pv_close(pipeline)
    assert library.submit(pipeline, taken) == (CLOSED, "the pipeline was closed")
    assert [library.next(pipeline) for _ in range(taken)] == [(0, "")] * taken
    assert library.next(pipeline) == (CLOSED, "the pipeline was closed")
    library.loaded.pv_pipeline_free(pipeline)


def test_cameras_that_wait_for_a_full_queue_are_let_go_at_the_end(library, bundle):
    queue = 2
    pipeline = library.pipeline(bundle, queue, WAIT)
    said: list[tuple[int, str]] = []

    def camera() -> None:
        while not said or said[-1][0] == 0:
            said.append(library.submit(pipeline, 0))

    cameras = [threading.Thread(target=camera) for _ in range(3)]
    for each in cameras:
        each.start()
    while len(said) < queue:
        time.sleep(0.001)
    library.loaded.pv_close(pipeline)
    for each in cameras:
        each.join()
    assert set(said) <= {(0, ""), (CLOSED, "the pipeline was closed")}
    assert said[-1][0] == CLOSED
    library.loaded.pv_pipeline_free(pipeline)
