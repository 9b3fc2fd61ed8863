"""From weights and crops to pictures: what is looked at, what is drawn, what is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...core.errors import UserError
from ...core.files import write_atomically
from ...core.models.weights import Loaded, ReadOptions, load_weights
from ...core.preprocess import parse_size
from .drawing import Pixels, beside, heat, part_map
from .images import Crops, gather
from .looking import Looked, look
from .page import Page, Row, as_html, png
from .parts import Parts, find_parts

if TYPE_CHECKING:
    from .visualise import VisualiseOptions

BATCH = 16


@dataclass(frozen=True)
class Gallery:
    """Everything that was seen, ready to be drawn."""

    options: VisualiseOptions
    model: str
    crops: Crops
    looked: Looked
    parts: Parts | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, options: VisualiseOptions, device: torch.device) -> Gallery:
        size = parse_size(options.size) if options.size else None
        loaded = load_weights(options.weights, ReadOptions(size=size))
        _check(loaded, options)
        crops = gather(options.images, loaded.preprocess, options.limit)
        looked = _look_at_all(loaded, crops, options.camera, device)
        parts = None
        if options.parts:
            parts = find_parts(looked, options.parts, options.foreground, options.seed)
        return cls(
            options, _sentence(loaded), crops, looked, parts, _notes(loaded, crops, options, parts)
        )

    def write(self, folder: Path) -> list[str]:
        """One PNG for each crop and the page; returns the names of the pictures."""
        rows = [self._row(place) for place in range(len(self.crops.paths))]
        digits = len(str(len(rows)))
        names = [
            f"{number:0{digits}d}-{path.stem}.png"
            for number, path in enumerate(self.crops.paths, 1)
        ]
        for name, row in zip(names, rows, strict=True):
            strip = beside([picture for _, picture in row.pictures])
            write_atomically(folder / name, png(strip))
        page = Page(
            "What the model looks at",
            (f"{self.options.weights}: {self.model}",),
            (*self.notes, *(f"Left out: {reason}" for reason in self.crops.bad)),
            self.parts.count if self.parts is not None else 0,
            rows,
        )
        write_atomically(folder / "index.html", as_html(page))
        return names

    def _row(self, place: int) -> Row:
        crop = self.crops.pixels[place]
        pictures: list[tuple[str, Pixels]] = [("crop", crop)]
        for number, token in enumerate(self.looked.tokens):
            shares = self.looked.attention[place, number]
            pictures.append((f"attention of the {token} token", heat(crop, shares.mean(axis=0))))
            if self.options.heads:
                pictures += [
                    (f"{token} token, head {head}", heat(crop, values))
                    for head, values in enumerate(shares, 1)
                ]
        if self.parts is not None:
            labels = self.parts.labels[place]
            pictures.append(("parts", part_map(crop, labels, self.parts.count)))
        return Row(str(self.crops.paths[place]), tuple(pictures))


def _look_at_all(loaded: Loaded, crops: Crops, camera: int, device: torch.device) -> Looked:
    model = loaded.model.to(device)
    seen = []
    for start in range(0, len(crops.pixels), BATCH):
        images = loaded.preprocess.normalise(crops.pixels[start : start + BATCH])
        seen.append(look(model, torch.from_numpy(images).to(device), camera))
    return Looked(
        seen[0].tokens,
        np.concatenate([one.attention for one in seen]),
        np.concatenate([one.features for one in seen]),
    )


def _check(loaded: Loaded, options: VisualiseOptions) -> None:
    if loaded.config.convolutional:
        raise UserError(
            f"{options.weights} is no transformer: it has neither attention nor patches to show"
        )
    cameras = loaded.config.cameras
    if cameras and options.camera >= cameras:
        raise UserError(f"this model knows cameras 0 to {cameras - 1}, not {options.camera}")
    if loaded.config.tokens == "mean" and not options.parts:
        raise UserError(
            "this model has no class token, so there is no attention map, and --parts 0 leaves "
            "out the rest"
        )


def _sentence(loaded: Loaded) -> str:
    config, report = loaded.config, loaded.report
    rows, columns = config.grid
    return (
        f"{report.title}, {config.width} wide, {config.depth} blocks, {config.heads} heads, "
        f"images of {config.height_px}x{config.width_px} in {rows}x{columns} patches"
    )


def _notes(
    loaded: Loaded, crops: Crops, options: VisualiseOptions, parts: Parts | None
) -> tuple[str, ...]:
    config, notes = loaded.config, []
    if config.tokens == "mean":
        notes.append(
            "no attention maps: this model has no class token, its embedding is the mean of all "
            "patches"
        )
        if options.foreground == "attention":
            notes.append("so the parts are made of all patches, not of attended ones")
    if config.tokens == "cls-drop-patch":
        notes.append("the top-left patch gave way to the class token, so it has no value")
    if config.token_schedule:
        notes.append("hatched patches were dropped by the token schedule before the last block")
    if config.cameras:
        notes.append(f"seen as from camera {options.camera}")
    if parts is not None and parts.count < options.parts:
        notes.append(f"there are only {parts.count} different patches to make parts of")
    if crops.beyond:
        notes.append(f"{crops.beyond} more images were left out; --limit takes more")
    return tuple(notes)
