"""Rows that are mostly zero, kept as their non-zero entries (compressed sparse rows)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

_ENTRIES_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class SparseRows:
    """Row r holds values[offsets[r]:offsets[r + 1]] in `columns`, which ascend within a row."""

    offsets: Int64
    columns: Int32
    values: Float64

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def row(self, index: int) -> tuple[Int32, Float64]:
        entries = slice(self.offsets[index], self.offsets[index + 1])
        return self.columns[entries], self.values[entries]

    def entries_of(self, rows: NDArray[np.integer]) -> tuple[Int64, Int64]:
        """The positions of all entries of these rows, row after row, and how many each has."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        before = np.cumsum(lengths) - lengths
        return np.arange(lengths.sum()) + np.repeat(starts - before, lengths), lengths


def collect(parts: Iterable[tuple[Int64, Int64, Float64]], rows: int) -> SparseRows:
    """Join parts of (row, column, value) entries that are already in the order of rows, columns."""
    pieces = list(parts)
    counts = np.zeros(rows, dtype=np.int64)
    for row, _, _ in pieces:
        counts += np.bincount(row, minlength=rows)
    columns = [column.astype(np.int32) for _, column, _ in pieces]
    return SparseRows(
        np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)]),
        np.concatenate([np.empty(0, dtype=np.int32), *columns]),
        np.concatenate([np.empty(0), *(value for _, _, value in pieces)]),
    )


def mean_of_rows(matrix: SparseRows, groups: Int32, width: int) -> SparseRows:
    """Row i of the result is the mean of the matrix's rows groups[i]."""
    longest = int(np.diff(matrix.offsets).max(initial=1))
    step = max(1, _ENTRIES_AT_ONCE // (longest * groups.shape[1]))

    def parts() -> Iterable[tuple[Int64, Int64, Float64]]:
        for start in range(0, len(groups), step):
            group = groups[start : start + step]
            entries, lengths = matrix.entries_of(group.ravel())
            rows = np.repeat(np.repeat(np.arange(len(group)), group.shape[1]), lengths)
            keys = rows * width + matrix.columns[entries]
            order = np.argsort(keys, kind="stable")
            keys, first = np.unique(keys[order], return_index=True)
            sums = np.add.reduceat(matrix.values[entries][order], first) if len(first) else first
            yield start + keys // width, keys % width, sums / group.shape[1]

    return collect(parts(), len(groups))


def transposed(matrix: SparseRows, first: int, width: int) -> SparseRows:
    """Rows from `first` on, seen by column: row c lists who has column c, counted from `first`."""
    entries = slice(matrix.offsets[first], None)
    order = np.argsort(matrix.columns[entries], kind="stable")
    rows = np.repeat(np.arange(len(matrix) - first), np.diff(matrix.offsets[first:]))
    counts = np.bincount(matrix.columns[entries], minlength=width)
    return SparseRows(
        np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)]),
        rows[order].astype(np.int32),
        matrix.values[entries][order],
    )
