"""The model that is listened to: any weights, frozen, and what may be asked of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...core.errors import ConfigError
from ...core.manifest import Space
from ...core.models.lineage import lineage, whole_space
from ...core.models.weights import load_weights
from ..result import IDENTITIES

if TYPE_CHECKING:
    from ...core.models.config import ModelConfig
    from ...core.models.vit import ReidVit
    from ...core.models.weights import Loaded
    from ...core.preprocess import Preprocess


@dataclass(frozen=True)
class Teacher:
    """`space` is where its embeddings lie, and a teacher-compatible student's will."""

    ref: str
    loaded: Loaded
    space: Space

    @property
    def model(self) -> ReidVit:
        return self.loaded.model

    @property
    def config(self) -> ModelConfig:
        return self.loaded.config

    @property
    def preprocess(self) -> Preprocess:
        return self.loaded.preprocess

    @property
    def sentence(self) -> str:
        config = self.config
        return (
            f"{self.ref}: {config.width} wide, {config.depth} blocks, {config.tokens} tokens, "
            f"embedding of {config.embedding} {config.neck_feature} the neck"
        )

    @property
    def name(self) -> str:
        """Its space, and a digest of all it says: tensors, form, and how it sees a picture."""
        digest = hashlib.sha256(lineage(self.model).encode())
        for name, value in sorted(self.model.state_dict().items()):
            if name.startswith("classifier."):
                digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
        digest.update(json.dumps(self.config.to_dict(), sort_keys=True).encode())
        digest.update(self.preprocess.digest().encode())
        return f"{self.space.derived_id()} ({digest.hexdigest()[:16]})"

    @property
    def identities(self) -> str | None:
        return self.loaded.provenance.get(IDENTITIES)


def open_teacher(ref: str) -> Teacher:
    """Load the weights as they are; a teacher never learns."""
    loaded = load_weights(ref)
    if loaded.config.cameras:
        raise ConfigError(
            f"{ref} adds an embedding of the cameras it was trained with, which a student without "
            "one cannot follow; choose a teacher without cameras"
        )
    loaded.model.eval().requires_grad_(False)
    neck = loaded.config.neck_feature
    return Teacher(ref, loaded, whole_space(loaded.model, neck, loaded.provenance))
