"""Confidence bounds on a mean whose values come in clusters: a bootstrap of whole clusters.

Queries of one person succeed and fail together, so identities are drawn, not queries. The bounds
are bias-corrected and accelerated (Efron, 1987): differences of AP are skewed, most being zero and
a few large, and plain percentiles would then miss more on one side than they claim.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError

RESAMPLES = 10_000
CONFIDENCE = 0.95

_DRAWS_AT_ONCE = 2_000_000
_NORMAL = NormalDist()

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class MeanBounds:
    """`lower` and `upper` each hold with the confidence asked for, one-sided."""

    mean: float
    error: float
    lower: float
    upper: float
    values: int
    clusters: int


def clustered_mean(
    values: Float64,
    clusters: NDArray[np.integer] | Sequence[int],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> MeanBounds:
    """Bound the mean of `values`; equal entries of `clusters` mark values that hang together."""
    labels = np.asarray(clusters)
    if values.ndim != 1 or labels.shape != values.shape or not len(values):
        raise DataError(
            f"{values.shape} values for {labels.shape} clusters; give one cluster for each value, "
            "and at least one value"
        )
    _, member = np.unique(labels, return_inverse=True)
    sizes = np.bincount(member).astype(np.float64)
    sums = np.asarray(np.bincount(member, weights=values), dtype=np.float64)
    mean = float(values.mean())
    residuals: Float64 = sums - mean * sizes
    count = len(sizes)
    spread = float(np.sqrt((residuals**2).sum()))
    error = spread / len(values) * float(np.sqrt(count / max(count - 1, 1)))
    if spread == 0.0:
        return MeanBounds(mean, 0.0, mean, mean, len(values), count)
    means = resampled_means(sums, sizes, seed, resamples)
    lower, upper = _accelerated(means, mean, residuals / spread, confidence)
    return MeanBounds(mean, error, lower, upper, len(values), count)


def resampled_means(sums: Float64, sizes: Float64, seed: int, resamples: int) -> Float64:
    """The mean of each resample of the clusters, drawn with replacement."""
    blocks = draws(len(sums), seed, resamples)
    return np.concatenate([(block @ sums) / (block @ sizes) for block in blocks])


def draws(clusters: int, seed: int, resamples: int) -> Iterator[Float64]:
    """Blocks of rows; a row says how often each cluster was drawn in one resample."""
    random = np.random.default_rng(seed)
    rows = max(1, _DRAWS_AT_ONCE // clusters)
    for start in range(0, resamples, rows):
        here = min(rows, resamples - start)
        drawn = random.integers(0, clusters, size=(here, clusters))
        drawn += np.arange(here)[:, None] * clusters
        counts = np.bincount(drawn.ravel(), minlength=here * clusters)
        yield counts.astype(np.float64).reshape(here, clusters)


def _accelerated(
    means: Float64, mean: float, residuals: Float64, confidence: float
) -> tuple[float, float]:
    """Efron's BCa percentiles; `residuals` have unit length."""
    below = np.count_nonzero(means < mean) + 0.5 * np.count_nonzero(means == mean)
    bias = _NORMAL.inv_cdf(float(np.clip(below / len(means), 1e-4, 1 - 1e-4)))
    acceleration = float((residuals**3).sum()) / 6
    ends = []
    for level in (1 - confidence, confidence):
        z = bias + _NORMAL.inv_cdf(level)
        ends.append(_NORMAL.cdf(bias + z / (1 - acceleration * z)))
    low, high = np.quantile(means, ends)
    return float(low), float(high)
