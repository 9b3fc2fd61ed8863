"""`personvit-train visualise`: where a model looks, and which parts of people it tells apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...core.command import LARGEST_SEED, argument, option
from ...core.errors import UserError


@dataclass(frozen=True)
class VisualiseOptions:
    """Draw the last block's attention and the parts that patches fall into.

    WEIGHTS is any file that can be loaded; IMAGES are files or folders. OUT gets one picture per
    image and index.html, which holds all of them. A colour means the same part in every image.

    Example: personvit-train visualise model.safetensors crops/ -o pictures
    """

    weights: str = argument("a weights file or a short name")
    images: tuple[Path, ...] = argument("crops, or folders of crops")
    out: Path = option(Path("pictures"), "a new folder for the pictures and the page")
    heads: bool = option(False, "one map for every attention head, not only their mean")
    parts: int = option(5, "how many parts to tell apart; 0 leaves them out", low=0, high=24)
    foreground: Literal["component", "attention", "all"] = option(
        "component",
        "which patches become parts: one side of a principal component, "
        "those that hold 60 % of the attention, or all",
    )
    size: str | None = option(None, "look at HEIGHTxWIDTH; a larger one gives finer maps")
    limit: int = option(48, "look at no more images, taken evenly from all", low=1, high=2000)
    camera: int = option(0, "the row of the camera embedding, where a model has one", low=0)
    seed: int = option(0, "of the clustering", low=0, high=LARGEST_SEED)
    device: Literal["auto", "cpu", "cuda"] = option("auto", "where to compute")


@dataclass(frozen=True)
class Visualised:
    """What was drawn, and what could not be."""

    page: Path
    pictures: tuple[Path, ...]
    parts: int
    notes: tuple[str, ...]
    bad: tuple[str, ...]

    def as_json(self) -> Mapping[str, Any]:
        return {
            "page": str(self.page),
            "pictures": [str(path) for path in self.pictures],
            "parts": self.parts,
            "notes": list(self.notes),
            "bad": list(self.bad),
        }

    def as_text(self) -> str:
        count = len(self.pictures)
        lines = [f"{count} picture{'s' * (count != 1)}; open {self.page}"]
        lines += [f"note      {note}" for note in self.notes]
        lines += [f"left out  {reason}" for reason in self.bad]
        return "\n".join(lines)


def visualise(options: VisualiseOptions) -> Visualised:
    """Load, look, draw; the folder appears when everything is in it."""
    from ...core.files import replacing_folder
    from ..distributed import joined
    from .gallery import Gallery

    if not options.images:
        raise UserError("name the images to look at, or a folder of them")
    with joined(options.device) as world:
        gallery = Gallery.of(options, world.device)
    with replacing_folder(options.out) as folder:
        names = gallery.write(folder)
    return Visualised(
        options.out / "index.html",
        tuple(options.out / name for name in names),
        gallery.parts.count if gallery.parts is not None else 0,
        gallery.notes,
        gallery.crops.bad,
    )
