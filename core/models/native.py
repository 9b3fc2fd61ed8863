"""Our own weights file: safetensors whose header says how to build and feed the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError, ConfigError
from ..files import write_atomically
from ..preprocess import Preprocess
from .config import ModelConfig
from .ranges import Ranges, checked_ranges

if TYPE_CHECKING:
    from torch import Tensor

    from .vit import ReidVit

SCHEMA = 1
HEADER_KEY = "personvit"
INT8_KEY = "int8_ranges"
"""In the header of a student that was trained in INT8: the range of every layer's input."""


@dataclass(frozen=True)
class Native:
    """A native file, loaded."""

    model: ReidVit
    config: ModelConfig
    preprocess: Preprocess
    provenance: dict[str, str]


@dataclass(frozen=True)
class NativeContent:
    """What a native file holds."""

    tensors: dict[str, Tensor]
    config: ModelConfig
    preprocess: Preprocess
    provenance: dict[str, str]
    ranges: Ranges | None = None


def save_native(
    path: Path,
    model: ReidVit,
    preprocess: Preprocess,
    provenance: Mapping[str, str],
    ranges: Ranges | None = None,
) -> None:
    """Write the weights whole or not at all; equal models give equal bytes."""
    from safetensors.torch import save

    header: dict[str, Any] = {
        "schema": SCHEMA,
        "config": model.config.to_dict(),
        "preprocess": preprocess.to_dict(),
        "provenance": dict(provenance),
    }
    if ranges is not None:
        header[INT8_KEY] = checked_ranges(ranges, model.config.depth, str(path))
    state = model.state_dict()
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    # One entry only: safetensors writes several in an order that changes from run to run.
    metadata = {HEADER_KEY: json.dumps(header, sort_keys=True)}
    # Not save_file: it renames a file of its own, which a killed run would leave behind.
    write_atomically(path, save(tensors, metadata=metadata))


def read_header(path: Path) -> dict[str, Any] | None:
    """What the file says about its model; None for a safetensors file that is not ours."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except SafetensorError as problem:
        raise CheckpointError(
            f"{path} is not a whole safetensors file ({problem}); copy or download it again"
        ) from None
    if HEADER_KEY not in metadata:
        return None
    try:
        header = json.loads(metadata[HEADER_KEY])
    except json.JSONDecodeError as problem:
        raise CheckpointError(f"{path}: its header is damaged ({problem})") from None
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        found = header.get("schema") if isinstance(header, dict) else None
        raise CheckpointError(
            f"{path} has schema {found!r} and this version reads {SCHEMA}; update the project"
        )
    return header


def read_native(path: Path) -> NativeContent:
    """The tensors and the description, not yet a model."""
    from safetensors.torch import load_file

    header = read_header(path)
    if header is None:
        raise CheckpointError(
            f"{path} was not written by this project; `personvit-train import` reads foreign files"
        )
    try:
        config = ModelConfig.from_dict(header["config"])
        stored = header.get(INT8_KEY)
        return NativeContent(
            tensors=load_file(path),
            config=config,
            preprocess=Preprocess.from_dict(header["preprocess"]),
            provenance={str(key): str(value) for key, value in header["provenance"].items()},
            ranges=None if stored is None else checked_ranges(stored, config.depth, str(path)),
        )
    except (KeyError, TypeError, AttributeError, ConfigError) as problem:
        raise CheckpointError(f"{path}: its header cannot be used: {problem}") from None


def load_native(path: Path) -> Native:
    """Build the model that the header describes and fill every tensor of it."""
    from .vit import filled

    content = read_native(path)
    model = filled(content.config, content.tensors, str(path))
    return Native(model, content.config, content.preprocess, content.provenance)
