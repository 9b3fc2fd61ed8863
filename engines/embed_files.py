"""`personvit-engine run`: from image files to a matrix of embeddings."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..core.command import argument, option
from ..core.data.base import Sample
from ..core.data.crops import BadImages, stream
from ..core.errors import ConfigError, DataError
from ..core.files import refuse_unwritable, replacing, write_atomically
from .base import Engine, EngineOptions
from .catalogue import DEFAULT, open_engine

SCHEMA = 1
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass(frozen=True)
class RunOptions:
    """Embed images: one row of OUT.npy per image, and OUT.npy.json to say which row is which.

    Folders are searched for images, in the order of their names.

    Example: personvit-engine run model.pvb crops/ -o embeddings.npy
    """

    weights: str = argument(
        "A bundle (.pvb), an ONNX file, or weights: a file, hf://..., a short name."
    )
    images: tuple[Path, ...] = argument("Image files and folders of them.")
    out: Path | None = option(None, "Where the embeddings go (.npy).")
    engine: str = option(
        DEFAULT, "The runtime, of 'personvit-engine list'; auto: torch, for bundles openvino."
    )
    precision: str | None = option(None, "Such as int8, fp32 or bf16; the engine's own by default.")
    device: str | None = option(None, "Such as cpu or cuda:0; the engine's own by default.")
    threads: int | None = option(None, "Processor threads; all by default.", low=1, high=1024)
    batch: int = option(32, "Images per batch.", low=1)
    skip_bad: bool = option(False, "Leave out images that cannot be read, and list them.")


@dataclass(frozen=True)
class Embedded:
    out: Path
    rows: tuple[str, ...]
    width: int
    space: str | None
    bad: BadImages

    def as_json(self) -> Mapping[str, Any]:
        return {
            "schema": SCHEMA,
            "out": self.out.name,
            "space": self.space,
            "images": list(self.rows),
            "bad": self.bad.as_json(),
        }

    def as_text(self) -> str:
        skipped = f"\n{self.bad.as_text()}" if len(self.bad) else ""
        return f"{self.out}: {len(self.rows)} embeddings of {self.width} values{skipped}"


def embed_files(options: RunOptions) -> Embedded:
    if options.out is None or options.out.suffix != ".npy":
        raise ConfigError("say where the embeddings go: -o NAME.npy")
    refuse_unwritable(options.out)
    paths = images_in(options.images)
    asked = EngineOptions(options.precision, options.device, options.batch, options.threads)
    with open_engine(options.weights, options.engine, asked) as engine:
        embeddings, rows, bad = _embed(engine, paths, options)
        spec = next(spec for spec in engine.outputs if spec.meaning == "embedding")
        about = {"engine": engine.info().as_json(), "preprocess": engine.preprocess.to_dict()}
    names = tuple(str(paths[row]) for row in rows)
    made = Embedded(options.out, names, embeddings.shape[1], spec.space, bad)
    with replacing(options.out) as part, part.open("wb") as file:
        np.save(file, embeddings)
    sidecar = options.out.with_name(options.out.name + ".json")
    write_atomically(sidecar, json.dumps({**made.as_json(), **about}, indent=2) + "\n")
    return made


def images_in(places: Sequence[Path]) -> list[Path]:
    """The files themselves, and every image below each folder, sorted by name."""
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = [path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES]
            if not inside:
                raise DataError(f"{place}: no images here ({', '.join(SUFFIXES)})")
            found += sorted(inside, key=lambda path: path.as_posix())
        elif place.is_file():
            found.append(place)
        else:
            raise DataError(f"{place}: no such file or folder")
    return found


def _embed(
    engine: Engine, paths: Sequence[Path], options: RunOptions
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], list[int], BadImages]:
    samples = [Sample(str(path), 0, 0) for path in paths]
    crops = stream(Path(), samples, engine.preprocess, options.batch, skip_bad=options.skip_bad)
    width = next(spec.shape[1] for spec in engine.outputs if spec.meaning == "embedding")
    parts = [np.empty((0, width or 0), dtype=np.float32)]
    rows: list[int] = []
    with click.progressbar(length=len(paths), label="embedding", file=sys.stderr) as bar:
        for indices, batch in crops:
            parts.append(engine.embed(batch))
            rows += indices.tolist()
            bar.update(len(indices))
    return np.concatenate(parts), rows, crops.bad
