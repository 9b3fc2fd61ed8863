"""A pre-training file's own words and tensors, as fields of our recipe."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ...core.errors import CheckpointError
from ...core.models.grid import infer_grid
from ...core.models.safe_load import looks_like_safetensors, read_pickled
from .recipe import trainable
from .upstream_args import from_args

if TYPE_CHECKING:
    from .read_args import Fact

_CONVOLUTION = 4
WIDTHS = {192: "vit_tiny_16", 384: "vit_small_16", 768: "vit_base_16"}
Fields = dict[str, tuple[Any, str]]


@dataclass(frozen=True)
class Stored:
    """What was found; fields of our recipe come with their sources."""

    args: dict[str, Any]
    epoch: int | None
    fields: Fields


def read_stored(path: Path) -> Stored:
    """Read the whole file without running anything of it."""
    if path.is_file() and looks_like_safetensors(path):
        raise CheckpointError(
            f"{path} is a safetensors file, which carries no arguments of its training; name the "
            ".pth file of the pre-training run"
        )
    content = read_pickled(path)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds {type(content).__name__}, not a training checkpoint")
    try:
        args = _plain_args(content.get("args"))
    except RecursionError:
        raise CheckpointError(
            f"{path} has args that hold themselves, or too much within each other, so they tell "
            "nothing; name the .pth file of the pre-training run"
        ) from None
    fields = {**_of_tensors(content), **from_args(args)}
    if not fields:
        raise CheckpointError(
            f"{path} holds neither args nor a projection head, so it says nothing about its "
            "pre-training; name the .pth file of the pre-training run, not a fine-tuned model"
        )
    if fields.get("model.architecture", ("vit_small_16",))[0] not in trainable():
        del fields["model.architecture"]
    epoch = content.get("epoch")
    return Stored(args, epoch if isinstance(epoch, int) else None, fields)


def as_toml(base: str, stored: Stored, facts: Sequence[Fact], remaining: Mapping[str, str]) -> str:
    """A recipe that stands on another: every fact with its source, every guess left by name."""
    title = f"{base} with the facts of a published file"
    lines = [
        "# Facts that a pre-training file holds; what it does not say comes from the base.",
        *(f"# still guessed ({why}): {', '.join(names)}" for why, names in by_source(remaining)),
        f"base = {json.dumps(base)}",
        f"title = {json.dumps(title)}",
    ]
    lines += [_line(fact) for fact in facts if "." not in fact.field]
    for section in sorted({fact.field.split(".")[0] for fact in facts if "." in fact.field}):
        lines += ["", f"[{section}]"]
        lines += [_line(fact) for fact in facts if fact.field.startswith(f"{section}.")]
    return "\n".join(lines) + "\n"


def by_source(remaining: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Each source with the fields that were guessed from it."""
    sources = dict.fromkeys(remaining.values())
    return [(why, [name for name in remaining if remaining[name] == why]) for why in sources]


def _line(fact: Fact) -> str:
    key = fact.field.split(".")[-1]
    comment = f"fact: {fact.source}; {fact.verdict}"
    if fact.value is None:
        return f"# {key} is off ({comment}): use --set {fact.field}=none"
    return f"{key} = {json.dumps(fact.value)} # {comment}"


def _plain_args(args: object) -> dict[str, Any]:
    """Values that JSON knows; anything else as its text."""
    values = vars(args) if isinstance(args, Namespace) else args
    if not isinstance(values, Mapping):
        return {}
    return {str(name): _plain(value) for name, value in values.items()}


def _plain(value: object) -> Any:
    if hasattr(value, "item") and not isinstance(value, Tensor):
        value = value.item()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _of_tensors(content: Mapping[Any, Any]) -> Fields:
    """What shapes tell, even when nobody stored a word."""
    state = _without_prefix(content.get("student") or content.get("teacher"))
    found: Fields = {}
    prototypes, second = (
        state.get("head.last_layer.weight_v"),
        state.get("head.last_layer2.weight_v"),
    )
    if prototypes is not None:
        found["head.outputs"] = (prototypes.shape[0], "head.last_layer")
        found["head.bottleneck"] = (prototypes.shape[1], "head.last_layer")
    if prototypes is not None and second is not None:
        same = prototypes.shape == second.shape and bool((prototypes == second).all())
        found["head.shared"] = (same, "head.last_layer and head.last_layer2 of the student")
    layers = [name for name in state if name.startswith("head.mlp.") and name.endswith("weight")]
    if layers:
        found["head.layers"] = (len(layers), "head.mlp")
        found["head.hidden"] = (state[layers[0]].shape[0], "head.mlp")
    token = state.get("backbone.cls_token")
    if token is not None and token.shape[-1] in WIDTHS:
        found["model.architecture"] = (WIDTHS[token.shape[-1]], "backbone.cls_token")
    return found | _of_positions(state)


def _of_positions(state: Mapping[str, Tensor]) -> Fields:
    """The size of the global crops, where the number of patches leaves no doubt."""
    positions, patches = (
        state.get(f"backbone.{name}") for name in ("pos_embed", "patch_embed.proj.weight")
    )
    if positions is None or patches is None or patches.dim() != _CONVOLUTION:
        return {}
    try:
        rows, columns = infer_grid(positions.shape[1] - 1, "")
    except CheckpointError:
        return {}
    source, patch = "backbone.pos_embed", patches.shape[-1]
    return {"input.height": (rows * patch, source), "input.width": (columns * patch, source)}


def _without_prefix(state: object) -> dict[str, Tensor]:
    """Matrices and more, since vectors tell nothing here."""
    if not isinstance(state, Mapping):
        return {}
    return {
        str(name).removeprefix("module."): value
        for name, value in state.items()
        if isinstance(value, Tensor) and value.dim() > 1
    }
