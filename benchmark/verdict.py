"""What a gate answers: pass, fail or undecided, with the numbers behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Decision = Literal["pass", "fail", "undecided"]

_DIGITS = 6
SCHEMA = 1


@dataclass(frozen=True)
class Check:
    """One quantity against one limit. `lower` and `upper` are one-sided 95 % bounds each."""

    name: str
    unit: str
    limit: float
    estimate: float
    lower: float
    upper: float
    error: float
    """The standard error of the estimate."""
    resolves: float
    """The smallest distance from the estimate's ideal that this much data shows 4 times in 5."""
    decision: Decision
    test: str
    """How it was tested, in a few words."""


@dataclass(frozen=True)
class Verdict:
    """The answer of a gate; `kind` says whether it speaks of accuracy or only of agreement."""

    kind: Literal["accuracy", "agreement"]
    rule: str
    decision: Decision
    sentence: str
    checks: tuple[Check, ...]
    samples: int
    """Queries that were scored, or crops."""
    clusters: int
    """Independent groups among them: identities, or crops where nobody named them."""
    needed: int | None
    """About how many samples would decide; None where it is decided or no number is likely to."""
    seed: int
    resamples: int

    def as_json(self) -> Mapping[str, Any]:
        """Rounded and free of infinities, so that it is valid JSON and the same on every run."""
        fields = {key: value for key, value in asdict(self).items() if key != "checks"}
        checks = [{k: _plain(v) for k, v in asdict(check).items()} for check in self.checks]
        return {"schema": SCHEMA, **fields, "checks": checks}

    def as_text(self) -> str:
        what = "queries of {} identities" if self.kind == "accuracy" else "crops in {} groups"
        size = f"  from {self.samples:,} {what.format(f'{self.clusters:,}')}"
        return "\n".join([self.sentence, *(f"  {_line(check)}" for check in self.checks), size])


def combine(decisions: tuple[Decision, ...]) -> Decision:
    """One failure fails all; then one doubt leaves all undecided."""
    if "fail" in decisions:
        return "fail"
    return "undecided" if "undecided" in decisions else "pass"


def _line(check: Check) -> str:
    return (
        f"{check.name}: {check.estimate:+.3f} {check.unit}, 95 % bounds {check.lower:+.3f} and "
        f"{check.upper:+.3f}, limit {check.limit:+.3f}: {check.decision} ({check.test}; "
        f"standard error {check.error:.3f}, resolves {check.resolves:.3f})"
    )


def _plain(value: object) -> object:
    if isinstance(value, float):
        return round(value, _DIGITS) if math.isfinite(value) else None
    return value
