"""`personvit-train import`: foreign weights, or a checkpoint of ours, become one of our files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..core.command import argument, option
from ..core.errors import UserError
from ..core.files import refuse_unwritable

if TYPE_CHECKING:
    from ..core.models.report import ImportReport


@dataclass(frozen=True)
class ImportOptions:
    """Read weights of PersonViT, PASS, TransReID-SSL, iBOT, DINO, MSN or timm.

    A checkpoint of our own pre-training gives the teacher of that step. Every key must be known
    and fit; the table says what was matched, dropped and changed.
    FILE may also be hf://owner/repository/path@revision or a short name (personvit-train models).

    Example: personvit-train import transformer_120.pth market.safetensors
    """

    file: str = argument("the weights to read")
    out: Path = argument("the safetensors file to write")
    branch: Literal["teacher", "student"] = option("teacher", "which half of a pre-training file")
    size: str | None = option(None, "resample the positions for images of HEIGHTxWIDTH")
    source_size: str | None = option(
        None, "the HEIGHTxWIDTH the file was trained at, where its shapes leave a choice"
    )
    tokens: Literal["mean", "cls-drop-patch"] | None = option(
        None, "turn a class-token model into one of 128 tokens"
    )
    fusion: Literal["cat", "mean"] | None = option(
        None, "how a PASS file without a classifier joins its tokens"
    )


@dataclass(frozen=True)
class Imported:
    """The file that was written and the account of every key."""

    out: Path
    report: ImportReport
    provenance: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        return {
            "out": str(self.out),
            **self.report.as_json(),
            "provenance": dict(self.provenance),
        }

    def as_text(self) -> str:
        return f"{self.report.as_text()}\nwritten to {self.out}"


def import_checkpoint(options: ImportOptions) -> Imported:
    """Convert completely, or raise and leave no file."""
    from ..core.models.native import save_native
    from ..core.models.weights import ReadOptions, load_weights
    from ..core.preprocess import parse_size

    if options.out.suffix != ".safetensors":
        raise UserError(f"{options.out} should end in .safetensors, the format it is written in")
    refuse_unwritable(options.out)
    loaded = load_weights(
        options.file,
        ReadOptions(
            branch=options.branch,
            size=parse_size(options.size) if options.size else None,
            source_size=parse_size(options.source_size) if options.source_size else None,
            tokens=options.tokens,
            fusion=options.fusion,
        ),
    )
    save_native(options.out, loaded.model, loaded.preprocess, loaded.provenance, loaded.ranges)
    return Imported(options.out, loaded.report, loaded.provenance)
