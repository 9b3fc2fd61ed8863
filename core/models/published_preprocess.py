"""How the published files want their images: what travels with weights imported from them.

Every fine-tuned person model was trained and tested with mean and standard deviation 0.5. The
self-supervised pre-training before it used ImageNet's, with a bicubic filter. Each file keeps what
its own weights have seen; a fine-tuning recipe changes it when it changes the weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CheckpointError, ConfigError
from ..preprocess import Preprocess

if TYPE_CHECKING:
    from .family import Family

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

FINE_TUNED = Preprocess()
UNSUPERVISED = Preprocess(filter="bicubic")
PRE_TRAINED = Preprocess(filter="bicubic", mean=IMAGENET_MEAN, std=IMAGENET_STD)
CLASSIFIER = Preprocess(filter="bicubic")


def beside(path: Path, family: Family) -> tuple[Preprocess, str]:
    """A family's preprocessing, or what a timm `config.json` next to the file says instead."""
    config = path.parent / "config.json"
    if family.name != "timm" or not config.is_file():
        return family.preprocess, family.note
    try:
        told = json.loads(config.read_text(encoding="utf-8"))["pretrained_cfg"]
        found = Preprocess(
            filter=told["interpolation"], mean=tuple(told["mean"]), std=tuple(told["std"])
        )
    except (ValueError, KeyError, TypeError, ConfigError) as problem:
        raise CheckpointError(
            f"{config} does not describe timm's preprocessing ({problem!r}); mend or move it"
        ) from None
    return found, f"normalisation and filter from {config.name}"
