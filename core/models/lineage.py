"""Names weights by what decides their embeddings, so that converted files keep their name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..manifest import Neck, Space

if TYPE_CHECKING:
    from .vit import ReidVit

SHARED_SPACE = "shared_space"
"""The key of a native file's provenance under which a student keeps its teacher's space."""

Provenance = Mapping[str, str]


def lineage(model: ReidVit) -> str:
    """sha256 over every tensor that shapes the embedding; the identity classifier does not.

    A token schedule makes other embeddings of the same tensors, so it counts too.
    """
    digest = hashlib.sha256()
    if model.config.token_schedule:
        digest.update(f"token_schedule {model.config.token_schedule}".encode())
    for name, value in sorted(model.state_dict().items()):
        if name.startswith("classifier.") or name.endswith("num_batches_tracked"):
            continue
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def space_of(model: ReidVit, neck: Neck, provenance: Provenance | None = None) -> str:
    """The metric space's name: one for every precision of a model on one side of its neck."""
    return whole_space(model, neck, provenance).derived_id()


def whole_space(model: ReidVit, neck: Neck, provenance: Provenance | None = None) -> Space:
    """The space a model's embeddings lie in: its own, or that of the teacher it was taught by."""
    own = lineage(model)
    if model.config.projection and provenance and neck == model.config.neck_feature:
        shared = _shared(provenance, own)
        if shared is not None and shared.dimension == model.config.embedding:
            return shared
    return Space(own, neck, model.config.embedding)


def sharing(student: ReidVit, space: Space) -> dict[str, str]:
    """What a student's provenance says, so that its vectors count as of this space."""
    claim = {
        "lineage": space.lineage,
        "neck": space.neck,
        "dimension": space.dimension,
        "by": lineage(student),
    }
    return {SHARED_SPACE: json.dumps(claim, sort_keys=True)}


def _shared(provenance: Provenance, own: str) -> Space | None:
    """The claim holds for the weights that were measured: training on, or resizing, ends it."""
    try:
        claim = json.loads(provenance.get(SHARED_SPACE, ""))
        if claim["by"] != own:
            return None
        return Space(str(claim["lineage"]), claim["neck"], int(claim["dimension"]))
    except (ValueError, KeyError, TypeError):
        return None
