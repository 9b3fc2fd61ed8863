"""What an ONNX file says about itself."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..core.models.lineage import space_of
from ..core.preprocess import Preprocess
from .graph_spec import GraphSpec

if TYPE_CHECKING:
    from ..core.models.vit import ReidVit

PREFIX = "personvit."


def metadata_of(
    model: ReidVit, preprocess: Preprocess, spec: GraphSpec, space: str | None
) -> dict[str, str]:
    """Metadata properties in a fixed order."""
    config = model.config
    values = {
        "version": __version__,
        "config": _json(config.to_dict()),
        "config_digest": _digest(_json(config.to_dict())),
        "preprocess": _json(preprocess.to_dict()),
        "embedding": str(config.embedding),
        "neck": spec.neck,
        "space": space or space_of(model, spec.neck),
        "precision": spec.precision,
        "int8_layers": str(len(spec.int8)),
    }
    return {PREFIX + key: values[key] for key in sorted(values)}


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
