"""Replays a bundle's golden crops on a freshly opened engine and refuses it on drift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import EnvironmentMismatch
from ..core.golden import Expectation

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Drifted(EnvironmentMismatch):
    """An engine computes something else here than it was proven to compute."""


@dataclass(frozen=True)
class Replay:
    """Crops and the embeddings one variant must give for them."""

    crops: NDArray[np.uint8]
    expectation: Expectation


@dataclass(frozen=True)
class Drift:
    """The worst crop in direction and in norm, over all batches that were replayed."""

    cosine: float
    cosine_crop: int
    norm: float
    norm_crop: int
    batch: int

    def within(self, expectation: Expectation) -> bool:
        bounds = expectation.bounds
        return self.cosine >= bounds.cosine_min and self.norm <= bounds.norm_tolerance


def drift(found: NDArray[np.float32], wanted: NDArray[np.float32], batch: int) -> Drift:
    """How far embeddings lie from the expected ones; what is not finite is farthest."""
    lengths = np.linalg.norm(found.astype(np.float64), axis=1)
    expected = np.linalg.norm(wanted.astype(np.float64), axis=1)
    products = np.einsum("ij,ij->i", found, wanted, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = np.nan_to_num(products / (lengths * expected), nan=-1.0)
        norms = np.nan_to_num(np.abs(lengths / expected - 1), nan=np.inf)
    low, far = int(cosines.argmin()), int(norms.argmax())
    return Drift(float(cosines[low]), low, float(norms[far]), far, batch)


def measure(embed: Embed, replay: Replay, batch: int) -> Drift:
    """Crops are repeated to fill a batch, so that the batch is really that large."""
    count = len(replay.crops)
    rows = np.arange(-(-count // batch) * batch) % count
    parts = [
        embed(replay.crops[rows[start : start + batch]]) for start in range(0, len(rows), batch)
    ]
    return _by_crop(drift(np.concatenate(parts), replay.expectation.embeddings[rows], batch), count)


def check(embed: Embed, replay: Replay, largest: int, name: str) -> None:
    """Refuse an engine whose answers drift at batch 1 or at its largest batch."""
    for batch in sorted({1, largest}):
        check_at(embed, replay, batch, name)


def check_at(embed: Embed, replay: Replay, batch: int, name: str) -> None:
    """Refuse an engine whose answers drift at this batch size."""
    worst = measure(embed, replay, batch)
    if not worst.within(replay.expectation):
        raise Drifted(_sentence(worst, replay.expectation, name))


def _by_crop(worst: Drift, count: int) -> Drift:
    return Drift(
        worst.cosine,
        worst.cosine_crop % count,
        worst.norm,
        worst.norm_crop % count,
        worst.batch,
    )


def _sentence(worst: Drift, expectation: Expectation, name: str) -> str:
    bounds = expectation.bounds
    if worst.cosine < bounds.cosine_min:
        what = (
            f"golden crop {worst.cosine_crop} has cosine {worst.cosine:.5f} to its expected "
            f"embedding, and the bound is {bounds.cosine_min:.5f}"
        )
    else:
        what = (
            f"golden crop {worst.norm_crop} has a length {worst.norm:.2%} away from the expected "
            f"one, and the bound is {bounds.norm_tolerance:.2%}"
        )
    return (
        f"{name} does not compute here what it was proven to compute: at batch {worst.batch}, "
        f"{what}; use another engine or precision (personvit-engine list), or another version of "
        "the runtime"
    )
