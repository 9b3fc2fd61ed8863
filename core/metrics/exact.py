"""Exact distances: no block shape, thread count or BLAS library can change a rank.

Embeddings are rounded once to a grid of integers (held in float64) whose norms stay below 2**26,
2**25 under the Euclidean metric. By Cauchy and Schwarz every partial sum of every inner product is
then an integer below 2**53, which float64 holds exactly: additions never round, so their order
cannot matter. The grid is finer than the rounding of a float32 matrix product: 2**-26 of the norm.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Metric = Literal["cosine", "euclidean"]

_COSINE_BITS = 26
_EUCLIDEAN_BITS = 25
_ROWS_AT_ONCE = 4096
_LARGEST_NORM = 1e100

Float64 = NDArray[np.float64]


class ExactDistances:
    """Exact distances between two sets of embeddings, made in blocks of query rows.

    Under "cosine" a distance is minus the inner product of the normalised vectors, under
    "euclidean" the squared distance less the query's own squared norm: for one query both order
    the gallery as the metric does.
    """

    def __init__(
        self, query: NDArray[np.floating], gallery: NDArray[np.floating], metric: Metric
    ) -> None:
        check_embeddings(query, "query")
        check_embeddings(gallery, "gallery")
        if query.shape[1] != gallery.shape[1]:
            raise DataError(
                f"query embeddings have {query.shape[1]} values and gallery embeddings "
                f"{gallery.shape[1]}; embed both with the same model"
            )
        scale = None if metric == "cosine" else _common_scale(query, gallery)
        self._query = -to_grid(query, "query", scale)
        self._gallery = to_grid(gallery, "gallery", scale)
        self._offset = None
        if metric == "euclidean":
            self._query *= 2
            self._offset = squared_norms(self._gallery)

    def rows(self, start: int, stop: int) -> Float64:
        block: Float64 = self._query[start:stop] @ self._gallery.T
        if self._offset is not None:
            block += self._offset
        return block


def to_grid(
    vectors: NDArray[np.floating], name: str = "the", scale: float | None = None
) -> Float64:
    """Integers in float64: the unit vectors times 2**26, or with `scale` the vectors times that."""
    grid = np.empty(vectors.shape, dtype=np.float64)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = grid[start : start + _ROWS_AT_ONCE]
        rows[...] = vectors[start : start + _ROWS_AT_ONCE]
        rows *= _unit_factors(rows, name, start) if scale is None else scale
        np.rint(rows, out=rows)
    return grid


def squared_norms(vectors: Float64) -> Float64:
    norms: Float64 = np.einsum("nd,nd->n", vectors, vectors)
    return norms


def check_embeddings(vectors: NDArray[np.floating], name: str) -> None:
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise DataError(
            f"{name} embeddings have shape {vectors.shape}; give one row of values per image"
        )
    if not np.issubdtype(vectors.dtype, np.floating):
        raise DataError(f"{name} embeddings are {vectors.dtype}; give floating-point numbers")
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        good = np.isfinite(vectors[start : start + _ROWS_AT_ONCE]).all(axis=1)
        if not good.all():
            row = start + int(np.argmin(good))
            raise DataError(
                f"the {name} embedding in row {row} holds NaN or infinity; the model or the "
                "precision it ran in is broken, and no rank computed from it would mean anything"
            )


def _unit_factors(rows: Float64, name: str, start: int) -> Float64:
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not largest.all():
        row = start + int(np.argmin(largest))
        raise DataError(
            f"the {name} embedding in row {row} is all zeros, so its cosine to anything is "
            "undefined; look at the image it came from, or rank with the Euclidean metric"
        )
    exponents = np.frexp(largest)[1]
    np.ldexp(rows, -exponents, out=rows)
    norms = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    factors: Float64 = 2.0**_COSINE_BITS / norms
    return factors


def _common_scale(query: NDArray[np.floating], gallery: NDArray[np.floating]) -> float:
    """A power of two, so that scaling rounds nothing."""
    norm = max(_largest_norm(query, "query"), _largest_norm(gallery, "gallery"))
    return (
        1.0
        if norm == 0
        else 2.0 ** (_EUCLIDEAN_BITS - int(np.frexp(max(norm, 1 / _LARGEST_NORM))[1]))
    )


def _largest_norm(vectors: NDArray[np.floating], name: str) -> float:
    largest = 0.0
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = vectors[start : start + _ROWS_AT_ONCE].astype(np.float64)
        largest = max(largest, float(np.sqrt((rows * rows).sum(axis=1)).max()))
    if largest > _LARGEST_NORM:
        raise DataError(f"a {name} embedding has the norm {largest:g}; rank with the cosine metric")
    return largest
