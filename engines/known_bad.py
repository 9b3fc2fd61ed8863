"""Toolchains known to go wrong with vision transformers, and what is done about each.

A row is a warning, not a verdict: what an engine answers to the bundle's golden and probe crops on
the device itself decides, whatever a row says or fails to say.
"""

from __future__ import annotations

from dataclasses import dataclass

from .known_bad_row import Capability, Product, Row
from .known_bad_rows import ROWS
from .version_numbers import version_of, within


@dataclass(frozen=True)
class Advice:
    """How to build so that what is known to go wrong does not."""

    static: bool
    """A profile for one batch size only."""
    fp32_layernorm: bool
    """LayerNorm in FP32."""
    at_least: int
    """The largest batch of the profile must be this or more."""
    rows: tuple[Row, ...]
    avoid: str
    """Why not to build with this version at all; empty where one may."""


def matching(
    version: str | None,
    capability: Capability | None,
    *,
    precision: str | None,
    batch: int,
    product: Product = "tensorrt",
    memory: int | None = None,
) -> tuple[Row, ...]:
    """The rows that concern an engine whose largest batch is `batch`.

    Without a precision those of every precision; an unknown version, capability or memory lies in
    no range and in no list.
    """
    return tuple(
        row
        for row in ROWS
        if row.product == product
        and within(version_of(version), row.first, row.until)
        and (not row.capabilities or capability in row.capabilities)
        and (not row.precisions or precision in (None, *row.precisions))
        and row.batch in ("any", "one" if batch == 1 else "several")
        and (row.below_gib is None or 0 < (memory or 0) < row.below_gib * 2**30)
    )


def advise(
    version: str | None,
    capability: Capability | None,
    *,
    precision: str,
    batches: tuple[int, ...],
    product: Product = "tensorrt",
) -> Advice:
    """What building for these batch sizes should heed."""
    largest = max(batches, default=1)
    rows = matching(version, capability, precision=precision, batch=largest, product=product)
    wanted = {row.workaround for row in rows}
    avoid = "; ".join(f"{row.title} {row.mend}" for row in rows if row.workaround == "avoid")
    return Advice(
        static="static-profile" in wanted,
        fp32_layernorm="fp32-layernorm" in wanted,
        at_least=max(largest, 2) if "bigger-batch" in wanted else largest,
        rows=rows,
        avoid=avoid,
    )
