"""What a family of foreign checkpoints is: how to know one, and what each of its keys means."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isqrt
from typing import TYPE_CHECKING, Literal

from ..errors import InternalError

if TYPE_CHECKING:
    from torch import Tensor

    from ..preprocess import Preprocess

Shape = tuple[int | str, ...]
"""Sizes, or letters that stand for the same size within one group; D is the model's width."""

NECK = re.compile(r"bottleneck(_1|_2|_3|_pt1|_pt2|_pt3)?\.")
PASS_TOKENS = ("part_token", "cls_pos", "part1_pos", "part2_pos", "part3_pos")


@dataclass(frozen=True)
class DeadGroup:
    """Tensors that inference does not need: all of them are there, or none."""

    reason: str
    shapes: Mapping[str, Shape]


@dataclass(frozen=True)
class Weights:
    """The tensors of a file under their own names, and the wrappers they came out of."""

    where: str
    tensors: Mapping[str, Tensor]
    wrappers: tuple[str, ...] = ()

    def has(self, *beginnings: str) -> bool:
        """Whether any key starts so, with or without a trunk's prefix."""
        return any(bare(key).startswith(beginnings) for key in self.tensors)

    def under(self, prefix: str) -> bool:
        return any(key.startswith(prefix) for key in self.tensors)

    @property
    def has_parts(self) -> bool:
        return self.has(*PASS_TOKENS)

    @property
    def has_neck(self) -> bool:
        return any(NECK.match(key) for key in self.tensors)

    @property
    def square(self) -> bool:
        """Whether the position embedding is that of square images, a class token aside."""
        for key, value in self.tensors.items():
            if bare(key) == "pos_embed" and value.ndim == 3:
                extra = 2 if self.has("dist_token") else 1
                patches = max(0, value.shape[1] - extra)
                return isqrt(patches) ** 2 == patches
        return False


@dataclass(frozen=True)
class Family:
    """One published layout. Everything that is not said here is read from the tensors."""

    name: str
    title: str
    recognise: Callable[[Weights], bool]
    preprocess: Preprocess
    trunks: tuple[str, ...] = ("",)
    renames: Mapping[str, str] = field(default_factory=dict)
    dead: tuple[DeadGroup, ...] = ()
    tokens: Literal["cls", "pass"] = "cls"
    neck: Literal["none", "single", "single-or-multi"] = "none"
    neck_feature: Literal["before", "after"] = "before"
    branch_norm: bool = False
    needs_classifier: bool = False
    note: str = ""


def families() -> tuple[Family, ...]:
    """Every family: the `FAMILY` of each module beside this one."""
    from . import families as package

    found = []
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        loaded = importlib.import_module(f"{package.__name__}.{module.name}")
        if not isinstance(getattr(loaded, "FAMILY", None), Family):
            raise InternalError(f"{loaded.__name__} defines no FAMILY")
        found.append(loaded.FAMILY)
    return tuple(found)


def bare(key: str) -> str:
    """A key without the prefix of a trunk."""
    for prefix in ("base.", "backbone."):
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key
