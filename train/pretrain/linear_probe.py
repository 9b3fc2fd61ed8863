"""The best linear map of frozen features for telling people apart, in closed form.

Re-identification is about people that nobody labelled, so the accuracy of a classifier on its own
identities would say little. What is asked instead: if the frozen features may be mapped linearly,
with the training identities as teachers, how well are *other* people found? The map is that of
linear discriminant analysis, which is the linear softmax classifier of equally spread Gaussian
classes: features are whitened by the scatter within identities. That needs no learning rate, no
epochs and no random number, so a curve over the steps of a run moves for one reason only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError

Float64 = NDArray[np.float64]

ROUNDING = float(np.finfo(np.float32).eps) ** 2
"""A share of a feature's square below which float32 holds nothing."""

SMALLEST = 1e-6
"""A direction is stretched at most a thousand times more than the widest one."""


@dataclass(frozen=True)
class Discriminant:
    """Features, centred and whitened by what varies within one person."""

    centre: Float64
    weight: Float64
    shrinkage: float

    def __call__(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        mapped: Float64 = (rows.astype(np.float64) - self.centre) @ self.weight
        return mapped.astype(np.float32)


def fit_discriminant(rows: NDArray[np.floating], identities: NDArray[np.int64]) -> Discriminant:
    """From one row and one identity per crop; identities with a single crop say nothing."""
    values = rows.astype(np.float64)
    _, classes, counts = np.unique(identities, return_inverse=True, return_counts=True)
    several = counts[classes] > 1
    if not several.any():
        raise DataError(
            "a linear probe needs identities with two or more training crops, and this data set "
            "has none; probe by nearest neighbours only"
        )
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, classes, values)
    within = (values - (sums / counts[:, None])[classes])[several]
    freedom = len(within) - len(np.unique(classes[several]))
    scatter, shrinkage = _shrunk(within, freedom)
    if np.trace(scatter) <= ROUNDING * np.square(values).sum(axis=1).mean():
        # Collapsed features: what little varies is rounding, which must not be blown up.
        return Discriminant(np.zeros(values.shape[1]), np.eye(values.shape[1]), 1.0)
    spread, axes = np.linalg.eigh(scatter)
    weight = axes / np.sqrt(np.maximum(spread, SMALLEST * spread[-1])) @ axes.T
    return Discriminant(values.mean(axis=0), weight, shrinkage)


def _shrunk(within: Float64, freedom: int) -> tuple[Float64, float]:
    """Ledoit and Wolf 2004: towards a sphere, by as much as the sample is too small to tell."""
    count, width = len(within), within.shape[1]
    scatter = within.T @ within / freedom
    sphere = np.trace(scatter) / width
    noise = (np.square(within).sum(axis=1) ** 2).sum() / count - np.square(scatter).sum()
    away = np.square(scatter - sphere * np.eye(width)).sum()
    amount = 1.0 if away == 0 else float(np.clip(noise / freedom / away, 0, 1))
    return (1 - amount) * scatter + amount * sphere * np.eye(width), amount
