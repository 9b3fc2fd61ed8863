"""Does an engine built on a device answer the bundle's crops as the host's engine did?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.manifest import Precision
from .agreement import neighbour_scores
from .comparison import cosines

TOP_K, ORDERED = 10, 20


@dataclass(frozen=True)
class ProbeLimits:
    """The least that counts as agreeing with the host's engine of the same candidate."""

    median: float
    worst: float
    overlap: float
    """Mean share of a crop's ten nearest that both engines name."""


LIMITS: Mapping[Precision, ProbeLimits] = {
    "fp32": ProbeLimits(median=0.9999, worst=0.9995, overlap=0.97),
    "fp16": ProbeLimits(median=0.9995, worst=0.998, overlap=0.95),
    "int8": ProbeLimits(median=0.998, worst=0.99, overlap=0.9),
}
"""Two right INT8 engines round differently; docs/verdict.md has what some of them measured."""


@dataclass(frozen=True)
class ProbeAgreement:
    """Cosines to the host's answers, crop by crop, and the neighbours that both find."""

    crops: int
    source: Literal["probe", "golden"]
    median: float
    worst: float
    worst_crop: int
    overlap: float | None
    """None on golden crops, which are too few to have neighbours."""
    to_reference: float | None
    """Median cosine to the full-precision model, where the bundle tells."""
    limits: ProbeLimits

    @property
    def agrees(self) -> bool:
        return not self.complaints()

    def complaints(self) -> tuple[str, ...]:
        found = []
        if not self.median >= self.limits.median:
            found.append(f"the median cosine is {self.median:.5f} (at least {self.limits.median})")
        if not self.worst >= self.limits.worst:
            found.append(
                f"crop {self.worst_crop} has cosine {self.worst:.5f} (at least {self.limits.worst})"
            )
        if self.overlap is not None and not self.overlap >= self.limits.overlap:
            found.append(
                f"{self.overlap:.1%} of the {TOP_K} nearest are the same "
                f"(at least {self.limits.overlap:.0%})"
            )
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "agrees": self.agrees, "complaints": list(self.complaints())}

    def as_text(self) -> str:
        shared = "" if self.overlap is None else f", {self.overlap:.1%} of neighbours shared"
        return (
            f"median cosine {self.median:.5f}, worst {self.worst:.5f}{shared} "
            f"on {self.crops} {self.source} crops"
        )


def compare(
    found: NDArray[np.float32],
    expected: NDArray[np.float32],
    precision: Precision,
    *,
    source: Literal["probe", "golden"] = "probe",
    reference: NDArray[np.float32] | None = None,
) -> ProbeAgreement:
    """`expected` is what the host's engine of the same candidate answered to the same crops."""
    broken = np.flatnonzero(~np.isfinite(found).all(axis=1))
    sane = found.copy()
    sane[broken] = 1.0
    alike = cosines(sane, expected)
    alike[broken] = -1.0
    overlap = None
    if source == "probe" and not len(broken):
        overlap = float(neighbour_scores(expected, found, TOP_K, ORDERED)[0].mean())
    worst = int(alike.argmin())
    return ProbeAgreement(
        crops=len(found),
        source=source,
        median=float(np.median(alike)),
        worst=float(alike[worst]),
        worst_crop=worst,
        overlap=overlap,
        to_reference=None if len(broken) else _median(found, reference),
        limits=LIMITS[precision],
    )


def _median(found: NDArray[np.float32], reference: NDArray[np.float32] | None) -> float | None:
    return None if reference is None else float(np.median(cosines(found, reference)))
