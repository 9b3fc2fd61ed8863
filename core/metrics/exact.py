"""Exact distances: no block shape, thread count or BLAS library can change a rank.

Embeddings are rounded once to a grid of integers (held in float64) whose norms stay below 2**26,
or 2**25 where squared distances are wanted. By Cauchy and Schwarz every partial sum of every inner
product is then an integer below 2**53, which float64 holds exactly: additions never round, so
their order cannot matter. The grid, 2**-26 of the norm, is finer than what a float32 product loses.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Metric = Literal["cosine", "euclidean"]

_INNER_BITS = 26
_SQUARE_BITS = 25
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
        _check_both(query, gallery)
        if metric == "cosine":
            self._query = -_unit_grid(query, "query", _INNER_BITS)
            self._gallery = _unit_grid(gallery, "gallery", _INNER_BITS)
        else:
            scale = _common_scale(query, gallery)
            self._query = -_scaled_grid(query, scale)
            self._gallery = _scaled_grid(gallery, scale)
        self._offset = None
        if metric == "euclidean":
            self._query *= 2
            self._offset = squared_norms(self._gallery)

    def rows(self, start: int, stop: int) -> Float64:
        block: Float64 = self._query[start:stop] @ self._gallery.T
        if self._offset is not None:
            block += self._offset
        return block


def shared_grid(
    query: NDArray[np.floating], gallery: NDArray[np.floating], metric: Metric
) -> Float64:
    """Queries, then gallery, on one grid that is coarse enough for exact squared distances."""
    _check_both(query, gallery)
    if metric == "cosine":
        parts = [
            _unit_grid(query, "query", _SQUARE_BITS),
            _unit_grid(gallery, "gallery", _SQUARE_BITS),
        ]
    else:
        scale = _common_scale(query, gallery)
        parts = [_scaled_grid(query, scale), _scaled_grid(gallery, scale)]
    return np.concatenate(parts)


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


def _check_both(query: NDArray[np.floating], gallery: NDArray[np.floating]) -> None:
    check_embeddings(query, "query")
    check_embeddings(gallery, "gallery")
    if query.shape[1] != gallery.shape[1]:
        raise DataError(
            f"query embeddings have {query.shape[1]} values and gallery embeddings "
            f"{gallery.shape[1]}; embed both with the same model"
        )


def _unit_grid(vectors: NDArray[np.floating], name: str, bits: int) -> Float64:
    grid = np.empty(vectors.shape, dtype=np.float64)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = grid[start : start + _ROWS_AT_ONCE]
        rows[...] = vectors[start : start + _ROWS_AT_ONCE]
        _normalise(rows, name, start)
        rows *= 2.0**bits
        np.rint(rows, out=rows)
    return grid


def _scaled_grid(vectors: NDArray[np.floating], scale: float) -> Float64:
    grid = vectors.astype(np.float64)
    grid *= scale
    return np.rint(grid, out=grid)


def _normalise(rows: Float64, name: str, start: int) -> None:
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not largest.all():
        row = start + int(np.argmin(largest))
        raise DataError(
            f"the {name} embedding in row {row} is all zeros, so its cosine to anything is "
            "undefined; look at the image it came from, or rank with the Euclidean metric"
        )
    np.ldexp(rows, -np.frexp(largest)[1], out=rows)
    rows /= np.sqrt((rows * rows).sum(axis=1, keepdims=True))


def _common_scale(query: NDArray[np.floating], gallery: NDArray[np.floating]) -> float:
    """A power of two, so that scaling rounds nothing."""
    norm = max(_largest_norm(query, "query"), _largest_norm(gallery, "gallery"))
    return (
        1.0 if norm == 0 else 2.0 ** (_SQUARE_BITS - int(np.frexp(max(norm, 1 / _LARGEST_NORM))[1]))
    )


def _largest_norm(vectors: NDArray[np.floating], name: str) -> float:
    largest = 0.0
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = vectors[start : start + _ROWS_AT_ONCE].astype(np.float64)
        largest = max(largest, float(np.sqrt((rows * rows).sum(axis=1)).max()))
    if largest > _LARGEST_NORM:
        raise DataError(f"a {name} embedding has the norm {largest:g}; rank with the cosine metric")
    return largest
