"""Judges a recipe on training identities, so that the gate's own data is looked at only once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.data.base import Sample
from ..core.errors import CalibrationError
from ..core.models.vit import ReidVit
from .fake_quant import as_int8
from .scales import Scales

FEWEST_IDENTITIES = 8


@dataclass(frozen=True)
class Damage:
    """What quantising some layers does to embeddings of known people."""

    error: float
    """Mean of 1 - cosine between the float and the quantised embedding."""
    worst: float
    """The 99th percentile of the same."""
    margin_loss: float
    """Mean decrease of (farthest own image) - (nearest stranger), in cosine."""


@dataclass(frozen=True)
class Rehearsal:
    """Training crops of people seen by several cameras, and their float embeddings."""

    images: Tensor
    identities: NDArray[np.int64]
    exact: NDArray[np.float32]
    batch: int = 32

    def first(self, crops: int) -> Rehearsal:
        """A shorter rehearsal, for work that is repeated for every layer."""
        part = slice(0, crops)
        return replace(
            self,
            images=self.images[part],
            identities=self.identities[part],
            exact=self.exact[part],
        )

    def damage(self, model: ReidVit, scales: Scales, layers: Collection[str]) -> Damage:
        with as_int8(model, scales, layers):
            changed = embed(model, self.images, self.batch)
        error = 1 - np.sum(self.exact * changed, axis=1, dtype=np.float64)
        before, after = (margins(side, self.identities) for side in (self.exact, changed))
        return Damage(
            error=float(error.mean()),
            worst=float(np.percentile(error, 99)),
            margin_loss=float((before - after).mean()),
        )


def choose_people(samples: Sequence[Sample], people: int, each: int, seed: int) -> list[Sample]:
    """Crops of `people` identities that at least two cameras saw, cameras in turn."""
    by_person: dict[int, list[Sample]] = defaultdict(list)
    for sample in sorted(samples):
        by_person[sample.identity].append(sample)
    known = [who for who, crops in by_person.items() if len({crop.camera for crop in crops}) > 1]
    if len(known) < FEWEST_IDENTITIES:
        raise CalibrationError(
            f"only {len(known)} training identities were seen by two cameras; a recipe search "
            f"needs at least {FEWEST_IDENTITIES}. Give a recipe with --recipe instead"
        )
    rng = np.random.default_rng([seed, 0x5EA])
    chosen = rng.permutation(sorted(known))[:people]
    return [crop for who in sorted(chosen) for crop in _over_cameras(by_person[int(who)], each)]


def _over_cameras(crops: list[Sample], count: int) -> list[Sample]:
    """The first crop of every camera, then the second of each, up to `count`."""
    seen: dict[int, int] = defaultdict(int)
    keyed = []
    for crop in crops:
        keyed.append((seen[crop.camera], crop.camera, crop))
        seen[crop.camera] += 1
    return [crop for *_, crop in sorted(keyed)[:count]]


@torch.inference_mode()
def embed(model: ReidVit, images: Tensor, batch: int) -> NDArray[np.float32]:
    parts = [model.embed(images[start : start + batch]) for start in range(0, len(images), batch)]
    result: NDArray[np.float32] = torch.cat(parts).float().numpy()
    return result


def margins(embeddings: NDArray[np.float32], identities: NDArray[np.int64]) -> NDArray[np.float64]:
    """Per crop: cosine to the farthest own image minus cosine to the nearest stranger."""
    similarity = embeddings.astype(np.float64) @ embeddings.T.astype(np.float64)
    same = identities[:, None] == identities[None, :]
    own = np.where(same, similarity, np.inf).min(axis=1)
    stranger = np.where(same, -np.inf, similarity).max(axis=1)
    result: NDArray[np.float64] = own - stranger
    return result
