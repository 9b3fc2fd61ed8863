"""The candidates of an export: a device builds them all and serves the fastest that agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, get_args

from ..core.errors import ConfigError
from ..core.manifest import Candidate

if TYPE_CHECKING:
    from .variants import VariantKind

WHAT: Mapping[Candidate, str] = {
    "int8": "linear layers in INT8, except those the recipe protects",
    "fp16": "no quantised layer; FP16 on GPUs, FP32 on CPUs, which run FP16 graphs slowly",
    "int8-attention": "as int8, and the products inside attention in INT8 too",
    "mixed": "as int8, but the most harmful quarter of the matrix work stays in floating point",
}

NOT_NATIVE = (
    "int8-attention has no trt-attention variant: the Attention operator has no place for the "
    "quantised softmax, and TensorRT-RTX has no kernel where only its inputs are quantised "
    "(docs/fusion.md)."
)


def candidates_of(text: str | None, *, int8: bool) -> tuple[Candidate, ...]:
    """The default first, then the others that `text` lists; its mistakes need no work to tell."""
    default: Candidate = "int8" if int8 else "fp16"
    listed = [] if text is None else _listed(text)
    if wanting := [name for name in listed if name != "fp16" and not int8]:
        raise ConfigError(f"the candidate {wanting[0]} is quantised; give --int8 too")
    return default, *(name for name in listed if name != default)


def _listed(text: str) -> list[Candidate]:
    known: tuple[Candidate, ...] = get_args(Candidate)
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if not words:
        raise ConfigError(f"no candidate is named in {text!r}; choose from {', '.join(known)}")
    if strange := [word for word in words if word not in known]:
        raise ConfigError(
            f"there is no candidate {strange[0]!r}; choose from {', '.join(known)}, by comma"
        )
    if twice := [word for index, word in enumerate(words) if word in words[:index]]:
        raise ConfigError(f"the candidate {twice[0]} is listed twice; name each once")
    return [name for name in known if name in words]


def kinds_of(candidate: Candidate, kinds: Sequence[VariantKind]) -> tuple[VariantKind, ...]:
    """The graphs that a candidate is written as."""
    if candidate != "int8-attention":
        return tuple(kinds)
    return tuple(kind for kind in kinds if kind.attention == "decomposed")
