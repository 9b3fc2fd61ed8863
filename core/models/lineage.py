"""Names weights by what decides their embeddings, so that converted files keep their name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ..manifest import Neck, Space

if TYPE_CHECKING:
    from .vit import ReidVit


def lineage(model: ReidVit) -> str:
    """sha256 over every tensor that shapes the embedding; the identity classifier does not."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if name.startswith("classifier.") or name.endswith("num_batches_tracked"):
            continue
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def space_of(model: ReidVit, neck: Neck) -> str:
    """The metric space's name: one for every precision of a model on one side of its neck."""
    return Space(lineage(model), neck, model.config.embedding).derived_id()
