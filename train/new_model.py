"""`personvit-train new`: a model with random weights, for speed measurements and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.command import LARGEST_SEED, argument, option


@dataclass(frozen=True)
class NewOptions:
    """Write a model with random weights.

    Random weights show speed and size, never accuracy.

    Example: personvit-train new vit_small_16 -o random.safetensors
    """

    architecture: str = argument("a name from `personvit-train models`")
    out: Path = option(Path("random.safetensors"), "the file to write")
    size: str = option("256x128", "image height x width")
    seed: int = option(0, "seed of the weights", low=0, high=LARGEST_SEED)


@dataclass(frozen=True)
class NewModel:
    """What was written."""

    path: Path
    architecture: str
    size: str
    parameters: int

    def as_json(self) -> Mapping[str, Any]:
        return {
            "path": str(self.path),
            "architecture": self.architecture,
            "size": self.size,
            "parameters": self.parameters,
        }

    def as_text(self) -> str:
        return (
            f"{self.path}: {self.architecture} for {self.size} images, "
            f"{self.parameters / 1e6:.2f} M random weights"
        )


def new_model(options: NewOptions) -> NewModel:
    """Build, initialise from the seed, and save."""
    from ..core.models.native import save_native
    from ..core.models.registry import config_of
    from ..core.preprocess import Preprocess, parse_size
    from .initial import drawn

    height, width = parse_size(options.size)
    config = config_of(options.architecture, height_px=height, width_px=width)
    model = drawn(config, options.seed).eval()
    provenance = {"made_by": "personvit-train new", "seed": str(options.seed), "weights": "random"}
    save_native(options.out, model, Preprocess(height=height, width=width), provenance)
    count = sum(parameter.numel() for parameter in model.parameters())
    return NewModel(options.out, options.architecture, options.size, count)
