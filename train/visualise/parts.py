"""Patches of many images in a few groups: the parts of a person that the features tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .looking import Looked

Foreground = Literal["component", "attention", "all"]

BACKGROUND = -1
MASS = 0.6
"""Of the class token's attention to patches, as in DINO's pictures."""
COMPONENTS = 4
ROUNDS, STARTS = 50, 8
SMALLEST = 1e-6

Bool = NDArray[np.bool_]
Float32 = NDArray[np.float32]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """[N, R, C]: 0 for the topmost part on; -1 for background and patches that were dropped."""

    labels: Int
    count: int


def find_parts(looked: Looked, count: int, foreground: Foreground, seed: int = 0) -> Parts:
    """Cluster the foreground of all images together, so that a number is one part in all."""
    chosen = foreground_of(looked, foreground)
    rows = _within_images(looked)[chosen]
    labels = np.full(chosen.shape, BACKGROUND, dtype=np.int64)
    count = min(count, len(np.unique(rows, axis=0)))
    if count:
        labels[chosen] = _kmeans(rows, count, np.random.default_rng(seed))
    return Parts(_from_top_to_bottom(labels, count), count)


def foreground_of(looked: Looked, how: Foreground) -> Bool:
    """[N, R, C]: the patches taken to show the person."""
    if how == "attention" and looked.tokens:
        return np.stack([_heaviest(image) for image in looked.mean()])
    if how == "component":
        return _by_component(looked)
    return looked.present


def _within_images(looked: Looked) -> Float32:
    """Features less their image's mean, as unit vectors.

    A network that was taught identities writes them into every patch, and the clusters would be
    people. What varies within an image is what the part is.
    """
    left = looked.features - np.nanmean(looked.features, axis=(1, 2), keepdims=True)
    units: Float32 = left / np.maximum(np.linalg.norm(left, axis=-1, keepdims=True), SMALLEST)
    return units


def _heaviest(attention: Float32) -> Bool:
    """The fewest patches that hold the mass."""
    shares = np.nan_to_num(attention).ravel()
    order = np.argsort(-shares, kind="stable")
    before = np.cumsum(shares[order]) - shares[order]
    chosen = np.zeros(shares.shape, dtype=bool)
    chosen[order] = before < MASS * shares.sum()
    return chosen.reshape(attention.shape)


def _by_component(looked: Looked) -> Bool:
    """One side of a principal component of all patches, split where Otsu would.

    Which component, and which side, follows from where people are: in the middle of their crop.
    The first one is as often the light of a scene.
    """
    present = looked.present
    rows = _within_images(looked)[present].astype(np.float64)
    _, axes = np.linalg.eigh(rows.T @ rows)
    best, most = present, -np.inf
    for axis in axes.T[: -COMPONENTS - 1 : -1]:
        along = rows @ axis
        upper = np.zeros(present.shape, dtype=bool)
        upper[present] = along > _otsu(along)
        lower = present & ~upper
        apart = _centrality(upper) - _centrality(lower)
        if abs(apart) > most:
            best, most = upper if apart > 0 else lower, abs(apart)
    return best


def _centrality(chosen: Bool) -> float:
    """How near the chosen patches are to the vertical middle line; 0 at the edges, 1 on it."""
    columns = chosen.shape[2]
    near = 1 - np.abs(np.arange(columns) - (columns - 1) / 2) / (columns / 2)
    return float((chosen * near).sum() / max(chosen.sum(), 1))


def _otsu(values: NDArray[np.float64]) -> float:
    """The threshold that leaves the least variance on both sides together."""
    ordered = np.sort(values)
    below = np.arange(1, len(ordered))
    total, sums = ordered.sum(), np.cumsum(ordered)[:-1]
    above = len(ordered) - below
    between = sums**2 / below + (total - sums) ** 2 / above
    place = int(np.argmax(between)) if len(between) else 0
    return float(ordered[place])


def _kmeans(rows: Float32, count: int, rng: np.random.Generator) -> Int:
    best, least = np.zeros(len(rows), dtype=np.int64), np.inf
    for _ in range(STARTS):
        labels, cost = _one_kmeans(rows, _spread_out(rows, count, rng))
        if cost < least:
            best, least = labels, cost
    return best


def _spread_out(rows: Float32, count: int, rng: np.random.Generator) -> Float32:
    """k-means++: each next centre far from those before it."""
    centres = [rows[rng.integers(len(rows))]]
    for _ in range(count - 1):
        far = np.maximum(_squares(rows, np.stack(centres)).min(axis=1), 0) + 1e-12
        centres.append(rows[rng.choice(len(rows), p=far / far.sum())])
    return np.stack(centres)


def _one_kmeans(rows: Float32, centres: Float32) -> tuple[Int, float]:
    labels = np.full(len(rows), -1)
    for _ in range(ROUNDS):
        squares = _squares(rows, centres)
        nearest = squares.argmin(axis=1)
        if (nearest == labels).all():
            break
        labels = nearest
        for number in np.unique(labels):
            centres[number] = rows[labels == number].mean(axis=0)
    return labels, float(squares.min(axis=1).sum())


def _squares(rows: Float32, centres: Float32) -> NDArray[np.float64]:
    norms = np.square(rows).sum(axis=1)[:, None] + np.square(centres).sum(axis=1)
    squares: NDArray[np.float64] = (norms - 2 * rows @ centres.T).astype(np.float64)
    return squares


def _from_top_to_bottom(labels: Int, count: int) -> Int:
    """Number the parts by their mean height, so that the same colours come back in every run."""
    heights = np.broadcast_to(np.arange(labels.shape[1])[None, :, None], labels.shape)
    means = [
        heights[labels == number].mean() if (labels == number).any() else np.inf
        for number in range(count)
    ]
    places = np.append(np.argsort(np.argsort(means, kind="stable"), kind="stable"), BACKGROUND)
    renumbered: Int = places[labels]
    return renumbered
