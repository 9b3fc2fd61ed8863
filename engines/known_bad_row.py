"""One row of the known-bad list: what went wrong where, who said so, and what is done about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from .version_numbers import Version

Product = Literal["tensorrt", "tensorrt-rtx", "jetpack"]
Batch = Literal["any", "one", "several"]
Workaround = Literal["static-profile", "fp32-layernorm", "bigger-batch", "avoid", "none"]
Capability = tuple[int, int]

ORIN: tuple[Capability, ...] = ((8, 7),)
THOR: tuple[Capability, ...] = ((11, 0), (10, 1))
"""11.0 since CUDA 13, which renumbered it."""


@dataclass(frozen=True)
class Row:
    """One thing that others saw go wrong, where it was said, and what to do."""

    id: str
    title: str
    """One sentence."""
    first: Version
    """The first version of the product that it concerns."""
    until: Version | None
    """The first that it no longer concerns; None where no end is known."""
    seen: str
    """What one sees when it happens."""
    sources: tuple[str, ...]
    date: str
    """Of the newest source, as YYYY-MM-DD; of reading it where it bears none."""
    workaround: Workaround
    mend: str
    """What is done about it, or what the user can do."""
    product: Product = "tensorrt"
    capabilities: tuple[Capability, ...] = ()
    """Of the GPUs concerned; all where none is named."""
    precisions: tuple[str, ...] = ()
    """Of the graphs concerned: fp32, fp16, int8, fp8; all where none is named."""
    batch: Batch = "any"
    """`one`: engines for a single crop only. `several`: engines that take any number up to one."""
    below_gib: float | None = None
    """Machines with less memory than this only."""
    settled: bool = False
    """Bundles are made so that it cannot happen to them: nothing is left to do."""
    run: str = "not run"
    """Where this project saw it itself."""

    @property
    def applied(self) -> bool:
        """Whether building an engine takes care of it with nothing for the user to do."""
        return self.workaround in ("static-profile", "fp32-layernorm", "bigger-batch")

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "product": self.product,
            "first": _dotted(self.first),
            "until": _dotted(self.until) if self.until else None,
            "capabilities": [_dotted(one) for one in self.capabilities],
            "precisions": list(self.precisions),
            "batch": self.batch,
            "below_gib": self.below_gib,
            "seen": self.seen,
            "sources": list(self.sources),
            "date": self.date,
            "workaround": self.workaround,
            "applied": self.applied,
            "settled": self.settled,
            "mend": self.mend,
            "run": self.run,
        }

    def range(self) -> str:
        """The versions concerned, as a person says them."""
        first = _dotted(self.first)
        return (
            f"{first} and later"
            if self.until is None
            else f"{first} to before {_dotted(self.until)}"
        )


def _dotted(numbers: Iterable[int]) -> str:
    return ".".join(map(str, numbers))
