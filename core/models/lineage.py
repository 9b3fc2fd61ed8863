"""Names weights by what decides their embeddings, so that converted files keep their name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .vit import ReidVit


def lineage(model: ReidVit) -> str:
    """sha256 over every tensor but the identity classifier's."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if not name.startswith("classifier."):
            digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
