"""Everything an export report can show. Whoever writes one only lays out what is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .comparison import CosineSummary, CrossPrecision, Flips
from .latency import Latency
from .report import Setting
from .thresholds import Thresholds
from .verdict import Check, Decision, Verdict

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Variant:
    """One graph or engine that was made."""

    name: str
    runtime: str
    precision: str
    size: int
    """Bytes."""
    note: str = ""


@dataclass(frozen=True)
class CandidateRow:
    """One way of quantising that a device may choose; what was not judged has no numbers."""

    name: str
    what: str
    place: str
    """default, yes, left out, or no bundle where the default did not pass."""
    decision: Decision | None
    change: Check | None
    """The gate's main check: estimate and bounds."""
    cosines: CosineSummary | None
    int8_share: float
    """Of all matrix work, by the recipe."""
    size: int | None
    """Bytes of one graph."""
    judged: str
    reason: str = ""
    """Why it was left out."""


@dataclass(frozen=True)
class Histogram:
    """Shares of equal bins from `low` to `high`."""

    low: float
    high: float
    shares: tuple[float, ...]


@dataclass(frozen=True)
class ScoreShares:
    """How the cosines of pairs spread, before and after."""

    genuine_before: Histogram
    genuine_after: Histogram
    impostor_before: Histogram
    impostor_after: Histogram


@dataclass(frozen=True)
class Sensitivity:
    """What quantising one layer alone does; worst first in a report."""

    layer: str
    error: float
    protected: bool = False
    """Kept in higher precision by the recipe."""


@dataclass(frozen=True)
class FusionProof:
    """Whether attention is proved fused for one architecture; `proved` None: checked at install."""

    architecture: str
    variant: str
    proved: bool | None
    built: bool = False
    attention_nodes: int = 0
    expected_nodes: int = 0
    decomposable_nodes: int = 0
    fp32_refused: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class Answer:
    """One gallery image given as an answer."""

    picture: Picture
    right: bool


@dataclass(frozen=True)
class ChangedQuery:
    """A query that lost average precision, with the first answers of both models."""

    name: str
    picture: Picture
    before_ap: float
    after_ap: float
    before: tuple[Answer, ...]
    after: tuple[Answer, ...]


@dataclass(frozen=True)
class ReportData:
    """Only title and verdict are needed; what is absent is left out of the page."""

    title: str
    verdict: Verdict
    subject: str = ""
    before: str = "FP32"
    after: str = "INT8"
    variants: tuple[Variant, ...] = ()
    candidates: tuple[CandidateRow, ...] = ()
    size_before: int | None = None
    scores: CrossPrecision | None = None
    flips: Flips | None = None
    latency: Latency | None = None
    thresholds: Thresholds | None = None
    score_shares: ScoreShares | None = None
    cosines: CosineSummary | None = None
    cosine_shares: Histogram | None = None
    sensitivity: tuple[Sensitivity, ...] = ()
    sensitivity_unit: str = "one minus the cosine"
    fusion: tuple[FusionProof, ...] = ()
    changed: tuple[ChangedQuery, ...] = ()
    stages: tuple[tuple[str, float], ...] = ()
    """Name and seconds of each step of the work."""
    setting: Setting | None = None
    command: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Seeds, digests, data set, recipe: name and value."""
    notes: tuple[str, ...] = ()
