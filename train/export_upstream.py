"""`personvit-train export-upstream`: our weights as a file of the published code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.command import argument
from ..core.errors import ConfigError

SUFFIXES = (".pth", ".pt", ".tar", ".bin")


@dataclass(frozen=True)
class ExportUpstreamOptions:
    """Write weights as the published PersonViT, PASS or TransReID-SSL code loads them.

    Unused tensors of that code (base.fc) are there too, so its strict loading succeeds.
    Preprocessing has no place in such a file; say it where you publish it.

    Example: personvit-train export-upstream market.safetensors transformer_120.pth
    """

    weights: str = argument("any weights that `import` takes")
    out: Path = argument("the .pth file to write")


@dataclass(frozen=True)
class ExportedUpstream:
    """The file that was written."""

    out: Path
    tensors: int
    layout: str

    def as_json(self) -> dict[str, Any]:
        return {"out": str(self.out), "tensors": self.tensors, "layout": self.layout}

    def as_text(self) -> str:
        return f"{self.tensors} tensors in the layout {self.layout} written to {self.out}"


def export_upstream(options: ExportUpstreamOptions) -> ExportedUpstream:
    """Rename every tensor back and save it whole."""
    import torch

    from ..core.files import replacing
    from ..core.models.family import Weights
    from ..core.models.upstream import to_upstream
    from ..core.models.weights import load_weights, recognise

    if options.out.suffix not in SUFFIXES:
        raise ConfigError(f"{options.out} should end in .pth, the format it is written in")
    loaded = load_weights(options.weights)
    state = to_upstream(loaded.model)
    family = recognise(Weights(str(options.out), state))
    with replacing(options.out) as part:
        torch.save(state, part)
    return ExportedUpstream(options.out, len(state), family.name)
