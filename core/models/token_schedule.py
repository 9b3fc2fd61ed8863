"""After which blocks a transformer goes on with fewer patches, and how many tokens that makes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import ConfigError

TokenSchedule = tuple[tuple[int, int], ...]
"""(blocks, patches): after so many blocks only so many patches stay, in the order of the blocks."""

WRITTEN = "write BLOCKS:PATCHES by comma, such as 4:96,8:64"


def parse_schedule(text: str) -> TokenSchedule:
    """`4:96,8:64` as ((4, 96), (8, 64)); nothing as no schedule."""
    if not text:
        return ()
    pairs = [word.split(":") for word in text.split(",")]
    if not all(len(pair) == 2 and all(part.isdecimal() for part in pair) for pair in pairs):
        raise ConfigError(f"{text!r} is not a token schedule; {WRITTEN}")
    return tuple((int(blocks), int(patches)) for blocks, patches in pairs)


def as_schedule(values: Iterable[Any]) -> TokenSchedule:
    """A schedule from what JSON or a caller gives."""
    try:
        rows = [tuple(row) for row in values]
    except TypeError:
        raise ConfigError(
            f"token_schedule is {values!r}, not pairs of blocks and patches"
        ) from None
    for row in rows:
        if len(row) != 2 or not all(type(value) is int for value in row):
            raise ConfigError(
                f"token_schedule holds {row!r}; each entry is two whole numbers, the blocks after "
                "which patches go and the patches that stay"
            )
    return tuple(rows)


def check_schedule(schedule: TokenSchedule, tokens: str, depth: int, patches: int) -> None:
    """Refuse a schedule that a model of this layout, depth and number of patches cannot follow."""
    if schedule and not depth:
        raise ConfigError("a token schedule is for transformers; this trunk has no tokens to drop")
    if schedule and tokens == "mean":
        raise ConfigError(
            "a token schedule keeps the patches that the class token attends to, and "
            "tokens='mean' has no class token; choose 'cls', 'cls-drop-patch' or 'pass'"
        )
    passed, left = 0, patches
    for blocks, stay in schedule:
        if not passed < blocks < depth:
            raise ConfigError(
                f"token_schedule drops patches after {blocks} blocks; the numbers of blocks must "
                f"rise from 1 to at most {depth - 1} in a model of {depth}"
            )
        if not 0 < stay < left:
            raise ConfigError(
                f"token_schedule keeps {stay} patches after {blocks} blocks, where there are "
                f"{left}; each step must keep fewer than it is given, and at least one"
            )
        passed, left = blocks, stay


def tokens_by_block(
    schedule: TokenSchedule, tokens: int, leading: int, depth: int
) -> tuple[int, ...]:
    """How many tokens go into each block; `tokens` go into the first."""
    counts: list[int] = []
    stay = dict(schedule)
    for block in range(depth):
        tokens = stay[block] + leading if block in stay else tokens
        counts.append(tokens)
    return tuple(counts)


def scaled(schedule: Sequence[tuple[int, int]], patches: int, others: int) -> TokenSchedule:
    """The schedule of `patches` patches in proportion for an image of `others`."""
    return tuple((blocks, max(1, round(stay * others / patches))) for blocks, stay in schedule)
