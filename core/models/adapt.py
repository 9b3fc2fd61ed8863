"""Changing the image size or the tokens of trained weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ..errors import CheckpointError, ConfigError
from .config import ModelConfig, Tokens
from .grid import resample
from .report import Changed, Dropped

_POSITIONS = "backbone.pos_embed"
_CLASS_TOKEN = "backbone.cls_token"  # noqa: S105


@dataclass(frozen=True)
class Adapted:
    tensors: dict[str, Tensor]
    config: ModelConfig
    changed: tuple[Changed, ...] = ()
    dropped: tuple[Dropped, ...] = ()


def adapt(
    tensors: dict[str, Tensor],
    config: ModelConfig,
    size: tuple[int, int] | None,
    tokens: Tokens | None,
) -> Adapted:
    """Bring weights to an image size and a token layout; both None leaves them as they are."""
    start = Adapted(dict(tensors), config)
    sized = start if size is None else _to_size(start, size)
    return sized if tokens is None else _to_tokens(sized, tokens)


def _to_size(given: Adapted, size: tuple[int, int]) -> Adapted:
    config = given.config
    if (config.height_px, config.width_px) == size:
        return given
    if config.tokens == "cls-drop-patch":
        raise CheckpointError(
            "weights without their top-left patch have no full grid to stretch; "
            "resize the weights they came from, then drop the patch"
        )
    try:
        wanted = replace(config, height_px=size[0], width_px=size[1])
    except ConfigError as problem:
        raise CheckpointError(str(problem)) from None
    if config.grid == wanted.grid or config.convolutional:
        return replace(given, config=wanted)
    leading = 1 if config.tokens == "cls" else 0
    return _with_positions(
        given,
        resample(given.tensors[_POSITIONS], leading, config.grid, wanted.grid),
        wanted,
        f"resampled bilinearly from {_times(config.grid)} to {_times(wanted.grid)} patches",
    )


def _to_tokens(given: Adapted, tokens: Tokens) -> Adapted:
    config = given.config
    if tokens == config.tokens:
        return given
    if config.convolutional:
        raise CheckpointError(f"{config.trunk} is convolutional and has no tokens to change")
    if config.tokens != "cls" or tokens not in ("mean", "cls-drop-patch"):
        raise CheckpointError(
            f"tokens {config.tokens!r} cannot become {tokens!r}: only a class-token model can be "
            "turned into one of 128 tokens (mean or cls-drop-patch)"
        )
    positions, wanted = given.tensors[_POSITIONS], replace(config, tokens=tokens)
    if tokens == "cls-drop-patch":
        kept = positions[:, [0, *range(2, positions.shape[1])]]
        return _with_positions(given, kept, wanted, "without the top-left patch")
    changed = _with_positions(given, positions[:, 1:], wanted, "without the class token")
    tensors = {key: value for key, value in changed.tensors.items() if key != _CLASS_TOKEN}
    gone = Dropped(_CLASS_TOKEN, "the mean of the patches takes its place")
    return replace(changed, tensors=tensors, dropped=(*given.dropped, gone))


def _with_positions(given: Adapted, new: Tensor, config: ModelConfig, reason: str) -> Adapted:
    old = given.tensors[_POSITIONS]
    entry = Changed(_POSITIONS, tuple(old.shape), tuple(new.shape), reason)
    return replace(
        given,
        tensors=given.tensors | {_POSITIONS: new.contiguous()},
        config=config,
        changed=(*given.changed, entry),
    )


def _times(grid: tuple[int, int]) -> str:
    return f"{grid[0]}x{grid[1]}"
