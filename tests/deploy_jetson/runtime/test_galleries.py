"""Galleries of the native runtime find what NumPy finds: INT8 to the bit, float within 1e-6."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ROWS, WIDTH, QUERIES, MOST = 3000, 100, 20, 10
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Native:
    program: Path
    folder: Path

    def hits(self, store: str, rows: Floats, queries: Floats, threads: int) -> tuple:
        for name, values in (("rows", rows), ("queries", queries)):
            (self.folder / name).write_bytes(values.astype("<f4").tobytes())
        gallery = self.folder / "g.pvg"
        self.run("build", store, rows.shape[1], self.folder / "rows", gallery)
        said = self.run("search", gallery, self.folder / "queries", MOST, threads).split()
        rows_found = np.array(said[::2], dtype=np.uint64).reshape(len(queries), MOST)
        cosines = np.array([float.fromhex(text) for text in said[1::2]], dtype=np.float32)
        return rows_found, cosines.reshape(len(queries), MOST)

    def run(self, *parts: object) -> str:
        done = subprocess.run([self.program, *map(str, parts)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def native(native_program: Callable[[str], Path], tmp_path: Path) -> Native:
    return Native(native_program("gallery_dump"), tmp_path)


@pytest.fixture(scope="module")
def vectors() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    rows[2000:2050] = rows[:50]  # ties
    queries = rows[:QUERIES] + rng.normal(scale=0.3, size=(QUERIES, WIDTH)).astype(np.float32)
    return rows * rng.uniform(0.01, 100, (ROWS, 1)).astype(np.float32), queries


def as_bytes(vectors: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Whole numbers up to 127, rounded half away from zero, and 1 / their length."""
    step = 127.0 / np.abs(vectors).max(axis=1, keepdims=True).astype(np.float64)
    scaled = vectors.astype(np.float64) * step
    whole = np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int64)
    return whole, (1.0 / np.sqrt((whole**2).sum(axis=1).astype(np.float64))).astype(np.float32)


def best(cosines: Floats) -> tuple[NDArray[np.int64], Floats]:
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :MOST]
    return order, np.take_along_axis(cosines, order, axis=1)


@pytest.mark.parametrize("threads", [0, 1])
def test_int8_hits_are_those_of_numpy_to_the_bit(native, vectors, threads):
    (rows, row_scales), (queries, query_scales) = map(as_bytes, vectors)
    products = (queries @ rows.T).astype(np.float32)
    expected = best(products * row_scales * query_scales[:, None])
    found = native.hits("int8", *vectors, threads)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_float_hits_are_those_of_numpy(native, vectors):
    rows, queries = (
        (each / np.linalg.norm(each, axis=1, keepdims=True)).astype(np.float32)
        for each in (one.astype(np.float64) for one in vectors)
    )
    cosines = (queries.astype(np.float64) @ rows.T.astype(np.float64)).astype(np.float32)
    found = native.hits("float", *vectors, 0)
    np.testing.assert_allclose(found[1], best(cosines)[1], atol=1e-6)
    own = np.take_along_axis(cosines, found[0].astype(np.int64), axis=1)
    np.testing.assert_allclose(found[1], own, atol=1e-6)
