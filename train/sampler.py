"""Which crops meet in a batch: P identities with K crops each, as the published loop draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError
from .keyed import Purpose, generator

Batch = NDArray[np.int64]


class Sampler(Protocol):
    """Which crops meet, epoch by epoch."""

    @property
    def seed(self) -> int: ...

    def batches(self, epoch: int) -> list[Batch]: ...


@dataclass(frozen=True)
class CropSampler:
    """Batches of crops whoever they show, all different within an epoch; for unlabelled crops."""

    crops: int
    size: int
    seed: int

    def __post_init__(self) -> None:
        if self.crops < self.size:
            raise DataError(
                f"{self.crops} training crops do not fill one batch of {self.size}; "
                "lower batch.identities or batch.images, or add crops"
            )

    def batches(self, epoch: int) -> list[Batch]:
        order = generator(self.seed, Purpose.BATCHES, epoch).permutation(self.crops)
        full = self.crops // self.size * self.size
        return list(order[:full].reshape(-1, self.size).astype(np.int64))


@dataclass(frozen=True)
class IdentitySampler:
    """Batches of `identities` x `images` positions, drawn anew and reproducibly for each epoch.

    An identity's crops are shuffled and cut into groups of `images`; an incomplete last group is
    left out, and an identity with fewer crops repeats some. Batches take groups of `identities`
    different identities at a time until too few identities have groups left.
    """

    labels: NDArray[np.int64]
    identities: int
    images: int
    seed: int

    def __post_init__(self) -> None:
        found = len(np.unique(self.labels))
        if found < self.identities:
            raise DataError(
                f"the training split shows {found} identities, but a batch needs "
                f"{self.identities} different ones; set batch.identities={max(found, 2)} or less, "
                "or add identities"
                + (" (one identity alone cannot be told apart from anybody)" if found < 2 else "")
            )

    def batches(self, epoch: int) -> list[Batch]:
        """The batches of one epoch (epochs count from 1), each ordered identity by identity."""
        rng = generator(self.seed, Purpose.BATCHES, epoch)
        groups = [self._groups(crops, rng) for crops in self._crops_by_identity()]
        left = list(range(len(groups)))
        batches: list[Batch] = []
        while len(left) >= self.identities:
            chosen = [left[place] for place in rng.permutation(len(left))[: self.identities]]
            batches.append(np.concatenate([groups[identity].pop() for identity in chosen]))
            left = [identity for identity in left if groups[identity]]
        return batches

    def _crops_by_identity(self) -> Sequence[NDArray[np.int64]]:
        order = np.argsort(self.labels, kind="stable").astype(np.int64)
        starts = np.flatnonzero(np.diff(self.labels[order])) + 1
        return np.split(order, starts)

    def _groups(self, crops: NDArray[np.int64], rng: np.random.Generator) -> list[Batch]:
        if len(crops) < self.images:
            crops = rng.choice(crops, size=self.images, replace=True)
        shuffled = rng.permutation(crops)
        full = len(shuffled) // self.images * self.images
        return list(shuffled[:full].reshape(-1, self.images))


def share(batch: Batch, rank: int, world: int) -> Batch:
    """The contiguous part of a batch that one process of several works on."""
    each = len(batch) // world
    return batch[rank * each : (rank + 1) * each]
